"""What a file is, told by its first bytes and never by its name."""

from __future__ import annotations

from augmint.core.errors import SampleError

# Magic bytes of the formats we decode; the names are Pillow's.
_READ = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    **{f"P{n}".encode(): "PPM" for n in range(1, 7)},
}
# Formats we know but refuse, so that the reason can name them.
_REFUSED = {
    b"GIF8": "GIF",
    b"%!PS": "PostScript (EPS)",
    b"\xc5\xd0\xd3\xc6": "PostScript (EPS)",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\0\0\x01\0": "Windows icon",
    b"DDS ": "DDS",
    b"qoif": "QOI",
    b"PK\x03\x04": "ZIP archive",
    b"\x1f\x8b": "gzip archive",
    b"\x80\x04": "pickle",
    b"\x80\x05": "pickle",
}


def identify(data: bytes) -> str:
    """Pillow's name of the picture format these bytes are in.

    Returns:
        One of PNG, JPEG, WEBP, TIFF, BMP, PPM.

    Raises:
        SampleError: the file is empty, of a format that is not read, or no picture at all.
    """
    if not data:
        raise SampleError("empty file")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    for magic, name in _READ.items():
        if data.startswith(magic):
            return name
    for magic, name in _REFUSED.items():
        if data.startswith(magic):
            raise SampleError("file type not read", name)
    if data[4:8] == b"ftyp":
        raise SampleError("file type not read", "HEIC, AVIF or video")
    raise SampleError("not a picture", "it is text" if _is_text(data[:512]) else "unknown first bytes")


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in head)
