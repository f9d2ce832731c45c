"""Pixel sizes as TIFF's tags say them."""

import numpy as np
import pytest
import tifffile

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_image


@pytest.mark.parametrize("unit", ["micron", "um", "mm", "nm", "m", "cm", "inch"])
def test_lengths_that_tiff_does_not_know_are_written_in_centimetres(tmp_path, unit):
    metres = {"micron": 1e-6, "um": 1e-6, "mm": 1e-3, "nm": 1e-9, "m": 1.0, "cm": 1e-2, "inch": 0.0254}
    pixel = 25e-6  # metres
    known = Calibration((metres[unit] / pixel, 2 * metres[unit] / pixel), unit)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.uint8), **known.tiff_tags())
    read = read_image(tmp_path / "a.tif").calibration
    assert read is not None
    np.testing.assert_allclose([metres[read.unit] / n for n in read.per_unit], [pixel, pixel / 2], rtol=1e-6)
