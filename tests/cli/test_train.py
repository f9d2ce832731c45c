"""The train command: thin, and free of torch until it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_bitsnet.cli.train import train_app


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
        train_app, ["feedforward", str(tmp_path / "photos"), "-o", str(output), *options]
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
        train_app, ["feedforward", *arguments, "-o", str(tmp_path / "w.safetensors")], env={"COLUMNS": "200"}
    )
    assert result.exit_code == code
    assert words in result.output
