"""Metadata goes, pixels stay: planted names are looked for byte by byte."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from augmint.core.errors import SampleError
from augmint.formats.images import read_image, strip_metadata
from pictures import PNG_MAGIC, chunk, encode, noise, png, smooth, tiff16

PLANTED = b"SECRET"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf>SECRET-XMP-NAME</rdf></x:xmpmeta>'
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(turned=1):
    block = Image.Exif()
    block[0x0112] = turned
    block[0x010E] = "SECRET-DESCRIPTION"
    block[0x013B] = "SECRET-ARTIST"
    block.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 12.5), 29: "SECRET-GPS"})
    return block


def text_chunks():
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "SECRET-TEXT")
    info.add_text("Comment", "SECRET-ZTXT", zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return info


def rich(kind, turned=1):
    """A picture of this kind with everything an editor may add."""
    image = Image.fromarray(smooth())
    if kind == "PNG":
        data = encode(image, kind, exif=exif(turned), pnginfo=text_chunks(), icc_profile=PROFILE, dpi=(72, 72))
        extra = chunk(b"tIME", bytes(7)) + chunk(b"prVt", b"SECRET-PRIVATE")
        return data[:33] + extra + data[33:] + b"SECRET-TRAILER"
    if kind == "JPEG":
        data = encode(image, kind, exif=exif(turned), xmp=XMP, comment=b"SECRET-COM", icc_profile=PROFILE)
        iptc = b"Photoshop 3.0\x008BIMSECRET-IPTC"
        return data[:2] + b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc + data[2:] + b"SECRET-TRAILER"
    if kind == "WEBP":
        return encode(image, kind, exif=exif(turned), xmp=XMP, icc_profile=PROFILE, quality=90) + b"SECRET-TRAILER"
    tags = {270: "SECRET-DESCRIPTION", 305: "SECRET-SOFTWARE", 315: "SECRET-ARTIST", 700: XMP, 65001: "SECRET-PRIV"}
    tags |= {274: turned, 33723: b"SECRET-IPTC"}
    return encode(image, "TIFF", tiffinfo=tags, icc_profile=PROFILE, compression="tiff_lzw") + b"SECRET-TRAILER"


def profile_of(data):
    with Image.open(io.BytesIO(data)) as image:
        return image.info.get("icc_profile")


def same_content(before, after):
    old, old_info = read_image(before)
    new, new_info = read_image(after)
    assert old.dtype == new.dtype and np.array_equal(old, new)
    assert old_info == new_info


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_planted_strings_go_and_pixels_stay(kind, turned):
    data = rich(kind, turned)
    assert PLANTED in data
    clean = strip_metadata(data)
    assert PLANTED not in clean and b"adobe:ns:meta" not in clean
    same_content(data, clean)
    assert profile_of(clean) == PROFILE
    with Image.open(io.BytesIO(clean)) as image:
        assert set(image.getexif()) - {256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 296} <= {
            274,
            34675,
            317,
        }
        assert not image.getexif().get_ifd(0x8825)
    assert strip_metadata(clean) == clean


def test_compressed_text_goes():
    clean = strip_metadata(rich("PNG"))
    assert not any(name in clean for name in (b"tEXt", b"zTXt", b"iTXt", b"tIME", b"prVt", b"eXIf"))


def test_orientation_in_xmp_alone_is_kept():
    xmp = b'<x:xmpmeta><rdf tiff:Orientation="6">SECRET</rdf></x:xmpmeta>'
    data = encode(smooth(), "WEBP", xmp=xmp, lossless=True)
    clean = strip_metadata(data)
    assert PLANTED not in clean
    same_content(data, clean)
    assert read_image(clean)[0].shape == (24, 16, 3)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"subsampling": 0}])
def test_jpeg_scans_are_copied(options):
    data = encode(noise((40, 56, 3)), "JPEG", comment=b"SECRET", **options)
    clean = strip_metadata(data)
    assert PLANTED not in clean and len(data) - len(clean) == 4 + len(b"SECRET")
    same_content(data, clean)


def test_jpeg_with_stand_alone_markers_and_no_end():
    plain = encode(smooth(), "JPEG")
    assert strip_metadata(plain[:-2] + b"\xff\x01" + plain[-2:]) == plain
    assert strip_metadata(plain[:2] + b"\xff\xff" + plain[2:]) == plain
    assert strip_metadata(plain[:-2]) == plain


def test_tiff_without_strip_sizes():
    """Old writers leave the byte counts out; the pixels are then stored anew."""
    data = encode(noise((9, 7)), "TIFF", tiffinfo={315: "SECRET"})
    data = data.replace(struct.pack("<HHI", 279, 4, 1), struct.pack("<HHI", 280, 4, 1))
    data = data.replace(struct.pack("<HHI", 279, 3, 1), struct.pack("<HHI", 280, 3, 1))
    clean = strip_metadata(data)
    assert PLANTED not in clean
    assert np.array_equal(read_image(clean)[0], noise((9, 7)))


def test_jpeg_thumbnails_go():
    plain = encode(smooth(), "JPEG")
    body = plain[6:18] + b"\x01\x02SECRET"
    jfif = plain[:2] + b"\xff\xe0" + struct.pack(">H", len(body) + 2) + body + plain[20:]
    jfxx = b"JFXX\0\x13SECRET"
    data = jfif[: 4 + len(body) + 2] + b"\xff\xe0" + struct.pack(">H", len(jfxx) + 2) + jfxx + plain[20:]
    clean = strip_metadata(data)
    assert clean == plain
    mpo = encode(Image.fromarray(smooth()), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    assert len(strip_metadata(mpo)) < len(mpo) - 200
    same_content(mpo, strip_metadata(mpo))


def test_cmyk_jpeg_keeps_the_adobe_marker():
    data = encode(Image.fromarray(smooth()).convert("CMYK"), "JPEG", comment=b"SECRET")
    assert b"Adobe" in strip_metadata(data) and PLANTED not in strip_metadata(data)
    same_content(data, strip_metadata(data))


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_data_is_copied(compression, big):
    data = encode(Image.fromarray(smooth(90, 80)), "TIFF", compression=compression, big_tiff=big,
                  tiffinfo={315: "SECRET"}, strip_size=2000)  # fmt: skip
    clean = strip_metadata(data)
    assert PLANTED not in clean
    same_content(data, clean)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I;16B"])
def test_tiff_modes(mode):
    raw = noise((9, 11), np.uint16).tobytes()
    image = Image.frombytes(mode, (11, 9), raw) if mode[0] == "I" else Image.fromarray(smooth()).convert(mode)
    data = encode(image, "TIFF", tiffinfo={315: "SECRET"})
    assert PLANTED not in strip_metadata(data)
    same_content(data, strip_metadata(data))


def test_tiff_keeps_sixteen_bit_colour():
    stored = noise((6, 8, 3), np.uint16)
    data = tiff16(stored)
    clean = strip_metadata(data)
    assert PLANTED in data and PLANTED not in clean
    assert stored.astype(">u2").tobytes() in clean
    same_content(data, clean)
    assert read_image(clean)[1]["bits"] == 16


def test_png_keeps_sixteen_bit_colour_and_transparency():
    stored = noise((6, 8, 3), np.uint16)
    data = png(stored, 16, 2, chunk(b"tEXt", b"Author\0SECRET") + chunk(b"gAMA", bytes([0, 0, 177, 143])))
    clean = strip_metadata(data)
    assert clean == png(stored, 16, 2, chunk(b"gAMA", bytes([0, 0, 177, 143])))
    grey = png(noise((4, 4, 1)), 8, 0, chunk(b"tRNS", b"\0\x05"))
    assert strip_metadata(grey) == grey


@pytest.mark.parametrize("image", [smooth(), noise((5, 7)), noise((5, 7), np.uint16)], ids=["rgb", "grey", "grey16"])
def test_ppm_comments_go(image):
    data = encode(image, "PPM")
    noted = data[:3] + b"# SECRET comment\n" + data[3:]
    assert PLANTED not in strip_metadata(noted)
    same_content(noted, strip_metadata(noted))


def test_plain_ppm():
    data = b"P3\n# SECRET\n2 1 255\n1 2 3 # SECRET again\n4 5 6\n"
    clean = strip_metadata(data)
    assert PLANTED not in clean
    assert read_image(clean)[0].tolist() == [[[1, 2, 3], [4, 5, 6]]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_gap_and_trailer_go(mode):
    data = encode(Image.fromarray(smooth()).convert(mode), "BMP") + b"SECRET"
    clean = strip_metadata(data)
    assert PLANTED not in clean
    same_content(data, clean)


def test_bmp_alpha_is_kept():
    pixels = noise((5, 7, 4))
    bgra = pixels[::-1, :, [2, 1, 0, 3]].tobytes()
    head = struct.pack("<2sIII", b"BM", 138 + len(bgra) + 6, 0, 144)
    size = struct.pack("<IiiHHIIiiII", 124, 7, 5, 1, 32, 3, len(bgra), 0, 0, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    data = head + size + masks + bytes(124 - 56) + b"SECRET" + bgra
    assert np.array_equal(read_image(data)[0], pixels)
    assert PLANTED not in strip_metadata(data)
    same_content(data, strip_metadata(data))


@pytest.mark.parametrize("data", [b"", b"hello", PNG_MAGIC, b"\xff\xd8\xff", b"II*\0", b"RIFF\0\0\0\0WEBP", b"GIF89a"])
def test_bad_bytes_are_sample_errors(data):
    with pytest.raises(SampleError):
        strip_metadata(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF"]), st.integers(0, 10**6), st.integers(0, 255))
def test_damage_raises_nothing_else(kind, place, value):
    data = bytearray(rich(kind))
    data[place % len(data)] = value
    try:
        strip_metadata(bytes(data))
    except SampleError as error:
        assert error.reason
