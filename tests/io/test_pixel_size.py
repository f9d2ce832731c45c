"""How large a pixel is, in all the ways in which files say it or do not."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_bitsnet.io.calibration import Calibration, from_sizes, from_tags
from napari_bitsnet.io.read import read_file_calibration, read_image

GREY = np.random.default_rng(8).integers(0, 256, (20, 30), dtype=np.uint8)
METRES = {
    **{"pm": 1e-12, "Å": 1e-10, "nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0},
    **{"in": 0.0254, "ft": 0.3048, "thou": 2.54e-5},
}


def write_ome(path, stack, **sizes):
    tifffile.imwrite(
        path, stack, ome=True, photometric="minisblack", metadata={"axes": "ZYX"[-stack.ndim :], **sizes}
    )


def in_metres(calibration):
    """Sizes of a pixel along x, y and z."""
    unit = METRES[{"micron": "µm", "inch": "in"}.get(calibration.unit, calibration.unit)]
    return [unit / n for n in calibration.per_unit] + [unit * (calibration.z_step or np.nan)]


@pytest.mark.parametrize("x", METRES)
@pytest.mark.parametrize("y", ["µm", "mm", "in"])
def test_ome_axes_in_units_of_their_own(tmp_path, x, y):
    sizes = {"X": 3e-5 / METRES[x], "Y": 6e-5 / METRES[y], "Z": 2e-3 / METRES["mm"]}
    units = {"X": x, "Y": y, "Z": "mm"}
    write_ome(
        tmp_path / "a.tif",
        np.stack([GREY] * 3),
        **{f"PhysicalSize{a}": size for a, size in sizes.items()},
        **{f"PhysicalSize{a}Unit": unit for a, unit in units.items()},
    )
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_allclose(in_metres(file.calibration), [3e-5, 6e-5, 2e-3], rtol=1e-9)
    assert file.calibration == read_file_calibration(tmp_path / "a.tif")
    assert file.notices == ()


def test_equal_sizes_in_two_units_are_equal_numbers():
    size = from_sizes({"X": (50.0, "µm"), "Y": (0.05, "mm"), "Z": (0.001, "m")})
    assert size == Calibration((0.02, 0.02), "micron", 1000.0)


@pytest.mark.parametrize("unit", ["pixel", "reference frame", "parsec-ish"])
def test_sizes_that_are_no_lengths(tmp_path, unit):
    write_ome(tmp_path / "a.tif", GREY, PhysicalSizeX=2.0, PhysicalSizeXUnit=unit)
    assert read_image(tmp_path / "a.tif").calibration is None
    write_ome(tmp_path / "b.tif", GREY, PhysicalSizeX=2.0, PhysicalSizeY=2.0, PhysicalSizeYUnit=unit)
    assert read_image(tmp_path / "b.tif").calibration is None


@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1", "1e-320", "wide"])
def test_ome_sizes_that_are_no_numbers_are_left_out_and_said(tmp_path, value):
    write_ome(tmp_path / "a.tif", GREY, PhysicalSizeX=2.0, PhysicalSizeXUnit="mm")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        xml = tiff.ome_metadata.replace('PhysicalSizeX="2.0"', f'PhysicalSizeX="{value}"')
        tiff.pages.first.tags["ImageDescription"].overwrite(xml.encode())
    file = read_image(tmp_path / "a.tif")
    assert file.calibration is None
    assert file.notices == (
        f"a.tif says PhysicalSizeX {value}, which is no length; that pixel size is left out.",
    )


@pytest.mark.parametrize(
    ("x", "y", "unit", "expected"),
    [
        ((300, 1), (150, 1), 2, Calibration((300, 150), "inch")),
        ((3000, 10), (150, 1), 3, Calibration((300, 150), "cm")),
        (300.0, 150.0, 2, Calibration((300, 150), "inch")),
        ((300.0,), (150.0,), (2, 2), Calibration((300, 150), "inch")),
        (300, 150, None, Calibration((300, 150), "inch")),
        (300, 150, 1, Calibration((300, 150), "")),
        (300, 150, 99, Calibration((300, 150), "")),
        ((1, 1), (1, 1), 1, None),
        ((300, 0), (300, 1), 2, None),
        ((0, 1), (300, 1), 2, None),
        (float("nan"), 300, 2, None),
        (float("inf"), 300, 2, None),
        ("many", 300, 2, None),
        (None, None, 2, None),
        ((), 300, 2, None),
    ],
)
def test_tags_of_any_type(x, y, unit, expected):
    assert from_tags(x, y, 2 if unit == (2, 2) else unit) == expected


@pytest.mark.parametrize("code", [3, 4, 5, 9, 10, 11, 12])
def test_resolution_tags_of_other_types_cost_no_pixels(tmp_path, code):
    tifffile.imwrite(tmp_path / "a.tif", GREY, metadata=None, resolution=(1, 1), resolutionunit="INCH")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tags = tiff.pages.first.tags
        for name in ("XResolution", "YResolution"):
            tags[name].overwrite((300, 1) if code in (5, 10) else 300, dtype=code)
        tags["ResolutionUnit"].overwrite((2, 2), dtype=3)
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, GREY)
    assert file.calibration == Calibration((300, 300), "inch")


@pytest.mark.parametrize("unit", ["\\u00B5m", "micron", "um"])
def test_units_as_imagej_writes_them(tmp_path, unit):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.stack([GREY] * 3),
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": "ZYX", "unit": unit, "spacing": 3.0},
    )
    assert read_image(tmp_path / "a.tif").calibration == Calibration(
        (4, 2), unit if unit == "um" else "micron", 3
    )


@pytest.mark.parametrize(
    "metadata", [{"unit": "pixel"}, {"unit": "pixel", "spacing": 1.0}, {"spacing": 1.0}, {}]
)
def test_defaults_of_imagej_are_no_pixel_size(tmp_path, metadata):
    tifffile.imwrite(
        tmp_path / "a.tif", np.stack([GREY] * 3), imagej=True, metadata={"axes": "ZYX", **metadata}
    )
    assert read_image(tmp_path / "a.tif").calibration is None


def exif(x=None, unit=None):
    tags = Image.Exif()
    tags[305] = "a camera"
    if x is not None:
        tags[282], tags[283] = x, x
    if unit is not None:
        tags[296] = unit
    return tags


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"exif": exif()}, None),
        ({"exif": exif(72, 2)}, None),
        ({"exif": exif(72)}, None),
        ({"exif": exif(300, 2)}, Calibration((300, 300), "inch")),
        ({"exif": exif(72, 3)}, Calibration((72, 72), "cm")),
        ({"dpi": (72, 72)}, Calibration((72, 72), "inch")),
        ({"dpi": (300, 300), "exif": exif(72, 2)}, Calibration((300, 300), "inch")),
    ],
)
def test_jpeg_says_no_more_than_its_file(tmp_path, options, expected):
    Image.fromarray(GREY).save(tmp_path / "a.jpg", **options)
    assert read_image(tmp_path / "a.jpg").calibration == expected
    assert read_file_calibration(tmp_path / "a.jpg") == expected
