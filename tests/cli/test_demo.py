"""The demo: really apart, scored beside nulls and ceiling, drawn, or opened in napari."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_bitsnet
from napari_bitsnet.api import demo as demo_module
from napari_bitsnet.api.demo import (
    DemoCase,
    demo_cases,
    draw_outcomes,
    judge,
    score_table,
    write_inputs,
)
from napari_bitsnet.cli import demo as command
from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, SUCCESS
from napari_bitsnet.core.device import OutOfMemory
from napari_bitsnet.core.outputs import numbered
from napari_bitsnet.data.case_makers import half_and_half
from napari_bitsnet.data.photographs import photograph
from tests.described import described


@pytest.fixture
def easy():
    """A case for the toy method, which separates nothing."""
    case = half_and_half("a + b", "Toy", photograph(0, 64), photograph(1, 64))
    return DemoCase("easy", case)


def result_of(demo, shares):
    provenance = {"method": "bitsnet", "preset": "balanced", "seconds": 1.0}
    outputs = described("separate", {**numbered(shares), "residual": np.zeros_like(shares[0])})
    return napari_bitsnet.Result(outputs, provenance)


def test_truth_passes_and_the_mixture_fails(easy):
    assert judge(easy, result_of(easy, easy.case.truths)).passed
    empty = judge(easy, result_of(easy, np.stack([easy.case.mixture / 2] * 2)))
    assert empty.gain == pytest.approx(0, abs=1e-6)
    assert not empty.passed
    blind = DemoCase("easy", easy.case, separable=False)
    assert judge(blind, result_of(blind, np.stack([easy.case.mixture / 2] * 2))).passed


def test_table_stands_between_nulls_and_ceiling():
    panel = next(demo_cases(64))
    table = score_table([judge(panel, result_of(panel, panel.case.truths))])
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert lines[0][:3] == ["case", "answer", "offset-free gain"]
    answers = ["null: mixture", "null: best empty answer", "bitsnet (balanced)", "ceiling"]
    assert [line[1] for line in lines[2:]] == answers
    assert lines[2][2] == "+0.00 dB"
    assert len({len(line) for line in table.splitlines()}) == 1


def test_picture_holds_all_cases(easy):
    outcome = judge(easy, result_of(easy, easy.case.truths))
    one, two = draw_outcomes([outcome]), draw_outcomes([outcome, outcome])
    assert two.shape == (2 * one.shape[0], *one.shape[1:])


def test_inputs_are_written_as_they_are(tmp_path):
    for case in demo_cases(64):
        paths = write_inputs(case, tmp_path)
        several = case.case.mixture.ndim == case.case.truths.ndim
        for path, mixture in zip(
            paths["mixture"], case.case.mixture if several else [case.case.mixture], strict=True
        ):
            np.testing.assert_array_equal(tifffile.imread(path), mixture)
        for path, guide in zip(paths["guides"], case.case.guides, strict=True):
            np.testing.assert_array_equal(tifffile.imread(path), guide)


def test_demo_takes_its_cases_apart(call, tmp_path):
    code, text = call("demo", "-o", tmp_path, "--size", 96, "--device", "cpu", "-q")
    assert code == SUCCESS, text
    assert "null: best empty answer" in text
    assert "ceiling" in text
    assert "Nulls separate nothing" in " ".join(text.split())
    assert "warning: too_hard: Hardly told apart" in text
    assert '="' not in text  # settings are named by their flags
    assert (tmp_path / "scores.md").read_text() in text
    assert np.asarray(Image.open(tmp_path / "demo.png")).shape[0] > 1000
    names = {p.name for p in tmp_path.iterdir()}
    assert {f"{key}_run.json" for key in ("panel", "two_mixtures", "blind", "too_hard")} <= names
    assert {
        f"{key}_source_{k}.tif" for key in ("panel", "two_mixtures", "blind", "too_hard") for k in (1, 2)
    } <= names


def test_what_the_demo_wrote_can_be_repeated(call, tmp_path, monkeypatch):
    only = next(demo_cases(64))
    monkeypatch.setattr(
        demo_module, "demo_cases", lambda size: iter([DemoCase("panel", only.case, separable=False)])
    )
    assert call("demo", "-o", tmp_path, "-q")[0] == SUCCESS
    again = ("--settings", tmp_path / "panel_run.json", "-o", tmp_path / "again", "-q")
    assert call("xray", *again)[0] == SUCCESS
    name = json.loads((tmp_path / "again/panel_mixture_run.json").read_text())["files"]["source_1"]
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "again" / name), tifffile.imread(tmp_path / "panel_source_1.tif")
    )


def test_a_case_that_does_not_come_apart_is_a_failure(toy, call, easy, tmp_path, monkeypatch):
    monkeypatch.setattr(demo_module, "demo_cases", lambda size: iter([easy]))
    monkeypatch.setattr(
        DemoCase,
        "settings",
        property(lambda self: napari_bitsnet.api.RunSettings(method="toy", settings={"strength": 0})),
    )
    code, text = call("demo", "-o", tmp_path, "-q")
    assert code == FAILURE
    assert "error: easy: expected an offset-free gain of at least 3 dB, got" in text
    assert "warning: easy: Not separable" in text
    assert (tmp_path / "scores.md").exists()


def test_bad_usage(call, tmp_path):
    (tmp_path / "file").touch()
    assert call("demo", "-o", tmp_path / "file")[0] == BAD_USAGE
    assert call("demo", "-o", tmp_path, "--device", "abacus")[0] == BAD_USAGE


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OutOfMemory("Expected more.")])
def test_what_the_machine_lacks_is_said(call, tmp_path, monkeypatch, error):
    def lacking(*args):
        raise error

    monkeypatch.setattr("napari_bitsnet.cli.demo.separate_all", lacking)
    code, text = call("demo", "-o", tmp_path, "-q")
    assert (code, text) == (BAD_USAGE, f"error: {error}\n")


def test_gui_is_a_process_of_its_own(call, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "call", lambda line: started.append(line) or 0)
    assert call("demo", "--gui", "--size", 64, "-o", tmp_path)[0] == SUCCESS
    (line,) = started
    assert line[1:3] == ["-m", "napari"]
    assert [Path(p).name for p in line[3:6]] == [
        "panel_mixture.tif",
        "panel_guide_1.tif",
        "panel_guide_2.tif",
    ]
    assert all(Path(p).exists() for p in line[3:6])
    assert line[6:] == ["--with", "napari-bitsnet", command.WIDGET]


def test_gui_names_the_dock_of_the_manifest():
    manifest = Path(napari_bitsnet.__file__).with_name("napari.yaml").read_text(encoding="utf-8")
    assert f"display_name: {command.WIDGET}\n" in manifest


def test_gui_without_napari(call, tmp_path, monkeypatch):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    code, text = call("demo", "--gui", "-o", tmp_path)
    assert code == BAD_USAGE
    assert "pip install 'napari-bitsnet[all]'" in text
