"""Records and reports of runs with weights of one's own say which weights, and how good they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.core.networks.held_out import few_held_out, held_out_in_words
from napari_bitsnet.core.networks.weights import load_tensors, save_tensors
from napari_bitsnet.methods.ytmt.network import YTMTNetwork

pytestmark = pytest.mark.filterwarnings("ignore::napari_bitsnet.api.notices.NotSeparatedWarning")

MIXTURE = np.random.default_rng(0).integers(0, 60000, (40, 56)).astype(np.uint16)
MEASURED = {
    "images": {"nuclei": 3, "fibres": 12},
    "scores": {"offset-free gain (dB)": 4.327, "nuclei (dB)": 5.0},
}
TOLD = (
    "Last validation of these weights on held-out images (3 of nuclei, 12 of fibres): "
    "offset-free gain (dB) 4.33."
)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    network = YTMTNetwork(widths=(8, 16), stem=2, channels=1, whole=False)
    facts = {"method": "ytmt", "network": network.sizes, "kinds": ["nuclei", "fibres"], "mixing": "linear"}
    facts |= {"hypercolumn": None, "steps": 70, "held_out": MEASURED}
    save_tensors(tmp_path / "cells.safetensors", network.state_dict(), facts)
    return tmp_path / "cells.safetensors"


def run(weights: Path) -> nb.Result:
    return nb.separate(MIXTURE, method="ytmt", preset="quick", settings={"weights": weights})


def test_the_record_has_the_checksum_and_the_held_out_scores(weights):
    def record() -> dict:
        return run(weights).provenance["weights"]

    expected = {"file": "cells.safetensors", "steps": 70, "held_out": MEASURED}
    assert record() == {**expected, "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    tensors, facts = load_tensors(weights)
    save_tensors(weights, tensors, {**facts, "steps": 71})  # another file under the same name
    assert record()["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert record()["steps"] == 71
    assert "weights" not in nb.separate(MIXTURE, method="feedforward", preset="quick").provenance


def test_the_report_says_how_good_the_training_was(weights, tmp_path):
    result = run(weights)
    result.save(tmp_path / "out", report=True)
    (page,) = (tmp_path / "out").glob("*.html")
    text = page.read_text(encoding="utf-8")
    few = "There are very few held-out images (3 of nuclei)"
    assert f"<p>Weights of your own: cells.safetensors. {TOLD} {few}" in text


def test_few_are_fewer_than_eight_of_a_kind():
    assert held_out_in_words({"held_out": MEASURED}) == TOLD
    assert few_held_out({"held_out": {"images": {"": 7}, "scores": {}}}).startswith(
        "There are very few held-out images (7), so that"
    )
    assert few_held_out({"held_out": {"images": {"": 8, "b": 9}, "scores": {}}}) == ""
    assert held_out_in_words({}) == few_held_out({}) == ""  # files of earlier versions
