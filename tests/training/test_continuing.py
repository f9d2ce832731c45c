"""A training continues only as what it was: with the same trainer, data and settings that decide what it
learns."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from napari_bitsnet.api.training import train
from napari_bitsnet.core.networks.weights import load_tensors
from napari_bitsnet.training.continuing import check_continues, fingerprint, meaning_of
from napari_bitsnet.training.few import FEW, warn_of_few
from napari_bitsnet.training.files import CHECKPOINT
from napari_bitsnet.training.protocol import TRAINERS, Progress, TrainingConfig

DATA: dict[str, dict[str, tuple[str, ...]]] = {
    "ytmt": {"source": ("blobs", "lines")},
    "sils": {"mixtures": ("both",), "layer": ("blobs", "lines")},
}
"""Folders by the input of a trainer; those of other trainers are two of the first input."""

FREE = set(TrainingConfig.model_fields) - {"seed", "weights"}
"""Settings that may change when a training goes on."""


def folders(name: str) -> dict[str, tuple[str, ...]]:
    return DATA.get(name, {TRAINERS.get(name).inputs[0].name: ("blobs", "lines")})


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Folders of two images each, whose files have the same names and sizes."""
    rng = np.random.default_rng(3)
    for name in ("blobs", "lines", "both", "other"):
        (tmp_path / name).mkdir()
        for k in range(2):
            pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{k}.bmp")
    return tmp_path


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every trainer fits a line in place of its network; returns the trainers that have prepared data."""
    seen: list[str] = []

    def prepare(self):
        seen.append(self.name)
        yield Progress(note="Reading…")

    line = {
        "prepare": prepare,
        "network": lambda self: nn.Linear(2, 1),
        "paces": lambda self, network: [(list(network.parameters()), 1.0)],
        "loss": lambda self, look, step: look(torch.ones(4, 2)).square().mean(),
        "validate": lambda self, look: ({"score": 1.0}, None),
        "facts": lambda self: {},
        "held_out": lambda self: {},
    }
    for name in TRAINERS:
        for attribute, value in line.items():
            monkeypatch.setattr(TRAINERS.get(name), attribute, value)
    return seen


def run(name: str, at: Path, data: dict[str, tuple[str, ...]], **settings: Any) -> list[Progress]:
    """Train, and return the steps and the notes on a step."""
    given = {key: [at / folder for folder in paths] for key, paths in data.items()}
    config = TRAINERS.get(name).Config(**{"steps": 2, **settings})
    steps = train(name, given, at / "cells.safetensors", config, device="cpu")
    return [progress for progress in steps if progress.step]


def others(name: str) -> list[dict[str, tuple[str, ...]]]:
    """Return data that another training is on: exchanged, replaced and added folders of the last input."""
    *_, (key, paths) = folders(name).items()
    choices = [paths[::-1], ("other", paths[1]), (paths[0], "other"), (*paths, "other")]
    return [{**folders(name), key: choice} for choice in choices]


def in_words(data: dict[str, tuple[str, ...]]) -> str:
    """Return the folders as a message lists them."""
    listed = {key: " and ".join(", ".join(paths).rsplit(", ", 1)) for key, paths in data.items()}
    if len(listed) == 1:
        return next(iter(listed.values()))
    return "; ".join(f"{key}: {paths}" for key, paths in listed.items())


@pytest.mark.parametrize("name", list(TRAINERS))
def test_other_data_are_refused_before_any_work(name, images, prepared):
    run(name, images, folders(name))
    before = {p: p.read_bytes() for p in (images / "cells.safetensors", images / "cells" / CHECKPOINT)}
    prepared.clear()
    for data in others(name):
        for steps in (1, 2, 3):
            with pytest.raises(ValueError, match="cells holds a training on") as error:
                run(name, images, data, steps=steps)
            old, new = in_words(folders(name)), in_words(data)
            assert f"on {old}, in this order, got {new}: give the same sources" in str(error.value)
    assert not prepared
    assert {path: path.read_bytes() for path in before} == before
    assert [progress.step for progress in run(name, images, folders(name), steps=4)] == [3, 4]


@pytest.mark.parametrize("name", list(TRAINERS))
def test_moved_folders_continue_and_other_images_do_not(name, images, prepared):
    run(name, images, folders(name))
    (images / "moved").mkdir()
    for folder in ("blobs", "lines", "both"):
        (images / folder).rename(images / "moved" / folder)
    moved = {key: tuple(f"moved/{path}" for path in paths) for key, paths in folders(name).items()}
    (images / "moved" / "lines" / "notes.txt").write_text("no image")
    assert [progress.step for progress in run(name, images, moved, steps=3)] == [3]
    shutil.copy(images / "other" / "0.bmp", images / "moved" / "lines" / "1.bmp")
    with pytest.raises(ValueError, match=r"got the same names with other images in lines: give the same"):
        run(name, images, moved, steps=4)


@pytest.mark.parametrize("name", list(TRAINERS))
def test_a_finished_training_says_so_and_leaves_its_weights(name, images, prepared):
    output = images / "cells.safetensors"
    assert [step.note for step in run(name, images, folders(name))] == ["", ""]
    written = output.read_bytes(), output.stat().st_mtime_ns
    for settings in ({"steps": 1}, {"steps": 2}, {"steps": 2, "rate": 0.05, "batch": 16}):
        (only,) = run(name, images, folders(name), **settings)
        assert only.step == 2
        assert "finished before at step 2, nothing was trained: raise the steps" in only.note
        assert (output.read_bytes(), output.stat().st_mtime_ns) == written


def test_time_that_was_up_before_is_said(images, prepared):
    run("cracks", images, folders("cracks"))
    config = TRAINERS.get("cracks").Config().model_copy(update={"hours": 1e-12})
    data = {"photographs": [images / "blobs", images / "lines"]}
    (note,) = [p.note for p in train("cracks", data, images / "cells.safetensors", config) if p.step]
    assert note.endswith("raise the hours to go on.")


def test_weights_that_a_kill_kept_from_being_written_are_written(images, prepared):
    output = images / "cells.safetensors"
    run("cracks", images, folders("cracks"), steps=1)
    early = output.read_bytes()
    run("cracks", images, folders("cracks"), steps=2)
    late = {key: tensor.clone() for key, tensor in load_tensors(output)[0].items()}
    for damage in (lambda: output.write_bytes(early), output.unlink):
        damage()
        (only,) = run("cracks", images, folders("cracks"), steps=2)
        assert only.note
        tensors, facts = load_tensors(output)
        assert facts["steps"] == 2
        assert all(torch.equal(tensors[key], late[key]) for key in late)


def other_values(name: str, setting: str, at: Path) -> list[Any]:
    """Return some valid values of a setting."""
    config = TRAINERS.get(name).Config
    field = config.model_fields[setting]
    file = at / "begin.safetensors"
    file.write_bytes(b"weights")
    tried = [
        True,
        False,
        1,
        2,
        7,
        64,
        96,
        0.05,
        0.25,
        0.5,
        (0.2, 0.6),
        "x,y",
        file,
        *get_args(field.annotation),
    ]
    found = []
    for value in tried:
        try:
            changed = config(**{setting: value})
        except (ValueError, TypeError):
            continue
        value = getattr(changed, setting)
        if value != field.get_default() and not (isinstance(value, Path) and value != file):
            found.append(value)
    return found


@pytest.mark.parametrize("name", list(TRAINERS))
def test_every_setting_is_either_free_or_compared(name, images):
    trainer = TRAINERS.get(name)
    data = {key: [images / path for path in paths] for key, paths in folders(name).items()}
    folder = images / "cells"
    folder.mkdir()

    def meaning(**settings: Any) -> dict[str, Any]:
        one = trainer(trainer.Config(**settings), data, folder=folder)
        return meaning_of(one.data, one.meaning())

    write_checkpoint(folder, name, meaning())
    for setting in trainer.Config.model_fields:
        values = other_values(name, setting, images)
        assert values, setting
        meanings = [meaning(**{setting: value}) for value in values]
        if setting in FREE:
            for each in meanings:
                check_continues(folder, name, each)
            continue
        changed = [each for each in meanings if each != meaning()]
        assert changed, setting
        for each in changed:
            with pytest.raises(
                ValueError, match=f"cells holds a training with {setting} .*, got .*: give the"
            ):
                check_continues(folder, name, each)


def write_checkpoint(folder: Path, name: str, meaning: dict[str, Any] | None) -> None:
    from napari_bitsnet.core.networks.weights import save_tensors

    facts = {"training": name, "step": 1, "seconds": 1.0}
    save_tensors(
        folder / CHECKPOINT, {"x": torch.zeros(1)}, {**facts, "meaning": meaning} if meaning else facts
    )


def test_what_follows_from_folders_may_also_be_given(images, prepared):
    run("ytmt", images, folders("ytmt"))
    given = {"names": "blobs, lines", "size": 128, "stem": "2", "hypercolumn": "no"}
    assert [p.step for p in run("ytmt", images, folders("ytmt"), steps=3, **given)] == [3]
    with pytest.raises(ValueError, match="training with names blobs, lines, got lines, blobs: give the same"):
        run("ytmt", images, folders("ytmt"), names="lines,blobs")
    shutil.rmtree(images / "cells")
    (images / "cells.safetensors").unlink()
    run("sils", images, folders("sils"))
    assert [p.step for p in run("sils", images, folders("sils"), steps=3, names="blobs,lines")] == [3]


def test_another_file_to_begin_with_and_a_missing_one(tmp_path):
    start = tmp_path / "start.safetensors"
    start.write_bytes(b"first")
    write_checkpoint(tmp_path, "ytmt", meaning_of({}, {"weights": start}))
    check_continues(tmp_path, "ytmt", meaning_of({}, {"weights": start}))
    start.write_bytes(b"other")
    with pytest.raises(ValueError, match=r"with weights start\.safetensors, got another file of this name"):
        check_continues(tmp_path, "ytmt", meaning_of({}, {"weights": start}))
    with pytest.raises(ValueError, match=r"with weights start\.safetensors, got none"):
        check_continues(tmp_path, "ytmt", meaning_of({}, {"weights": None}))
    with pytest.raises(FileNotFoundError, match=r"Expected a file as weights, got .*absent"):
        meaning_of({}, {"weights": tmp_path / "absent"})


def test_a_checkpoint_that_says_nothing_of_its_images_is_refused(tmp_path):
    write_checkpoint(tmp_path, "ytmt", None)
    with pytest.raises(ValueError, match="earlier version, which did not record its images"):
        check_continues(tmp_path, "ytmt", meaning_of({}, {}))


def test_fingerprints_tell_contents_and_not_places(images):
    prints = {name: fingerprint(images / name) for name in ("blobs", "lines", "both", "other")}
    assert len(set(prints.values())) == 4
    assert fingerprint(Path(shutil.copytree(images / "blobs", images / "copy"))) == prints["blobs"]
    (images / "copy" / "0.bmp").rename(images / "copy" / "5.bmp")
    assert fingerprint(images / "copy") != prints["blobs"]
    for name in ("a.zip", "b.zip"):
        with zipfile.ZipFile(images / name, "w") as archive:
            archive.write(images / ("blobs" if name == "a.zip" else "lines") / "0.bmp", "0.bmp")
    assert fingerprint(images / "a.zip") != fingerprint(images / "b.zip")
    for name, middle in (("a.npy", 0), ("b.npy", 1)):
        stack = np.zeros((9, 128, 128), np.uint8)
        stack[4] = middle
        np.save(images / name, stack)
    assert fingerprint(images / "a.npy") != fingerprint(images / "b.npy")
    for name in ("a.zarr", "b.zarr"):
        (images / name / "c").mkdir(parents=True)
        (images / name / "c" / "0").write_bytes(name.encode())
    assert fingerprint(images / "a.zarr") != fingerprint(images / "b.zarr")
    shutil.rmtree(images / "b.zarr")
    shutil.copytree(images / "a.zarr", images / "b.zarr")
    assert fingerprint(images / "a.zarr") == fingerprint(images / "b.zarr")


@pytest.mark.parametrize("name", list(TRAINERS))
def test_very_few_images_are_told_before_the_training(name, make_trainer, tmp_path):
    trainer = make_trainer(name, tmp_path)
    if name == "sils":
        trainer.config = trainer.config.model_copy(update={"demo": "none"})
        trainer.data = {"mixtures": trainer.data["mixtures"], "layer": trainer.data["mixtures"] * 2}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="There are very few images")
        with pytest.raises(UserWarning, match=r"very few images \(4.*\), which a network learns by heart"):
            list(trainer.prepare())


def test_few_images_of_own_kinds_are_told_in_one_warning(images):
    from napari_bitsnet.training.ytmt.ytmt import YTMT, YTMTTraining

    sources = [images / "blobs", images / "lines"]
    trainer = YTMT(YTMTTraining(size=64, levels=2), {"source": sources}, folder=images, device="cpu")
    with pytest.warns(UserWarning, match="very few") as said:
        list(trainer.prepare())
    assert [str(each.message) for each in said] == [
        "There are very few images (2 of blobs, 2 of lines), which a network learns by heart: give at least "
        f"{FEW} of each kind, better hundreds."
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_few({"blobs": FEW, "lines": 3 * FEW})
        warn_of_few({"": 0})
    with pytest.warns(UserWarning, match=r"\(9 of lines\)"):
        warn_of_few({"blobs": FEW, "lines": FEW - 1})


def test_panels_of_other_photographs_are_not_used(images, monkeypatch):
    from napari_bitsnet.training.guided import panels
    from napari_bitsnet.training.guided.guided_correction import CorrectionTraining, GuidedCorrection

    used: list[Path] = []
    monkeypatch.setattr(panels, "solve_panels", lambda folder, *rest, **options: used.append(folder) or ())
    for photographs in ((), ("blobs",), ("lines",), ("blobs", "lines"), ("blobs",)):
        data = {"photographs": [images / name for name in photographs]}
        list(GuidedCorrection(CorrectionTraining(), data, folder=images / "cells").prepare())
    assert used[1] == used[4]
    assert len(set(used)) == 4
