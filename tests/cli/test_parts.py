"""Folders, patterns and parts of files as inputs of runs, in every format; records repeat them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import napari_bitsnet as nb
from napari_bitsnet.cli.app import build_app
from napari_bitsnet.cli.job import fingerprint
from tests.io.written import write_dicom

STACK = np.random.default_rng(7).integers(0, 4000, (5, 24, 30), dtype=np.uint16)
OPTIONS = ["--method", "nl_bayes", "--device", "cpu", "-q"]


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(build_app(), ["denoise", *map(str, arguments), *OPTIONS])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def scan(tmp_path) -> Path:
    """A DICOM series whose names run against its places in space."""
    folder = tmp_path / "Muster"
    folder.mkdir()
    for place, plane in enumerate(STACK):
        write_dicom(
            folder / f"{9 - place}.dcm",
            plane,
            SeriesInstanceUID="1.2.3",
            PatientName="Geheim^Erika",
            PatientID="ID4711",
            PixelSpacing=[0.5, 0.25],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, 2.0 * place],
        )
    return folder


def test_a_series_in_every_format(tmp_path, scan):
    images = {}
    for format, suffix in (("imagej", ".tif"), ("nifti", ".nii.gz"), ("zarr", ".ome.zarr")):
        out = tmp_path / format
        run(scan, "-o", out, "--slice", "1:3", "--format", format, "--report")
        file = nb.read(out / f"Muster_clean{suffix}")
        assert (file.axes, file.calibration.per_unit, file.calibration.z_step) == ("ZYX", (4, 2), 2)
        images[format] = np.asarray(file.array)
        for written in (path for path in out.rglob("*") if path.is_file()):
            assert not any(word in written.read_bytes() for word in (b"Geheim", b"Erika", b"ID4711"))
    expected = (
        nb.run("denoise", STACK[1:3], axes="ZYX", method="nl_bayes", device="cpu").outputs["clean"].array
    )
    for image in images.values():
        np.testing.assert_array_equal(image, expected)


def test_the_part_is_in_the_record_and_repeated_from_it(tmp_path, scan):
    out, again = tmp_path / "out", tmp_path / "again"
    run(scan, "-o", out, "--slice", "3")
    record = json.loads((out / "Muster_run.json").read_text())
    assert record["inputs"]["part"] == {"slices": "3"}
    assert "finished before" in run(scan, "-o", out, "--slice", "3")
    run("-o", again, "--settings", out / "Muster_run.json")
    np.testing.assert_array_equal(
        nb.read(again / "Muster_clean.tif").array, nb.read(out / "Muster_clean.tif").array
    )
    other = CliRunner().invoke(build_app(), ["denoise", str(scan), "-o", str(out), "--slice", "2", *OPTIONS])
    assert (other.exit_code, "holds another run of that name, with other input files" in other.output) == (
        1,
        True,
    )


def test_a_pattern_is_named_by_its_folder_and_none_of_its_files_is_replaced(tmp_path):
    folder = tmp_path / "slices"
    folder.mkdir()
    for k, plane in enumerate(STACK[:2].astype(np.uint8)):
        Image.fromarray(plane).save(folder / f"s{k}.png")
    run(folder / "s*.png", "-o", tmp_path / "out")
    assert nb.read(tmp_path / "out" / "slices_clean.tif").array.shape == (2, 24, 30)
    into = CliRunner().invoke(build_app(), ["denoise", str(folder), "-o", str(folder), *OPTIONS])
    assert (into.exit_code, "Expected outputs apart from what is read" in into.output) == (2, True)


def test_fingerprints_of_folders_and_patterns_tell_changes(tmp_path):
    for k in range(2):
        (tmp_path / f"{k}.png").write_bytes(b"%d" % k)
    before = [fingerprint(path) for path in (tmp_path, tmp_path / "*.png")]
    assert None not in before
    assert before == [fingerprint(path) for path in (tmp_path, tmp_path / "*.png")]
    (tmp_path / "1.png").write_bytes(b"2")
    assert not set(before) & {fingerprint(path) for path in (tmp_path, tmp_path / "*.png")}
