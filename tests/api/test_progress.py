"""A bar counts iterations over all slices and names stages; a notebook shows a picture of the result."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import napari_bitsnet as nb
from napari_bitsnet.api.progress import with_bar
from napari_bitsnet.core.problem import Iteration
from napari_bitsnet.core.stages import Stage

IMAGE = np.random.default_rng(0).random((32, 40), dtype=np.float32)


def steps():
    for plane in range(2):
        yield Iteration(0, 3, 0.0, {}, dict, plane, stage=Stage("search"))
        for step in (1, 2, 3):
            yield Iteration(step, 3, 0.1, {}, dict, plane)
    return "the result"


def test_the_bar_passes_everything_on(capsys: pytest.CaptureFixture[str]):
    ended = []

    def whole():
        ended.append((yield from with_bar(steps(), "stack", n_planes=2)))

    seen = [(step.plane, step.step) for step in whole()]
    assert seen == [(plane, step) for plane in (0, 1) for step in range(4)]
    assert ended == ["the result"]
    told = capsys.readouterr().err
    assert "stack: 100%" in told
    assert "6/6" in told
    assert "search" in told


def closed_form():
    for stage in ("colours", "fit, round 1 of 4", "fit, round 2 of 4"):
        yield Iteration(0, 1, 0.0, {}, dict, stage=Stage(stage))
    yield Iteration(1, 1, 0.1, {}, dict)


def test_a_run_of_one_iteration_shows_its_stages_and_no_count(capsys: pytest.CaptureFixture[str]):
    for _ in with_bar(closed_form(), "panel"):
        pass
    told = capsys.readouterr().err
    stages = [line.strip() for line in told.split("\r") if "[" in line and "it" not in line.split("[")[1]]
    shown = [re.sub(r" \[\d\d:\d\d\]$", "", line) for line in stages]
    assert list(dict.fromkeys(shown)) == [
        "panel, colours",
        "panel, fit, round 1 of 4",
        "panel, fit, round 2 of 4",
    ]
    assert "0/1" not in told
    assert "panel: 100%" in told
    assert "1/1" in told


def test_closing_the_bar_closes_the_run():
    closed = []

    def run():
        try:
            yield Iteration(0, 1, 0.0, {}, dict)
        finally:
            closed.append(True)

    shown = with_bar(run(), "one", hidden=True)
    next(shown)
    shown.close()
    assert closed == [True]


def test_progress_in_python(capsys: pytest.CaptureFixture[str]):
    nb.run("denoise", IMAGE, preset="quick", progress=True)
    assert "denoise: 100%" in capsys.readouterr().err
    nb.run("denoise", IMAGE, preset="quick")
    assert capsys.readouterr().err == ""


def test_a_notebook_shows_picture_and_text():
    result = nb.run("denoise", IMAGE, preset="quick")
    html = result._repr_html_()
    (data,) = re.findall(r"base64,([^\"]+)", html)
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert min(picture.size) > 32
    assert "Result of denoise by" in html
    assert nb.Result(result.outputs, result.provenance)._repr_html_().startswith("<pre>Result of denoise")
