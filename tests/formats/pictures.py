"""Pictures and files that the format tests build, good and hostile."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def noise(shape, dtype=np.uint8, seed=0):
    """Random pixels over the whole range of the type."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth(height=16, width=24):
    """(H, W, 3) uint8 that survives lossy compression well enough to tell a turned picture from an upright one."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 3], axis=-1).astype(np.uint8)


def encode(image, kind, **options):
    target = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(target, kind, **options)
    return target.getvalue()


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(pixels, bits, colour, extra=b""):
    """A PNG by hand: ``pixels`` (H, W, C), ``colour`` the PNG colour type, ``extra`` chunks before the data."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2" if bits == 16 else "u1").reshape(height, -1 if height else 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return PNG_MAGIC + head + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png_bomb(width=30_000, height=30_000):
    """The header of a huge picture and hardly any data."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return PNG_MAGIC + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def tiff16(pixels):
    """A TIFF by hand with 16-bit RGB, which Pillow cannot write; big-endian, two strips, a private tag."""
    height, width, _ = pixels.shape
    rows = pixels.astype(">u2").tobytes()
    half = (height // 2) * width * 6
    strips, note = [rows[:half], rows[half:]], b"SECRET-TIFF-NAME"
    at = 8 + len(rows)
    tail = struct.pack(">3H", 16, 16, 16) + struct.pack(">2I", 8, 8 + half)
    tail += struct.pack(">2I", *map(len, strips)) + note
    entries = [
        (256, 3, 1, width << 16), (257, 3, 1, height << 16), (258, 3, 3, at), (259, 3, 1, 1 << 16),
        (262, 3, 1, 2 << 16), (273, 4, 2, at + 6), (277, 3, 1, 3 << 16), (278, 3, 1, (height // 2) << 16),
        (279, 4, 2, at + 14), (284, 3, 1, 1 << 16), (315, 2, len(note), at + 22), (65000, 2, len(note), at + 22),
    ]  # fmt: skip
    directory = struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHII", *e) for e in entries) + bytes(4)
    return b"MM\0*" + struct.pack(">I", at + len(tail)) + rows + tail + directory


def write(root: Path, files):
    """Make a data set: relative path -> bytes, text, or True for a small picture that differs from its neighbours."""
    for number, (name, content) in enumerate(files.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is True:
            content = encode(noise((4, 5, 3), seed=number), "PNG")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root
