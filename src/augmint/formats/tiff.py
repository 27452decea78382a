"""Rewriting a TIFF with only the tags a decoder needs; strips and tiles are copied byte for byte.

Saving through Pillow would cut 16-bit colour to 8 bits and undo the compression, so the directory is rebuilt here.
Classic TIFF and BigTIFF, either byte order, first directory only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

# bytes of one value of each TIFF field type
_WIDTH = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_SHORT, _LONG, _LONG8 = 3, 4, 16
_INTEGER = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}
_ORIENTATION, _ICC_PROFILE = 274, 34675
# (offsets, byte counts) of the pixel data, as strips or as tiles
_DATA = ((273, 279), (324, 325))
_KEPT = frozenset(
    {254, 256, 257, 258, 259, 262, 263, 266, 277, 278, 280, 281, 282, 283, 284, 290, 291, 292, 293, 296, 301, 317}
    | {318, 319, 320, 321, 322, 323, 332, 334, 338, 339, 340, 341, 347, 529, 530, 531, 532, _ICC_PROFILE}
)


@dataclass(frozen=True)
class _Tag:
    kind: int
    count: int
    value: bytes


@dataclass(frozen=True)
class _Layout:
    """Byte order and word size of one file."""

    order: str
    big: bool

    @property
    def word(self) -> str:
        return "Q" if self.big else "I"

    @property
    def word_bytes(self) -> int:
        return 8 if self.big else 4

    def pack(self, code: str, *values: int) -> bytes:
        return struct.pack(self.order + code, *values)

    def unpack(self, code: str, data: bytes, at: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + code, data, at)


def strip_tiff(data: bytes, orientation: int) -> bytes | None:
    """The file with the first picture's data and only its technical tags.

    Args:
        data: a TIFF file.
        orientation: 1 to 8; stored when it is not 1.

    Returns:
        None where the pixel data is not in plain strips or tiles (JPEG as TIFF 6.0 first had it).
    """
    layout = _Layout("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+"))
    tags = _read_tags(data, layout)
    kept = {number: tag for number, tag in tags.items() if number in _KEPT}
    if orientation != 1:
        kept[_ORIENTATION] = _Tag(_SHORT, 1, layout.pack("H", orientation))
    header = 16 if layout.big else 8
    body = bytearray()
    for offsets, counts in _DATA:
        if offsets not in tags:
            continue
        chunks = _chunks(data, layout, tags[offsets], tags.get(counts))
        if chunks is None:
            return None
        places = [_append(body, chunk) + header for chunk in chunks]
        kind = _LONG8 if layout.big else _LONG
        kept[offsets] = _Tag(kind, len(places), layout.pack(f"{len(places)}{layout.word}", *places))
        kept[counts] = tags[counts]
    return _assemble(layout, header, body, kept) if any(first in kept for first, _ in _DATA) else None


def _read_tags(data: bytes, layout: _Layout) -> dict[int, _Tag]:
    (start,) = layout.unpack(layout.word, data, 8 if layout.big else 4)
    (count,) = layout.unpack("Q" if layout.big else "H", data, start)
    at = start + (8 if layout.big else 2)
    size = 20 if layout.big else 12
    tags = {}
    for place in range(at, at + min(count, 4096) * size, size):
        number, kind, values = layout.unpack("HH" + layout.word, data, place)
        length = _WIDTH.get(kind, 1) * values
        inline = place + 4 + layout.word_bytes
        begin = inline if length <= layout.word_bytes else layout.unpack(layout.word, data, inline)[0]
        tags[number] = _Tag(kind, values, data[begin : begin + length])
    return tags


def _chunks(data: bytes, layout: _Layout, offsets: _Tag, counts: _Tag | None) -> list[bytes] | None:
    """The strips or tiles; None where the directory does not say where each ends."""
    if counts is None or counts.count != offsets.count or {offsets.kind, counts.kind} - set(_INTEGER):
        return None
    starts = layout.unpack(f"{offsets.count}{_INTEGER[offsets.kind]}", offsets.value, 0)
    sizes = layout.unpack(f"{counts.count}{_INTEGER[counts.kind]}", counts.value, 0)
    return [data[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def _append(body: bytearray, chunk: bytes) -> int:
    """Add a chunk at an even place and return the place."""
    body.extend(b"\0" * (len(body) % 2))
    place = len(body)
    body.extend(chunk)
    return place


def _assemble(layout: _Layout, header: int, body: bytearray, tags: dict[int, _Tag]) -> bytes:
    """Header, pixel data, long values, directory."""
    entries = []
    for number, tag in sorted(tags.items()):
        value = tag.value.ljust(layout.word_bytes, b"\0")
        if len(value) > layout.word_bytes:
            value = layout.pack(layout.word, _append(body, tag.value) + header)
        entries.append(layout.pack("HH" + layout.word, number, tag.kind, tag.count) + value)
    place = _append(body, b"") + header
    count = layout.pack("Q" if layout.big else "H", len(entries))
    directory = count + b"".join(entries) + layout.pack(layout.word, 0)
    mark = b"II" if layout.order == "<" else b"MM"
    version = layout.pack("HHH", 43, 8, 0) if layout.big else layout.pack("H", 42)
    return mark + version + layout.pack(layout.word, place) + bytes(body) + directory
