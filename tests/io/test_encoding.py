"""Files say whether their values are sRGB, linear in light, or neither: ICC, EXIF, PNG's chunks."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, TiffImagePlugin

from napari_bitsnet.io.encoding import encoding_of_profile, light_of_srgb
from napari_bitsnet.io.read import read_image

RGB = np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def profile(curve: bytes, name: bytes = b"gTRC") -> bytes:
    """A profile that holds nothing but a curve."""
    return bytes(128) + struct.pack(">I4sII", 1, name, 144, len(curve)) + curve


def sampled(*numbers: int) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(numbers)}H", len(numbers), *numbers)


def parametric(kind: int, *numbers: float) -> bytes:
    return (
        b"para" + bytes(4) + struct.pack(f">HH{len(numbers)}i", kind, 0, *(round(65536 * n) for n in numbers))
    )


TABLE = [round(65535 * light) for light in light_of_srgb(np.linspace(0, 1, 1024))]
SRGB_NUMBERS = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PROFILES = [
    (SRGB, "srgb"),
    (profile(sampled(*TABLE)), "srgb"),
    (profile(parametric(3, *SRGB_NUMBERS)), "srgb"),
    (profile(parametric(4, *SRGB_NUMBERS, 0, 0), b"kTRC"), "srgb"),
    (profile(sampled()), "linear"),
    (profile(sampled(256)), "linear"),
    (profile(parametric(0, 1)), "linear"),
    (profile(sampled(0, 65535)), "linear"),
    (profile(sampled(563)), "other"),  # 2.2, as Adobe RGB has it
    (profile(parametric(0, 1.8)), "other"),
    (profile(parametric(1, 2.4, 1 / 1.2, 0.2 / 1.2)), "other"),
    (profile(parametric(2, 1.0, 0.5, 0.25, 0.25)), "other"),
    (profile(sampled(), b"A2B0"), "other"),
    (b"", None),
    (b"no profile", None),
    (profile(b"curv" + bytes(4) + b"\xff\xff\xff\xff"), None),
    (profile(parametric(9, 1)), None),
]


@pytest.mark.parametrize(("contents", "expected"), PROFILES)
def test_profiles(contents, expected):
    assert encoding_of_profile(contents) == expected


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize(
    ("contents", "expected"), [(SRGB, "srgb"), (profile(sampled()), "linear"), (None, None)]
)
def test_files_with_a_profile(tmp_path, suffix, contents, expected):
    path = tmp_path / f"a.{suffix}"
    if suffix == "tif":
        tifffile.imwrite(path, RGB, photometric="rgb", iccprofile=contents)
    else:
        Image.fromarray(RGB).save(path, icc_profile=contents)
    assert read_image(path).encoding == expected


@pytest.mark.parametrize(("space", "expected"), [(1, "srgb"), (2, "other"), (65535, "other"), (None, None)])
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_exif_names_the_colour_space(tmp_path, suffix, space, expected):
    own = {} if space is None else {40961: space}
    if suffix == "tif":
        info = TiffImagePlugin.ImageFileDirectory_v2()
        info[34665] = {36864: b"0230", **own}
        Image.fromarray(RGB).save(tmp_path / "a.tif", tiffinfo=info)
    else:
        exif = Image.Exif()
        exif[305] = "a camera"
        exif.get_ifd(34665).update(own)
        Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / f"a.{suffix}").encoding == expected


def test_a_profile_goes_before_exif(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(34665)[40961] = 1
    Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=exif, icc_profile=profile(sampled()))
    assert read_image(tmp_path / "a.jpg").encoding == "linear"


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ({b"sRGB": b"\0"}, "srgb"),
        ({b"gAMA": struct.pack(">I", 45455)}, "srgb"),
        ({b"gAMA": struct.pack(">I", 100000)}, "linear"),
        ({b"gAMA": struct.pack(">I", 55556)}, "other"),
        ({b"cICP": bytes([1, 8, 0, 1]), b"sRGB": b"\0"}, "linear"),
        ({b"cICP": bytes([12, 13, 0, 1])}, "srgb"),
        ({b"cICP": bytes([9, 16, 0, 1])}, "other"),
        ({b"iCCP": b"name\0\0" + zlib.compress(profile(sampled())), b"gAMA": bytes(4)}, "linear"),
        ({b"iCCP": b"name\0\0damaged"}, None),
    ],
)
def test_chunks_of_png(tmp_path, chunks, expected):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    contents = (tmp_path / "a.png").read_bytes()
    own = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )
    (tmp_path / "a.png").write_bytes(contents[:33] + own + contents[33:])  # behind the header
    assert read_image(tmp_path / "a.png").encoding == expected
