"""Pictures as arrays: safe decoding of untrusted bytes, and a PNG writer that stores pixels and nothing else."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from augmint.core.errors import SampleError
from augmint.formats.kinds import identify
from augmint.formats.scrub import orientation, png_chunks
from augmint.formats.scrub import strip_metadata as strip_metadata

Pixels = npt.NDArray[np.uint8 | np.uint16]

MAX_PIXELS = 64_000_000
# Pillow's mode -> the mode the array is made from; modes not listed become RGB.
_MODE = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "RGBA": "RGBA", "RGBa": "RGBA", "PA": "RGBA"}
_MODE_WITH_ALPHA = {"L": "LA", "P": "RGBA", "RGB": "RGBA"}
_NOT_READ = {"I": "32-bit integers", "F": "floating point"}


def read_image(data: bytes) -> tuple[Pixels, dict[str, Any]]:
    """Decode one picture.

    Args:
        data: the file's bytes; PNG, JPEG, WebP, TIFF, BMP or PPM, whatever its name says.

    Returns:
        pixels: ``(H, W)`` uint8 or uint16, or ``(H, W, C)`` uint8 with C = 2 (grey, alpha), 3 or 4 (RGB, alpha);
            turned upright as EXIF says.
        info: ``format``, ``mode`` (Pillow's, as stored), ``bits`` a channel as stored; ``reduced`` says what was
            lost where Pillow cannot hold the stored depth; ``orientation`` where it was not 1.

    Raises:
        SampleError: with one short reason: empty file, file type not read, not a picture, cut short, damaged,
            zero size, too large (bomb?), animated or several pages, pixel type not read.
    """
    kind = identify(data)
    _check_bytes(kind, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of oddities in metadata that we do not use
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                _check_header(image)
                return _decode(image, kind, data)
    except SampleError:
        raise
    except Image.DecompressionBombError as error:
        raise SampleError("too large (bomb?)", str(error)) from error
    except Exception as error:  # untrusted bytes: whatever a decoder raises is a fault of the file
        cut = isinstance(error, EOFError) or "truncated" in str(error).lower()
        raise SampleError("cut short" if cut else "damaged", str(error)) from error


def write_png(pixels: npt.NDArray[Any]) -> bytes:
    """Store an array as PNG without metadata; equal arrays give equal bytes.

    Args:
        pixels: ``(H, W)`` uint8 or uint16, or ``(H, W, C)`` uint8 with C = 1 (stored as ``(H, W)``), 2, 3 or 4.

    Raises:
        ValueError: another shape or type; nothing is ever rounded or clipped here.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    grey = pixels.ndim == 2 and pixels.dtype in (np.uint8, np.uint16)
    colour = pixels.ndim == 3 and pixels.shape[2] in (2, 3, 4) and pixels.dtype == np.uint8
    if not (grey or colour) or 0 in pixels.shape:
        raise ValueError(
            f"got: pixels of shape {pixels.shape}, {pixels.dtype}; "
            "expected: (H, W) uint8 or uint16, or (H, W, 1 to 4) uint8, not empty"
        )
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(target, "PNG", compress_level=6)
    return target.getvalue()


def _check_bytes(kind: str, data: bytes) -> None:
    """Faults that Pillow would miss or hide behind another message."""
    if kind == "PNG":
        if len(data) >= 24 and 0 in struct.unpack_from(">II", data, 16):
            raise SampleError("zero size")
        # Pillow reads a PNG whose end is missing as long as the pixels are there; a cut file is a cut file.
        for _ in png_chunks(data):
            pass
    if kind == "WEBP" and struct.unpack_from("<I", data, 4)[0] + 8 > len(data):
        raise SampleError("cut short", "fewer bytes than the header says")


def _check_header(image: Image.Image) -> None:
    """Refuse by size, frames and pixel type before anything is decoded."""
    width, height = image.size
    tiff_tags = getattr(image, "tag_v2", {})
    tile = int(tiff_tags.get(322, 0)) * int(tiff_tags.get(323, 0))
    if max(width * height, tile) > MAX_PIXELS:
        raise SampleError("too large (bomb?)", f"{width} x {height} pixels, limit {MAX_PIXELS // 1_000_000} megapixels")
    frames = getattr(image, "n_frames", 1)
    # Phones store a depth map or a preview behind the picture (MPO); the first frame is the picture.
    if frames > 1 and image.format != "MPO":
        raise SampleError("animated or several pages", f"{frames} frames")
    if (image.mode in _NOT_READ and image.format != "PPM") or image.mode == "F":
        raise SampleError("pixel type not read", _NOT_READ[image.mode])


def _decode(image: Image.Image, kind: str, data: bytes) -> tuple[Pixels, dict[str, Any]]:
    bits = _bits(image, kind, data)
    info: dict[str, Any] = {"format": kind, "mode": image.mode, "bits": bits}
    image.load()
    turned = orientation(image)  # after loading: Pillow turns TIFFs by itself then, and clears the tag
    pixels = _upright(_array(image, kind, data), turned)
    if turned != 1:
        info["orientation"] = turned
    if bits > 8 * pixels.dtype.itemsize:
        info["reduced"] = f"{bits} bits a channel read as 8"
    return np.ascontiguousarray(pixels), info


def _array(image: Image.Image, kind: str, data: bytes) -> Pixels:
    if image.mode == "I" or image.mode.startswith("I;16"):
        # PPM greys of more than 8 bits come as "I", scaled to 16 bits.
        return np.asarray(image).astype(np.uint16)
    mode = _MODE.get(image.mode, "RGB")
    if image.has_transparency_data:
        mode = _MODE_WITH_ALPHA.get(image.mode, mode)
    if kind == "PNG" and image.mode == "RGBA" and data[25] == 4:
        mode = "LA"  # 16-bit grey with alpha: Pillow widens it to RGBA
    return np.asarray(image if image.mode == mode else image.convert(mode))


def _upright(pixels: Pixels, turned: int) -> Pixels:
    """Apply EXIF orientation 1 to 8 to ``(H, W, ...)``."""
    if turned >= 5:
        pixels = pixels.swapaxes(0, 1)
    if turned in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turned in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _bits(image: Image.Image, kind: str, data: bytes) -> int:
    """Bits a channel as stored."""
    if kind == "PNG":
        return data[24]
    if kind == "TIFF":
        stored = getattr(image, "tag_v2", {}).get(258, (1,))
        return max(stored) if isinstance(stored, tuple) else int(stored)
    if image.mode == "1":
        return 1
    if kind == "PPM":
        arguments = getattr(image, "tile", [(None, None, 0, None)])[0][3]
        deep = image.mode == "I" or (isinstance(arguments, tuple) and int(arguments[1]) > 255)
        return 16 if deep else 8
    return 8
