"""Decoding: every pixel type keeps its values, every bad file has its own reason."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps

from augmint.core.errors import SampleError
from augmint.formats.images import read_image, write_png
from pictures import PNG_MAGIC, chunk, encode, noise, png, png_bomb, smooth
from support import peak_growth

GIF = encode(Image.new("P", (4, 4)), "GIF")
FRAMES = [Image.fromarray(noise((8, 8, 3), seed=n)) for n in range(3)]


def animated(kind):
    return encode(FRAMES[0], kind, save_all=True, append_images=FRAMES[1:])


def flip(data, start, stop):
    return data[:start] + bytes(255 - byte for byte in data[start:stop]) + data[stop:]


BAD = {
    "empty": (b"", "empty file"),
    "text": (b"file_name,label\na.png,cat\n", "not a picture"),
    "bytes": (bytes(range(1, 200)), "not a picture"),
    "cut-png": (encode(noise((64, 64, 3)), "PNG")[:3000], "cut short"),
    "cut-png-end": (encode(noise((64, 64, 3)), "PNG")[:-6], "cut short"),
    "cut-jpeg": (encode(noise((64, 64, 3)), "JPEG")[:2000], "cut short"),
    "cut-webp": (encode(noise((64, 64, 3)), "WEBP")[:1000], "cut short"),
    "cut-bmp": (encode(noise((64, 64, 3)), "BMP")[:3000], "cut short"),
    "cut-ppm": (encode(noise((64, 64, 3)), "PPM")[:3000], "cut short"),
    "zero-header": (PNG_MAGIC + chunk(b"IHDR", bytes(7) + b"\x05" + bytes(5)) + chunk(b"IEND", b""), "zero size"),
    "magic-only": (PNG_MAGIC + chunk(b"IEND", b""), "damaged"),
    "wrong-length": (encode(noise((64, 64, 3)), "PNG").replace(b"IDAT", b"IDAT\0\0\0", 1), "cut short"),
    "flipped-png": (flip(encode(noise((64, 64, 3)), "PNG"), 200, 260), "damaged"),
    "zero": (png(np.zeros((0, 5, 3)), 8, 2), "zero size"),
    "bomb": (png_bomb(), "too large (bomb?)"),
    "bomb-8001": (png_bomb(8001, 8000), "too large (bomb?)"),
    "bomb-bmp": (struct.pack("<2sIIIIiiHHIIiiII", b"BM", 60, 0, 54, 40, 30000, 30000, 1, 24, 0, 0, 0, 0, 0, 0),
                 "too large (bomb?)"),
    "gif": (GIF, "file type not read"),
    "animated-gif": (animated("GIF"), "file type not read"),
    "animated-webp": (animated("WEBP"), "animated or several pages"),
    "apng": (animated("PNG"), "animated or several pages"),
    "pages": (animated("TIFF"), "animated or several pages"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "file type not read"),
    "pdf": (b"%PDF-1.7\n", "file type not read"),
    "pickle": (b"\x80\x04\x95", "file type not read"),
    "heic": (b"\0\0\0\x18ftypheic", "file type not read"),
    "float": (encode(Image.new("F", (4, 4)), "TIFF"), "pixel type not read"),
    "int32": (encode(Image.new("I", (4, 4)), "TIFF"), "pixel type not read"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_file_has_its_reason(name):
    data, reason = BAD[name]
    with pytest.raises(SampleError) as caught:
        read_image(data)
    assert caught.value.reason == reason


def test_refusal_names_the_type():
    with pytest.raises(SampleError, match=r"PostScript"):
        read_image(BAD["eps"][0])
    with pytest.raises(SampleError, match=r"it is text"):
        read_image(BAD["text"][0])


def test_bombs_take_no_memory():
    def read() -> None:
        for name in ("bomb", "bomb-8001", "bomb-bmp"):
            with pytest.raises(SampleError):
                read_image(BAD[name][0])

    assert peak_growth(read) < 100_000_000


def test_tiff_tile_bomb():
    fields = {256: 8, 257: 8, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60_000, 323: 60_000, 324: 8, 325: 9}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    data = b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(64)
    with pytest.raises(SampleError) as caught:
        read_image(data)
    assert caught.value.reason == "too large (bomb?)"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([PNG_MAGIC, b"\xff\xd8\xff", b"II*\0", b"BM", b"P6\n", b"RIFF"]))
def test_random_bytes_raise_nothing_else(tail, magic):
    with pytest.raises(SampleError):
        read_image(magic + tail)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"]), st.integers(0, 10**6), st.integers(0, 255))
def test_one_wrong_byte_raises_nothing_else(kind, place, value):
    data = bytearray(encode(smooth(), kind))
    data[place % len(data)] = value
    try:
        pixels, info = read_image(bytes(data))
    except SampleError as error:
        assert error.reason
    else:
        assert pixels.dtype in (np.uint8, np.uint16) and info["format"]


def test_single_pixel():
    pixels, _ = read_image(encode(noise((1, 1, 3)), "PNG"))
    assert pixels.shape == (1, 1, 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_lossless_formats_keep_values(kind, shape):
    pixels, info = read_image(encode(noise(shape), kind))
    assert np.array_equal(pixels, noise(shape)) and pixels.dtype == np.uint8
    assert info == {"format": kind, "mode": "L" if len(shape) == 2 else "RGB", "bits": 8}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_is_kept(kind):
    pixels, info = read_image(encode(noise((5, 7), np.uint16), kind))
    assert np.array_equal(pixels, noise((5, 7), np.uint16)) and pixels.dtype == np.uint16
    assert info["bits"] == 16 and "reduced" not in info


def test_big_endian_tiff():
    image = Image.frombytes("I;16B", (7, 5), noise((5, 7), np.uint16).astype(">u2").tobytes())
    pixels, info = read_image(encode(image, "TIFF"))
    assert info["mode"] == "I;16B" and pixels.dtype == np.dtype("=u2")
    assert np.array_equal(pixels, noise((5, 7), np.uint16))


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bit_colour_says_what_was_lost(colour, channels):
    stored = noise((5, 7, channels), np.uint16)
    pixels, info = read_image(png(stored, 16, colour))
    assert pixels.shape == stored.shape
    assert np.array_equal(pixels, stored >> 8)
    assert info["bits"] == 16 and info["reduced"] == "16 bits a channel read as 8"


def test_one_bit_and_palette():
    checks = (np.indices((5, 7)).sum(0) % 2 * 255).astype(np.uint8)
    pixels, info = read_image(encode(Image.fromarray(checks).convert("1"), "PNG"))
    assert np.array_equal(pixels, checks) and info["bits"] == 1
    palette = Image.fromarray(smooth()).quantize(16)
    pixels, info = read_image(encode(palette, "PNG"))
    assert np.array_equal(pixels, np.asarray(palette.convert("RGB"))) and info["mode"] == "P"
    pixels, _ = read_image(encode(palette, "PNG", transparency=3))
    assert pixels.shape[2] == 4 and set(np.unique(pixels[..., 3])) == {0, 255}


def test_transparent_colour_becomes_alpha():
    grey = png(np.arange(12).reshape(3, 4, 1), 8, 0, chunk(b"tRNS", b"\0\x05"))
    pixels, _ = read_image(grey)
    assert pixels.shape == (3, 4, 2)
    assert (pixels[..., 1] == np.where(pixels[..., 0] == 5, 0, 255)).all()


@pytest.mark.parametrize("shape", [(5, 7, 2), (5, 7, 4)])
def test_alpha(shape):
    assert np.array_equal(read_image(encode(noise(shape), "PNG"))[0], noise(shape))


def test_cmyk_jpeg_is_not_inverted():
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixels, info = read_image(encode(red, "JPEG", quality=100))
    assert info["mode"] == "CMYK"
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 4


def test_lab_and_ycbcr_tiff():
    image = Image.fromarray(smooth())
    ycbcr, info = read_image(encode(image.convert("YCbCr"), "TIFF"))
    assert info["mode"] == "YCbCr" and np.abs(ycbcr.astype(int) - smooth()).max() <= 3
    white, info = read_image(encode(Image.new("LAB", (2, 2), (255, 128, 128)), "TIFF"))
    assert info["mode"] == "LAB" and white.min() >= 253


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_orientation_is_applied(kind, turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    data = encode(smooth(), kind, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    pixels, _ = read_image(data)
    assert np.array_equal(pixels, expected)
    assert pixels.shape == ((16, 24, 3) if turned < 5 else (24, 16, 3))


def test_broken_exif_does_not_lose_the_picture():
    pixels, _ = read_image(encode(smooth(), "JPEG", exif=b"Exif\0\0garbage that is no TIFF header"))
    assert pixels.shape == (16, 24, 3)


def test_broken_exif_in_text_does_not_lose_the_picture():
    note = chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 4\nno hex digits")
    pixels, info = read_image(png(smooth(), 8, 2, note))
    assert np.array_equal(pixels, smooth()) and "orientation" not in info


def test_second_picture_of_a_phone_is_no_animation():
    data = encode(Image.fromarray(smooth()), "MPO", save_all=True, append_images=[Image.new("RGB", (4, 4))])
    pixels, info = read_image(data)
    assert pixels.shape == (16, 24, 3) and info["format"] == "JPEG"


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(np.uint8, st.one_of(
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
        st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(2, 4)),
    ))
    | hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
)  # fmt: skip
def test_png_round_trip(pixels):
    data = write_png(pixels)
    back, _ = read_image(data)
    assert back.dtype == pixels.dtype and np.array_equal(back, pixels)
    assert write_png(back) == data == write_png(np.asfortranarray(pixels))


def test_png_holds_pixels_only():
    data, at, names = write_png(noise((9, 9, 3))), 8, []
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        names.append(name)
        at += 12 + length
    assert set(names) == {b"IHDR", b"IDAT", b"IEND"}


def test_single_channel_is_dropped():
    assert write_png(noise((5, 7, 1))) == write_png(noise((5, 7, 1))[:, :, 0])


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.float32), np.zeros((4, 4, 5), np.uint8), np.zeros((4, 4, 3), np.uint16),
     np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8), np.zeros((4, 4), bool)],
)  # fmt: skip
def test_png_refuses_what_it_cannot_hold(pixels):
    with pytest.raises(ValueError, match="expected:"):
        write_png(pixels)
