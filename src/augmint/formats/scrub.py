"""Taking identifying metadata out of a stored picture without touching a pixel.

Each container is walked segment by segment, and only the segments a decoder needs (and the colour profile) are
kept: an allow-list, because cameras and editors invent new ways to store a name faster than a deny-list grows.
Only the orientation is written anew, in an EXIF block of one tag, since dropping it would turn the picture.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator

from PIL import ExifTags, Image

from augmint.core.errors import SampleError
from augmint.formats.kinds import identify
from augmint.formats.tiff import strip_tiff

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# Ancillary PNG chunks that say how pixels are shown; all others may hold text.
_PNG_KEPT = frozenset(b"tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs hIST sPLT cICP mDCV cLLI".split())
_WEBP_KEPT = frozenset({b"VP8X", b"ICCP", b"ALPH", b"VP8 ", b"VP8L"})
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04
# A JPEG marker: not a stuffed zero, not a restart, not a fill byte.
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_EXIF_ORIENTATION = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0"


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or where the EXIF block is damaged."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a hostile EXIF block raises anything; the pixels are still good
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def strip_metadata(data: bytes) -> bytes:
    """The same picture without EXIF, XMP, IPTC, comments, text, thumbnails, times and trailing bytes.

    Decoded pixels, colour profile and orientation stay. PNG, JPEG, WebP and TIFF keep their compressed data byte
    for byte; BMP and PPM are written anew, which loses nothing.

    Raises:
        SampleError: the bytes are no readable picture.
    """
    kind = identify(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _STRIPPERS[kind](data)
    except SampleError:
        raise
    except Exception as error:  # untrusted bytes: whatever a parser raises is a fault of the file
        raise SampleError("damaged", str(error)) from error


def _exif_for(data: bytes, kind: str) -> bytes:
    """An EXIF block with nothing but the orientation, or b"" where the picture is upright."""
    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        turned = orientation(image)
    return _EXIF_ORIENTATION % turned if turned != 1 else b""


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of every chunk of a PNG up to its end chunk.

    Raises:
        SampleError: "cut short" where the end chunk is never reached.
    """
    at, name = len(_PNG_MAGIC), b""
    while name != b"IEND":
        if at + 12 > len(data):
            raise SampleError("cut short", "no end chunk")
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, at, at + 12 + length
        at += 12 + length
    if at > len(data):
        raise SampleError("cut short", "no end chunk")


def _strip_png(data: bytes) -> bytes:
    exif = _exif_for(data, "PNG")
    parts = [_PNG_MAGIC]
    for name, start, end in png_chunks(data):
        critical = not name[0] & 0x20
        if critical or name in _PNG_KEPT:
            parts.append(data[start:end])
        if name == b"IHDR" and exif:
            body = b"eXIf" + exif
            parts.append(struct.pack(">I", len(exif)) + body + struct.pack(">I", zlib.crc32(body)))
    return b"".join(parts)


def _strip_jpeg(data: bytes) -> bytes:
    exif = _exif_for(data, "JPEG")
    head, tail, at = [b"\xff\xd8"], list[bytes](), 2
    while (found := _JPEG_MARKER.search(data, at)) and data[found.end() - 1] != 0xD9:
        start, marker = found.start(), data[found.end() - 1]
        if marker in (0x01, 0xD8):  # stand-alone markers carry no length
            at = start + 2
            continue
        at = start + 2 + struct.unpack_from(">H", data, start + 2)[0]
        segment = _kept_jpeg_segment(marker, data[start:at])
        (head if segment.startswith(b"\xff\xe0") else tail).append(segment)
        if marker == 0xDA:  # entropy-coded data runs to the next marker
            found = _JPEG_MARKER.search(data, at)
            end = found.start() if found else len(data)
            tail.append(data[at:end])
            at = end
    if exif:
        head.append(b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif)
    return b"".join([*head, *tail, b"\xff\xd9"])


def _kept_jpeg_segment(marker: int, segment: bytes) -> bytes:
    """The segment as it is to be stored: whole, without its thumbnail, or b""."""
    body = segment[4:]
    if marker == 0xE0 and body.startswith(b"JFIF\0"):
        # Its last bytes may hold a thumbnail of the picture before it was cropped.
        return b"\xff\xe0\0\x10" + body[:12].ljust(12, b"\0") + b"\0\0"
    profile = marker == 0xE2 and body.startswith(b"ICC_PROFILE\0")
    adobe = marker == 0xEE and body.startswith(b"Adobe")
    return segment if marker < 0xE0 or profile or adobe else b""


def _strip_webp(data: bytes) -> bytes:
    exif = _exif_for(data, "WEBP")
    parts, at, end = list[bytes](), 12, min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    while at + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if name == b"VP8X":
            flags = body[0] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if exif else 0)
            body = bytes([flags]) + body[1:]
        if name in _WEBP_KEPT:
            parts.append(_webp_chunk(name, body))
        at += 8 + length + length % 2
    if exif:
        parts.append(_webp_chunk(b"EXIF", exif))
    payload = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(payload)) + payload


def _webp_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)


def _strip_tiff(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        turned = orientation(image)
    return strip_tiff(data, turned) or _rewrite(data, "TIFF")


def _rewrite(data: bytes, kind: str) -> bytes:
    """The decoded pixels stored anew in a lossless container that has room for nothing else."""
    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        image.load()
        clean = image.copy()
    clean.info = {}
    if kind == "BMP" and clean.mode == "RGBA":
        return _bmp_with_alpha(clean)
    target = io.BytesIO()
    clean.save(target, kind)
    return target.getvalue()


def _bmp_with_alpha(image: Image.Image) -> bytes:
    """A 32-bit BMP with an alpha mask (version 4 header), which Pillow reads but does not write."""
    header, masks = 14 + 108, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    pixels = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).tobytes("raw", "BGRA")
    start = struct.pack("<2sIII", b"BM", header + len(pixels), 0, header)
    size = struct.pack("<IiiHHIIiiII", 108, *image.size, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    return start + size + struct.pack("<4I4s48x", *masks, b"BGRs") + pixels


_STRIPPERS: dict[str, Callable[[bytes], bytes]] = {
    "PNG": _strip_png,
    "JPEG": _strip_jpeg,
    "WEBP": _strip_webp,
    "TIFF": _strip_tiff,
    "BMP": lambda data: _rewrite(data, "BMP"),
    "PPM": lambda data: _rewrite(data, "PPM"),
}
