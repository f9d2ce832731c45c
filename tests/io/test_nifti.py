"""NIfTI equals nibabel's own reading, with its affine, axes and units."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_bitsnet.api.files import read, save
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_file_calibration, read_image

SHIPPED = Path(nibabel.__file__).parent / "tests" / "data"
RNG = np.random.default_rng(2)
VOLUME = RNG.random((3, 4, 5)).astype(np.float32)
AFFINE = np.array([[0.0, -2.0, 0.0, 5.0], [0.5, 0.0, 0.0, 6.0], [0.0, 0.0, 3.0, 7.0], [0.0, 0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("anatomical.nii", "ZYX"),
        ("functional.nii", "TZYX"),  # scaled
        ("example4d.nii.gz", "TZYX"),
        ("example_nifti2.nii.gz", "TZYX"),
        ("standard.nii.gz", "ZYX"),
    ],
)
def test_values_and_affine_are_those_of_the_library(name, axes):
    file, expected = read_image(SHIPPED / name), nibabel.load(SHIPPED / name)
    np.testing.assert_array_equal(file.array, np.asanyarray(expected.dataobj).T)
    assert file.axes == axes
    np.testing.assert_array_equal(file.calibration.affine, expected.affine)
    x, y, z = nibabel.affines.voxel_sizes(expected.affine)
    assert (1 / file.calibration.per_unit[0], 1 / file.calibration.per_unit[1]) == pytest.approx((x, y))
    assert file.calibration.z_step == pytest.approx(z)
    assert file.calibration == read_file_calibration(SHIPPED / name)


@pytest.mark.parametrize(
    ("unit", "ours"), [("mm", "mm"), ("micron", "micron"), ("meter", "m"), ("unknown", "")]
)
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.Nifti1Pair])
def test_units(tmp_path, unit, ours, kind):
    image = kind(VOLUME.T, AFFINE)
    image.header.set_xyzt_units(unit)
    path = tmp_path / ("a.hdr" if kind is nibabel.Nifti1Pair else "a.nii")
    nibabel.save(image, path)
    file = read_image(path)
    np.testing.assert_array_equal(file.array, VOLUME)
    assert file.calibration.unit == ours
    assert (*file.calibration.per_unit, file.calibration.z_step) == pytest.approx((2, 0.5, 3))


def test_colours(tmp_path):
    colours = RNG.integers(0, 255, (2, 3, 4, 3), dtype=np.uint8)
    packed = np.ascontiguousarray(colours.transpose(2, 1, 0, 3)).view(
        [("R", "u1"), ("G", "u1"), ("B", "u1")]
    )[..., 0]
    nibabel.save(nibabel.Nifti1Image(packed, np.eye(4)), tmp_path / "a.nii")
    file = read_image(tmp_path / "a.nii")
    assert file.axes == "ZYXC"
    np.testing.assert_array_equal(file.array, colours)


def test_a_picture_has_two_axes(tmp_path):
    nibabel.save(nibabel.Nifti1Image(VOLUME[:1].T, AFFINE), tmp_path / "a.nii")
    assert read_image(tmp_path / "a.nii").axes == "YX"


def test_complex_values_are_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(VOLUME.T.astype(complex), AFFINE), tmp_path / "a.nii")
    with pytest.raises(ValueError, match="Expected a volume of real numbers"):
        read_image(tmp_path / "a.nii")


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int16", "int32"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_the_affine_of_the_input_is_written(tmp_path, dtype, suffix):
    source = nibabel.Nifti1Image((VOLUME.T * 100).astype(np.int16), AFFINE)
    source.header.set_xyzt_units("mm")
    nibabel.save(source, tmp_path / "in.nii")
    file = read(tmp_path / "in.nii")
    out = save(tmp_path / f"out{suffix}", file.array.astype(dtype), like=file, record={"task": "denoise"})
    written = nibabel.load(out)
    np.testing.assert_array_equal(written.affine, AFFINE)
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), np.asanyarray(source.dataobj))
    assert written.get_data_dtype() == dtype
    assert written.header.get_xyzt_units()[0] == "mm"
    assert [extension.get_content() for extension in written.header.extensions] == [b'{"task": "denoise"}']
    assert read(out).calibration == file.calibration


@pytest.mark.parametrize(
    ("slices", "first", "step"), [("1:", 1, 1), ("::2", 0, 2), ("2", 2, 1), ("::-1", 2, -1)]
)
def test_chosen_slices_lie_where_they_lay(tmp_path, slices, first, step):
    nibabel.save(nibabel.Nifti1Image(VOLUME.T, AFFINE), tmp_path / "a.nii")
    found = np.array(read_image(tmp_path / "a.nii", slices=slices).calibration.affine)
    for k in range(2):
        np.testing.assert_allclose(found @ [1, 2, k, 1], AFFINE @ [1, 2, first + step * k, 1])


@pytest.mark.parametrize(("unit", "size"), [("mm", 0.25), ("cm", 2.5), ("inch", 6.35), ("micron", 0.25)])
def test_lengths_are_put_in_a_unit_that_the_format_has(tmp_path, unit, size):
    save(tmp_path / "a.nii", VOLUME, axes="ZYX", calibration=Calibration((4.0, 4.0), unit, 0.25))
    assert nibabel.load(tmp_path / "a.nii").header.get_zooms() == pytest.approx((size,) * 3)


def test_axes_have_their_places(tmp_path):
    colours = RNG.random((2, 4, 5, 3)).astype(np.float32)
    save(tmp_path / "a.nii.gz", colours, axes="ZYXC")
    assert nibabel.load(tmp_path / "a.nii.gz").shape == (5, 4, 2, 1, 3)
    np.testing.assert_array_equal(read(tmp_path / "a.nii.gz").channels_last, colours)
