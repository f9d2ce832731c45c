"""What all trainers promise: they learn the same after a stop or a kill, and what they export can be gone on
with."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_bitsnet.core.networks.facts import facts_of
from napari_bitsnet.core.networks.weights import expand, load_tensors
from napari_bitsnet.training.files import CHECKPOINT, LOSSES
from napari_bitsnet.training.protocol import TRAINERS, TrainingConfig


@pytest.fixture(scope="module")
def prepared() -> dict[str, Path]:
    """Folders in which the preparation of a trainer has been done once."""
    return {}


@pytest.fixture
def folder_for(prepared, make_trainer, tmp_path, tmp_path_factory):
    """Return a new folder of a trainer that holds what the preparation leaves, for example fits of panels."""

    def new(name: str, where: str) -> Path:
        if name not in prepared:
            prepared[name] = tmp_path_factory.mktemp(name)
            notes = [step.note for step in make_trainer(name, prepared[name]).prepare()]
            assert all(notes)
        return Path(shutil.copytree(prepared[name], tmp_path / where))

    return new


def trained(trainer, output: Path, *, stop_after: int | None = None) -> list[int]:
    """Run a trainer, export, and return the steps it made."""
    made, steps = [], trainer.steps()
    for progress in steps:
        if not progress.note:
            made.append(progress.step)
        if progress.step == stop_after:
            steps.close()
            break
    trainer.export(output)
    return made


HELD_OUT = {
    "feedforward": {"": 2},
    "cracks": {"pictures": 1, "nets of cracks": 1},
    "guided_correction": {"panels": 1},
    "sils": {},
    "ytmt": {"photographs": 2},
}
"""Held-out images of the trainers that `make_trainer` makes; shapes of the demo are drawn anew."""


@pytest.mark.parametrize("name", list(TRAINERS))
def test_weights_say_how_well_they_did_on_how_many_held_out_images(name: str, make_trainer, folder_for):
    folder = folder_for(name, "a")
    trainer = make_trainer(name, folder)
    scores = [step.scores for step in trainer.steps() if step.scores]
    trainer.export(folder / "weights.safetensors")
    assert len(scores) == 2
    assert scores[0] != scores[1]
    assert facts_of(folder / "weights.safetensors")["held_out"] == {
        "images": HELD_OUT[name],
        "scores": scores[1],
    }
    again = make_trainer(name, folder)  # finished: nothing is measured anew
    assert [step.scores for step in again.steps() if not step.note] == []
    again.export(folder / "again.safetensors")
    assert facts_of(folder / "again.safetensors")["held_out"]["scores"] == scores[1]


def assert_same(first: Path, second: Path) -> None:
    one, other = load_tensors(first)[0], load_tensors(second)[0]
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", list(TRAINERS))
def test_a_stopped_or_killed_training_reaches_the_same_weights(name, make_trainer, folder_for, tmp_path):
    whole, killed = folder_for(name, "whole"), tmp_path / "killed"
    trainer = make_trainer(name, whole)
    trainer.config = trainer.config.model_copy(update={"checkpoint_every": 0.0})  # after each step
    for progress in trainer.steps():
        assert progress.saved or progress.note
        if progress.step == 3:  # as the disk is when the computer goes off now
            shutil.copytree(whole, killed)
    trainer.export(tmp_path / "whole.safetensors")
    assert trained(make_trainer(name, killed), tmp_path / "killed.safetensors") == [4]
    assert_same(tmp_path / "whole.safetensors", tmp_path / "killed.safetensors")

    stopped = folder_for(name, "stopped")
    assert trained(make_trainer(name, stopped), tmp_path / "early.safetensors", stop_after=2) == [1, 2]
    assert trained(make_trainer(name, stopped), tmp_path / "late.safetensors") == [3, 4]
    assert_same(tmp_path / "whole.safetensors", tmp_path / "late.safetensors")
    early, late = (load_tensors(tmp_path / f"{n}.safetensors")[0] for n in ("early", "late"))
    assert not all(torch.equal(early[n], late[n]) for n in early)
    assert trained(make_trainer(name, stopped), tmp_path / "again.safetensors") == []
    assert_same(tmp_path / "late.safetensors", tmp_path / "again.safetensors")
    with (killed / LOSSES).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())


@pytest.mark.parametrize("name", list(TRAINERS))
def test_what_is_exported_is_the_average_and_can_be_begun_with(name, make_trainer, folder_for, tmp_path):
    output = tmp_path / "weights.safetensors"
    first = make_trainer(name, folder_for(name, "first"), steps=2)
    trained(first, output)
    tensors, facts = load_tensors(output)
    assert (facts["method"], facts["steps"]) == (name, 2)
    assert facts["settings"]["batch"] == first.config.batch
    loaded = first.load(output).state_dict()
    for key, tensor in first._loop.average.state_dict().items():
        scale = float(tensor.abs().max())
        torch.testing.assert_close(loaded[key], tensor, atol=scale / 100 + 1e-6, rtol=0)
    second = make_trainer(name, folder_for(name, "second"), steps=2, weights=output, rate=1e-6, decay=0.0)
    trained(second, tmp_path / "second.safetensors")
    again = expand(load_tensors(tmp_path / "second.safetensors")[0])
    for key, tensor in expand(tensors).items():  # steps of 1e-8 (rate and warm-up) and rounding
        torch.testing.assert_close(again[key], tensor, atol=float(tensor.abs().max()) / 100 + 1e-6, rtol=0)


@pytest.mark.parametrize("name", list(TRAINERS))
def test_the_network_learns(name, make_trainer, folder_for):
    trainer = make_trainer(name, folder_for(name, "learns"), steps=1)
    *_, last = trainer.steps()
    assert last.scores
    assert all(np.isfinite(value) for value in last.scores.values())
    if last.picture is not None:
        assert (last.picture.dtype, last.picture.ndim, last.picture.shape[-1]) == (np.uint8, 3, 3)
    before = [p.detach().clone() for p in trainer._loop.network.parameters()]
    loop = trainer._loop
    loss = trainer.loss(loop._look(loop.network), 7)
    again = trainer.loss(loop._look(loop.network), 7)
    other = trainer.loss(loop._look(loop.network), 8)
    assert loss == again  # the seed and the step decide
    assert loss != other
    for _ in range(30):  # on one batch, with the full learning rate
        loop.step = 1000
        loop._advance(trainer.loss(loop._look(loop.network), 7))
    assert trainer.loss(loop._look(loop.network), 7) < loss
    assert not any(map(torch.equal, before, loop.network.parameters()))


@pytest.mark.parametrize("name", list(TRAINERS))
def test_a_trainer_describes_itself(name):
    trainer = TRAINERS.get(name)
    assert trainer.name == name
    assert trainer.title
    assert trainer.summary.endswith(".")
    assert issubclass(trainer.Config, TrainingConfig)
    assert len({each.name for each in trainer.inputs}) == len(trainer.inputs) > 0
    assert all(each.description.endswith(".") for each in trainer.inputs)
    assert trainer.shipped() is None or trainer.shipped().is_file()


@pytest.mark.parametrize("name", list(TRAINERS))
def test_missing_data_are_named_before_any_work(name, tmp_path):
    trainer = TRAINERS.get(name)
    for each in trainer.inputs:
        absent = {other.name: [tmp_path / "absent"] for other in trainer.inputs}
        with pytest.raises(FileNotFoundError, match=r"Expected a folder or a \.zip of images, got .*absent"):
            trainer(trainer.Config(), absent, folder=tmp_path).check()
        if each.least:
            with pytest.raises(
                ValueError, match=f"Expected at least {each.least} for {each.title}, got none"
            ):
                trainer(trainer.Config(), {**absent, each.name: []}, folder=tmp_path).check()


@pytest.mark.parametrize("name", list(TRAINERS))
def test_shipped_weights_can_be_begun_with(name, tmp_path):
    trainer = TRAINERS.get(name)
    if trainer.shipped() is None:
        pytest.skip("the package carries none")
    network = trainer(trainer.Config(), {}, folder=tmp_path).load(trainer.shipped())
    fresh = trainer(trainer.Config(), {}, folder=tmp_path).network()
    assert {n: t.shape for n, t in network.state_dict().items()} == {
        n: t.shape for n, t in fresh.state_dict().items()
    }


def test_a_checkpoint_of_another_training_is_refused(make_trainer, tmp_path):
    trainer = make_trainer("feedforward", tmp_path, steps=1)
    list(trainer.steps())
    other = make_trainer("cracks", tmp_path)
    with pytest.raises(ValueError, match=r"Expected a checkpoint of the trainer cracks, got .*'feedforward'"):
        list(other.steps())
    with pytest.raises(ValueError, match="Expected a training that has begun"):
        make_trainer("cracks", tmp_path).export(tmp_path / "x.safetensors")
    assert (tmp_path / CHECKPOINT).is_file()


def test_naming_trainers_and_their_settings_loads_no_torch():
    code = (
        "import sys; from napari_bitsnet.training.protocol import TRAINERS;"
        "from pathlib import Path;"
        "[TRAINERS.get(n)(TRAINERS.get(n).Config(), {}, folder=Path('x')) for n in TRAINERS];"
        "sys.exit('torch' in sys.modules or 'skimage' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
