"""DICOM equals pydicom's own reading, in all compressions; series are stacks in space; patients' data stay in
the file."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, apply_modality_lut

from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_file_calibration, read_image
from tests.io.written import write_dicom

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
GREY = np.random.default_rng(1).integers(0, 4096, (6, 8), dtype=np.uint16)
KEPT = [
    "CT_small.dcm",  # rescaled
    "ExplVR_BigEnd.dcm",
    "J2K_pixelrep_mismatch.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "examples_palette.dcm",
    "examples_overlay.dcm",
    "image_dfl.dcm",  # deflated
    "rtdose.dcm",  # 15 frames of 32 bits
]


@pytest.mark.parametrize("name", KEPT)
def test_values_are_those_of_the_library(name):
    file = read_image(SHIPPED / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(SHIPPED / name)
        palette = header.PhotometricInterpretation == "PALETTE COLOR"
        expected = (apply_color_lut if palette else apply_modality_lut)(header.pixel_array, header)
    np.testing.assert_array_equal(file.array, expected)
    assert file.array.dtype.isnative
    assert len(file.axes) == file.array.ndim
    np.testing.assert_array_equal(file.indices, header.pixel_array if palette else None)


@pytest.mark.parametrize("coding", ["RLE", "bigendian", "implicit", "jp2klossless", "jpeg_ls_lossless"])
def test_compressed_files_hold_what_was_compressed(coding):
    file = read_image(SHIPPED / f"MR_small_{coding}.dcm")
    np.testing.assert_array_equal(file.array, read_image(SHIPPED / "MR_small.dcm").array)
    assert not file.lossy


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_jpeg_of_12_bits(name):
    """Which pydicom alone does not decode; the two pixels are those that its own tests name."""
    file = read_image(SHIPPED / name)
    assert file.lossy
    assert (file.array[420, 140], file.array[230, 120]) == (244, 95)


def test_lossless_jpeg_holds_what_was_compressed():
    file = read_image(SHIPPED / "SC_rgb_jpeg_gdcm.dcm")
    np.testing.assert_array_equal(file.array, read_image(SHIPPED / "SC_rgb_rle.dcm").array)
    assert not file.lossy


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, None),
        ({"PixelSpacing": [0.5, 0.25]}, Calibration((4, 2), "mm")),
        ({"ImagerPixelSpacing": [0.1, 0.2]}, Calibration((5, 10), "mm")),
        ({"PixelSpacing": [1, 1], "ImagerPixelSpacing": [0.1, 0.2]}, Calibration((1, 1), "mm")),
        ({"PixelSpacing": [0, 0.25]}, None),
    ],
)
def test_size_of_a_pixel(tmp_path, elements, expected):
    write_dicom(tmp_path / "a", GREY, **elements)
    assert read_image(tmp_path / "a").calibration == expected
    assert read_file_calibration(tmp_path / "a") == expected


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [(1, 0, np.uint16), (1, -1024, np.int32), (0.5, 3, np.float64), (2, 0, np.uint32)],
)
def test_rescaled_values(tmp_path, slope, intercept, dtype):
    write_dicom(
        tmp_path / "a", GREY, RescaleSlope=slope, RescaleIntercept=intercept, WindowCenter=40, WindowWidth=1
    )
    array = read_image(tmp_path / "a").array
    np.testing.assert_array_equal(array, GREY * float(slope) + intercept)
    assert array.dtype == dtype


@pytest.mark.parametrize(("intercept", "signed"), [(0, False), (-1024, False), (0, True)])
def test_monochrome1_is_inverted_for_photographs_and_stored_for_measurements(tmp_path, intercept, signed):
    stored = GREY.astype(np.int16) if signed else GREY
    write_dicom(
        tmp_path / "a",
        stored,
        PhotometricInterpretation="MONOCHROME1",
        RescaleSlope=1,
        RescaleIntercept=intercept,
    )
    file = read_image(tmp_path / "a")
    np.testing.assert_array_equal(file.array, stored.astype(int) + intercept)
    assert "white is zero" in file.notices[0]
    ends = (-(2**15), 2**15 - 1) if signed else (0, 2**16 - 1)
    np.testing.assert_array_equal(file.as_shown().array, sum(ends) + 2 * intercept - file.array.astype(int))


def write_series(folder: Path, names: list[int], step: float = 2.0, uid: str = "1.2.3", shape=(6, 8)) -> list:
    """Slices whose values are their places, under names that say nothing about these."""
    folder.mkdir(exist_ok=True)
    for place, name in enumerate(names):
        write_dicom(
            folder / f"{name}.dcm",
            np.full(shape, 10 * place + 7, np.uint16),
            SeriesInstanceUID=uid,
            PixelSpacing=[0.5, 0.25],
            ImageOrientationPatient=[1, 0, 0, 0, 0, -1],  # coronal: the normal is +y
            ImagePositionPatient=[3, step * place - 9, 5],
            InstanceNumber=name,
        )
    return [10 * place + 7 for place in range(len(names))]


def test_a_series_is_a_stack_in_space(tmp_path):
    expected = write_series(tmp_path / "scan", [4, 10, 1, 3])
    (tmp_path / "scan" / "notes.txt").write_text("no image")
    file = read_image(tmp_path / "scan")
    np.testing.assert_array_equal(file.array[:, 0, 0], expected)
    assert (file.axes, file.path) == ("ZYX", tmp_path / "scan")
    assert file.calibration == Calibration((4, 2), "mm", 2.0)
    assert file.notices == ("scan: 1 of 5 files are no DICOM images and are left out.",)
    chosen = read_image(tmp_path / "scan" / "*.dcm", slices="1:3")
    np.testing.assert_array_equal(chosen.array, file.array[1:3])


def test_a_missing_slice_is_told(tmp_path):
    write_series(tmp_path / "scan", [1, 2, 3, 4])
    (tmp_path / "scan" / "3.dcm").unlink()
    file = read_image(tmp_path / "scan")
    assert file.calibration.z_step is None
    assert "do not lie at equal distances" in file.notices[0]


def test_series_are_chosen(tmp_path):
    write_series(tmp_path / "scan", [1, 2, 3])
    write_series(tmp_path / "scan", [7, 8], uid="1.2.4", shape=(5, 5))
    file = read_image(tmp_path / "scan")
    assert file.array.shape == (3, 6, 8)
    assert "holds 2 series of 3, 2 files, of which the first is read" in file.notices[0]
    assert read_image(tmp_path / "scan", series=1).array.shape == (2, 5, 5)
    with pytest.raises(ValueError, match="Expected a series from 0 to 1, got series 2"):
        read_image(tmp_path / "scan", series=2)


def test_frames_are_pages(tmp_path):
    frames = np.stack([GREY, GREY[::-1]])
    write_dicom(tmp_path / "a", frames, SpacingBetweenSlices=1.5, PixelSpacing=[1, 1])
    file = read_image(tmp_path / "a")
    assert (file.axes, file.calibration.z_step) == ("ZYX", 1.5)
    np.testing.assert_array_equal(read_image(tmp_path / "a", page=1).array, GREY[::-1])
    with pytest.raises(ValueError, match="Expected a page from 0 to 1, got page 2"):
        read_image(tmp_path / "a", page=2)


def test_files_without_an_image_say_so():
    with pytest.raises(
        ValueError, match=r"Expected a DICOM file with an image, got .*rtplan\.dcm, which holds none"
    ):
        read_image(SHIPPED / "rtplan.dcm")


def test_no_message_quotes_the_file(tmp_path, recwarn, caplog):
    """Elements that pydicom complains about may hold a patient's data."""
    write_dicom(
        tmp_path / "a.dcm", GREY, PatientName="Muster^Erika", PatientID="4711", PatientBirthDate="19640812"
    )
    contents = (tmp_path / "a.dcm").read_bytes()
    rng, said = np.random.default_rng(0), []
    for _ in range(60):
        broken = bytearray(contents)
        for at in rng.integers(132, len(broken), 6):
            broken[at] = rng.integers(256)
        (tmp_path / "a.dcm").write_bytes(broken)
        try:
            said += read_image(tmp_path / "a.dcm").notices
        except ValueError as error:
            said.append(str(error))
    assert said
    for text in [*said, caplog.text, *(str(entry.message) for entry in recwarn)]:
        assert not any(word in text for word in ("Muster", "Erika", "4711", "1964"))
