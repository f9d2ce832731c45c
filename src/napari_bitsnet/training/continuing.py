"""Whether a training may continue from a checkpoint: only one that gives the weights the same meaning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_bitsnet.core.networks.facts import facts_of
from napari_bitsnet.core.spelling import listed
from napari_bitsnet.training.files import CHECKPOINT

SAMPLES = 8
"""Files of a folder whose contents are looked at, evenly spaced."""
PIECE = 65_536
"""Bytes that are looked at, at the beginning and in the middle of a file."""


def meaning_of(data: Mapping[str, Sequence[Path]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the meaning of a training's weights, as JSON values for the checkpoint.

    Parameters
    ----------
    data : mapping of str to sequence of Path
        Folders, zips and image files by the name of the input, in their order.
    settings : mapping of str to object
        Settings that decide the meaning; a path stands for the contents of its file.

    Raises
    ------
    OSError, ValueError
        If a folder or a file is missing or cannot be read.

    Notes
    -----
    Folders and files count by their contents (`fingerprint`), not by their place: they may be moved. Images
    that are added, removed or replaced make other data, because held-out images may then be among those that
    were trained on.
    """
    entries = {name: [_entry(path) for path in paths] for name, paths in data.items()}
    for name, value in settings.items():
        if isinstance(value, Path) and not value.is_file():
            raise FileNotFoundError(f"Expected a file as {name}, got {value}, which does not exist.")
    values = {name: _entry(value) if isinstance(value, Path) else value for name, value in settings.items()}
    return {"data": entries, "settings": json.loads(json.dumps(values))}


def check_continues(folder: Path, trainer: str, meaning: Mapping[str, Any]) -> None:
    """Check that the checkpoint of a folder, if there is one, is of the same training.

    Parameters
    ----------
    folder : Path
        Folder of the training.
    trainer : str
        Name of the trainer.
    meaning : mapping
        See `meaning_of`. A setting that only one of both trainings knows is of another version and not
        compared.

    Raises
    ------
    ValueError
        If the checkpoint is of another trainer, of other data or their order, or of other settings that
        decide the meaning of the weights.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return
    facts = facts_of(path)
    if facts.get("training") != trainer:
        raise ValueError(
            f"Expected a checkpoint of the trainer {trainer}, got {path} of "
            f"{facts.get('training')!r}: choose another folder."
        )
    before = facts.get("meaning")
    if before is None:
        raise ValueError(
            f"{folder} holds a training of an earlier version, which did not record its images: choose "
            "another name, and begin with the weights of this one."
        )
    if _prints(before["data"]) != _prints(meaning["data"]):
        old, new = _in_words(before["data"]), _in_words(meaning["data"])
        order = ", in this order" if sum(map(len, before["data"].values())) > 1 else ""
        got = f"the same names with other images in {_changed(before, meaning)}" if old == new else new
        raise ValueError(
            f"{folder} holds a training on {old}{order}, got {got}: give the same sources, or choose another "
            "name."
        )
    for name, now in meaning["settings"].items():
        then = before["settings"].get(name, now)
        if then != now:
            got = "another file of this name" if _text(then) == _text(now) else _text(now)
            raise ValueError(
                f"{folder} holds a training with {name} {_text(then)}, got {got}: give the same, or choose "
                "another name."
            )


def fingerprint(path: Path) -> str:
    """Return a short text that depends on the contents of a folder or file, not on its place.

    Names and sizes of all images count, and the beginning and the middle of some of them. Other files in a
    folder do not count, so that it may also hold notes or hidden files of the system.
    """
    from napari_bitsnet.training.images import image_names
    from napari_bitsnet.training.planes import is_stack

    if path.is_file():
        files = {"": path}
    elif is_stack(path):
        found = sorted(each for each in path.rglob("*") if each.is_file())
        files = {each.relative_to(path).as_posix(): each for each in found}
    else:
        files = {name: path / name for name in image_names(path)}
    seen = hashlib.sha256(json.dumps([(name, each.stat().st_size) for name, each in files.items()]).encode())
    for each in list(files.values())[:: max(1, len(files) // SAMPLES)][:SAMPLES]:
        with each.open("rb") as file:
            seen.update(file.read(PIECE))
            file.seek(each.stat().st_size // 2)
            seen.update(file.read(PIECE))
    return seen.hexdigest()[:32]


def _entry(path: Path) -> dict[str, str]:
    return {"name": path.name or path.resolve().name, "fingerprint": fingerprint(path)}


def _prints(data: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, list[str]]:
    """Return the fingerprints by the name of the input, without empty inputs."""
    return {name: [each["fingerprint"] for each in entries] for name, entries in data.items() if entries}


def _in_words(data: Mapping[str, Sequence[Mapping[str, str]]]) -> str:
    """Return the names of all sources, with those of the inputs if several have some."""
    given = {name: listed([each["name"] for each in entries]) for name, entries in data.items() if entries}
    if len(given) < 2:
        return next(iter(given.values()), "no images")
    return "; ".join(f"{name}: {names}" for name, names in given.items())


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return the names of the sources whose contents differ; all have the same names."""
    pairs = [
        pair
        for name, entries in before["data"].items()
        for pair in zip(entries, now["data"].get(name, ()), strict=True)
    ]
    return listed([one["name"] for one, other in pairs if one != other])


def _text(value: Any) -> str:
    """Return a setting in words."""
    if isinstance(value, Mapping):
        return str(value["name"])
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
