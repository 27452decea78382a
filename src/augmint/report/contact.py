"""A contact sheet: for each class, children under the parents they were made from."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from augmint.report.names import printable
from augmint.report.thumbnails import Picture, eight_bits

_CELL, _GAP, _MARGIN, _TITLE = 96, 6, 16, 24
_PAPER, _INK, _FAINT, _CHILD = (255, 255, 255), (20, 20, 20), (120, 120, 120), (0, 110, 200)


@dataclass(frozen=True)
class Family:
    """A child and its parents, each (H, W) or (H, W, C) of uint8 or uint16."""

    child: Picture
    parents: tuple[Picture, ...]


def contact_sheet(classes: Sequence[tuple[str, Sequence[Family]]], title: str) -> bytes:
    """PNG bytes: a block for each class, a column for each family, parents in grey frames, the child in blue."""
    blocks = [(name, families) for name, families in classes if families]
    columns = max((len(families) for _, families in blocks), default=1)
    rows = [2 + (max(len(family.parents) for family in families) > 1) for _, families in blocks]
    width = 2 * _MARGIN + columns * (_CELL + _GAP) + 60
    height = 2 * _MARGIN + _TITLE + sum(_TITLE + count * (_CELL + _GAP) for count in rows) or 80
    sheet = Image.new("RGB", (max(width, 460), height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN - 4), title, fill=_INK, font=_font(14))
    top = _MARGIN + _TITLE
    for (name, families), count in zip(blocks, rows, strict=True):
        pen.text((_MARGIN, top), printable(name)[:80], fill=_INK, font=_font(13))
        _draw_block(sheet, pen, families, top + _TITLE, count)
        top += _TITLE + count * (_CELL + _GAP)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _draw_block(sheet: Image.Image, pen: ImageDraw.ImageDraw, families: Sequence[Family], top: int, rows: int) -> None:
    # Parent above, child in the middle, second parent below: the eye reads the child as what lies between.
    for row, word in enumerate(("parent", "child", "parent")[:rows]):
        colour = _CHILD if word == "child" else _FAINT
        pen.text((_MARGIN, top + row * (_CELL + _GAP) + _CELL // 2 - 6), word, fill=colour, font=_font(12))
    for column, family in enumerate(families):
        left = _MARGIN + 60 + column * (_CELL + _GAP)
        pictures = [family.parents[0] if family.parents else None, family.child, *family.parents[1:2]]
        for row, picture in enumerate(pictures):
            if picture is None:
                continue
            spot = (left, top + row * (_CELL + _GAP))
            sheet.paste(_thumbnail(picture), spot)
            edge = (spot[0] - 1, spot[1] - 1, spot[0] + _CELL, spot[1] + _CELL)
            pen.rectangle(edge, outline=_CHILD if row == 1 else (200, 200, 200), width=2 if row == 1 else 1)


def _thumbnail(picture: Picture) -> Image.Image:
    """A square picture of 8 bits; small ones keep their pixels visible."""
    image = eight_bits(picture).convert("RGB")
    small = max(image.size) < _CELL
    image.thumbnail((_CELL, _CELL), Image.Resampling.LANCZOS)
    scale = _CELL / max(image.size) if small else 1.0
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.NEAREST)
    cell = Image.new("RGB", (_CELL, _CELL), (235, 235, 235))
    cell.paste(image, ((_CELL - image.width) // 2, (_CELL - image.height) // 2))
    return cell


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
