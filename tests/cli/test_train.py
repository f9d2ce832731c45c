"""The train command: thin, and free of torch until it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_bitsnet.cli.train import build_train_app
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
    options = ["--steps", "2", "--batch", "2", "--drawn", "40", "--device", "cpu"]
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
