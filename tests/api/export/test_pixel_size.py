"""Pixel sizes that cannot be written are left out with a notice; all others are kept."""

import json
import math

import numpy as np
import pytest
import tifffile

from napari_bitsnet.api.export.pixel_size import writable_calibration
from napari_bitsnet.api.export.writing import write_image
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_image

BAD = [math.nan, math.inf, -math.inf, 0.0, -4.0, 1e-11, 1e11]


@pytest.mark.parametrize("kind", ["imagej", "ome"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", BAD)
def test_sizes_that_no_file_holds_are_left_out(size, axis, kind):
    sizes = [4.0, 4.0]
    sizes[axis] = size
    found, notices = writable_calibration(Calibration((sizes[0], sizes[1]), "mm"), kind)
    assert found is None
    assert "Expected a pixel size that is a finite number above 0" in notices[0]
    assert "pixels per mm" in notices[0]


@pytest.mark.parametrize("step", [math.nan, math.inf, 0.0, -1.0])
def test_a_distance_between_slices_is_left_out_alone(step):
    found, notices = writable_calibration(Calibration((4.0, 2.0), "mm", step), "ome")
    assert found == Calibration((4.0, 2.0), "mm")
    assert "Expected a distance between slices" in notices[0]


@pytest.mark.parametrize("kind", ["imagej", "ome"])
@pytest.mark.parametrize("unit", ["\x00", "\ud800", "a\nb=c", "<&>", "µm", "лм", ""])
def test_units_are_any_text_and_cost_no_result(tmp_path, unit, kind):
    given = Calibration((4.0, 2.0), unit)
    found, notices = writable_calibration(given, kind)
    assert (found is None) == bool(notices)
    image = np.random.default_rng(0).random((5, 6)).astype(np.float32)
    write_image(tmp_path / "a.tif", image, "YX", found, format=kind)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), image)


@pytest.mark.parametrize("kind", ["imagej", "ome"])
@pytest.mark.parametrize("given", [Calibration((1e6, 3e-6), "mm"), Calibration((4.0, 2.5), "mm", 0.5)])
def test_good_ones_come_back(tmp_path, given, kind):
    found, notices = writable_calibration(given, kind)
    assert (found, notices) == (given, [])
    write_image(tmp_path / "a.tif", np.zeros((3, 5, 6), np.float32), "ZYX", found, format=kind)
    read = read_image(tmp_path / "a.tif").calibration
    assert read is not None
    np.testing.assert_allclose(read.per_unit, given.per_unit, rtol=1e-6)


def test_it_is_said_recorded_and_the_result_is_written(toy_result, tmp_path):
    with pytest.warns(
        UserWarning, match="Expected a pixel size that is a finite number above 0, got nan x 4"
    ):
        files = toy_result.save(tmp_path, calibration=Calibration((math.nan, 4.0), "micron"))
    record = json.loads(files[-1].read_text(), parse_constant=pytest.fail)
    assert any("pixel size" in text for text in record["warnings"])
    assert read_image(files[0]).calibration is None
