"""napari opens and saves DICOM, NIfTI and OME-Zarr by our readers and writers, with values and sizes of
pixels."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_bitsnet.api.files import read, save
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.widgets.layers.opening import get_reader, open_file, save_image
from tests.io.written import write_dicom

RNG = np.random.default_rng(5)
STACK = RNG.random((3, 20, 30)).astype(np.float32)
SIZE = Calibration((4.0, 2.0), "mm", 3.0)


def layer(path) -> Image:
    ((data, about, kind),) = get_reader(str(path))(str(path))
    assert kind == "image"
    return Image(data, **about)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.ome.zarr"])
def test_a_stack_has_its_values_and_sizes(tmp_path, name):
    save(tmp_path / name, STACK, axes="ZYX", calibration=SIZE)
    found = layer(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(found.data), STACK)
    np.testing.assert_allclose(found.scale, [3, 0.5, 0.25])
    assert [str(unit) for unit in found.units] == ["millimeter"] * 3


def test_dicom_is_in_the_units_of_the_modality(tmp_path):
    stored = RNG.integers(0, 4000, (20, 30), dtype=np.uint16)
    write_dicom(tmp_path / "a.dcm", stored, RescaleSlope=1, RescaleIntercept=-1024, PixelSpacing=[0.5, 0.25])
    found = layer(tmp_path / "a.dcm")
    np.testing.assert_array_equal(found.data, stored.astype(int) - 1024)
    np.testing.assert_allclose(found.scale, [0.5, 0.25])


def test_a_pyramid_is_a_multiscale_layer(tmp_path):
    large = RNG.integers(0, 255, (600, 700), dtype=np.uint8)
    save(tmp_path / "a.zarr", large, calibration=Calibration((2, 2), "micron"))
    found = layer(tmp_path / "a.zarr")
    assert found.multiscale
    assert [level.shape for level in found.data] == [(600, 700), (300, 350)]
    assert [str(unit) for unit in found.units] == ["micrometer"] * 2


def test_colours_are_colours(tmp_path):
    save(tmp_path / "a.zarr", RNG.random((20, 30, 3)).astype(np.float32))
    found = layer(tmp_path / "a.zarr")
    assert found.rgb
    assert found.data.shape == (20, 30, 3)


def test_what_napari_hands_over_as_a_stack_is_left_to_it(tmp_path):
    assert get_reader([str(tmp_path / "a.dcm"), str(tmp_path / "b.dcm")]) is None


def test_notices_are_shown(tmp_path):
    write_dicom(tmp_path / "a.dcm", STACK[0].astype(np.uint16), PhotometricInterpretation="MONOCHROME1")
    with pytest.warns(UserWarning, match="is shown inverted by other programs"):
        open_file(str(tmp_path / "a.dcm"))


@pytest.mark.parametrize("name", ["b.nii.gz", "b.nii", "b.zarr"])
@pytest.mark.parametrize("rgb", [False, True])
def test_layers_are_saved(tmp_path, name, rgb):
    data = RNG.random((20, 30, 3)).astype(np.float32) if rgb else STACK
    image = Image(
        data, scale=[0.5, 0.25] if rgb else [3, 0.5, 0.25], units=["mm"] * (2 if rgb else 3), rgb=rgb
    )
    written = save_image(str(tmp_path / name), *image.as_layer_data_tuple()[:2])
    assert written == [str(tmp_path / name)]
    file = read(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(file.channels_last), data)
    assert file.calibration.per_unit == pytest.approx((4, 2))
    assert file.calibration.z_step == (None if rgb else 3)
