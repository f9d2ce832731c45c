"""The train command: thin, and free of torch until it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_bitsnet.cli import train
from napari_bitsnet.cli.train import build_train_app
from napari_bitsnet.core.networks.facts import facts_of
from napari_bitsnet.training.protocol import TRAINERS


def test_building_the_command_loads_no_torch():
    code = "import sys, napari_bitsnet.cli.train; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_training_writes_weights(tmp_path: Path):
    from napari_bitsnet.methods.feedforward.feedforward import load_network

    rng = np.random.default_rng(0)
    for k in range(3):
        pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{k}.png")
    output = tmp_path / "out" / "weights.safetensors"
    options = ["--steps", "2", "--batch", "2", "--drawn", "40", "--validation-pairs", "2", "--device", "cpu"]
    result = CliRunner().invoke(
        build_train_app(), ["feedforward", str(tmp_path / "photos"), "-o", str(output), *options]
    )
    assert result.exit_code == 0, result.output
    assert f"Weights written to {output}." in result.output
    load_network(output)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["absent"], 2, "Expected a folder or a .zip of images, got absent"),
        (["absent", "--batch", "0"], 2, "greater than or equal to 2"),
    ],
)
def test_bad_usage(tmp_path: Path, arguments: list[str], code: int, words: str):
    result = CliRunner().invoke(
        build_train_app(),
        ["feedforward", *arguments, "-o", str(tmp_path / "w.safetensors")],
        env={"COLUMNS": "200"},
    )
    assert result.exit_code == code
    assert words in result.output


@pytest.mark.parametrize("name", list(TRAINERS))
def test_every_trainer_has_a_command_with_its_inputs_and_settings(name: str):
    trainer = TRAINERS.get(name)
    result = CliRunner().invoke(
        build_train_app(), [name.replace("_", "-"), "--help"], env={"COLUMNS": "250", "TERM": "dumb"}
    )
    assert result.exit_code == 0
    assert ("DATA..." in result.output) != trainer.inputs[0].flag
    for each in trainer.inputs[1:]:
        assert f"--{each.name.replace('_', '-')}" in result.output
    for setting in trainer.Config.model_fields:
        assert f"--{setting.replace('_', '-')}" in result.output


def test_further_inputs_stand_behind_their_flags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from napari_bitsnet.api import training
    from napari_bitsnet.training.protocol import BaseTrainer, Input

    given = []

    class Unmix(BaseTrainer):
        name, title, summary = "unmix", "Unmix", "Learns from mixtures and layers."
        inputs = (Input("mixtures", "Mixtures", "Mixed."), Input("layer", "Layers", "Single.", least=2))

    def train(name, data, *rest, **options):
        given.append((name, data))
        return (step for step in ())

    monkeypatch.setitem(TRAINERS._entries, "unmix", Unmix)
    monkeypatch.setattr(training, "train", train)
    arguments = ["unmix", "a", "b.zip", "--layer", "c", "--layer", "d", "-o", str(tmp_path / "w.safetensors")]
    result = CliRunner().invoke(build_train_app(), arguments)
    assert result.exit_code == 0, result.output
    mixtures, layers = [Path("a"), Path("b.zip")], [Path("c"), Path("d")]
    assert given == [("unmix", {"mixtures": mixtures, "layer": layers})]


def test_own_kinds_in_another_order_are_refused_and_a_finished_training_is_said(tmp_path: Path):
    rng = np.random.default_rng(1)
    for name in ("blobs", "lines", "other"):
        (tmp_path / name).mkdir()
        for k in range(3):
            pixels = rng.integers(0, 256, (64, 64), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{k}.bmp")
    output = tmp_path / "cells.safetensors"

    def call(*names: str, steps: int) -> tuple[int, str]:
        sources = [part for name in names for part in ("--source", str(tmp_path / name))]
        small = ["--size", "64", "--width", "8", "--levels", "2", "--batch", "1", "--validation-pairs", "1"]
        options = ["-o", str(output), "--steps", str(steps), "--device", "cpu"]
        result = CliRunner().invoke(build_train_app(), ["ytmt", *sources, *small, *options])
        return result.exit_code, result.output

    code, text = call("blobs", "lines", steps=2)
    assert (code, text.count("warning:")) == (0, 2)
    assert "warning: There are very few images (3 of blobs, 3 of lines)" in text
    assert "warning: There are very few held-out images (3 of blobs, 3 of lines)" in text
    scores = facts_of(output)["held_out"]["scores"]
    gain = scores["offset-free gain (dB)"]
    assert gain == pytest.approx((scores["blobs (dB)"] + scores["lines (dB)"]) / 2)
    assert (
        "Last validation of these weights on held-out images (3 of blobs, 3 of lines): offset-free gain (dB) "
        f"{gain:.2f}." in text
    )
    assert " s left" in text
    assert "min left" not in text
    assert f"Weights written to {output}." in text
    written = output.read_bytes()
    for names in (("lines", "blobs"), ("other", "blobs"), ("blobs", "other")):
        for steps in (1, 3):
            code, text = call(*names, steps=steps)
            assert code == 2
            assert (
                f"cells holds a training on blobs and lines, in this order, got {' and '.join(names)}" in text
            )
            assert "written" not in text
    code, text = call("blobs", "lines", steps=1)
    assert code == 0
    assert "This training finished before at step 2, nothing was trained: raise the steps to go on." in text
    assert "written" not in text
    assert output.read_bytes() == written


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "0 s"), (38.4, "38 s"), (59.7, "1 min"), (61, "1 min"), (600, "10 min")]
)
def test_the_time_left_is_told_in_seconds_under_a_minute(seconds: float, said: str):
    assert train._time(seconds) == said
