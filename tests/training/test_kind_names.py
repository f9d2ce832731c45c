"""Names of kinds of images, for all trainers of own kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_bitsnet.training.kind_names import kind_names
from napari_bitsnet.training.protocol import TRAINERS

PATHS = [Path("one/nuclei.zip"), Path("two/fibres")]


@pytest.mark.parametrize(
    ("given", "paths", "names"),
    [
        ("", PATHS, ["nuclei", "fibres"]),
        ("", [Path("one/dots"), Path("two/dots.zip")], ["source 1", "source 2"]),
        (" left,the right ", PATHS, ["left", "the right"]),
        ("", [], []),
    ],
)
def test_names_are_given_or_follow_from_paths(given, paths, names):
    assert kind_names(given, paths) == names


@pytest.mark.parametrize("given", ["a", "a,a", "a,a ", "a,,b", "a,", "a,b,c"])
def test_other_names_are_refused(given):
    with pytest.raises(ValueError, match=f"Expected 2 different names, one for each source, got '{given}'"):
        kind_names(given, PATHS)


@pytest.mark.parametrize(("name", "flag"), [("ytmt", "source"), ("sils", "layer")])
def test_trainers_refuse_them_before_any_work(tmp_path, name, flag):
    folders = [tmp_path / each for each in ("mixtures", "dots", "lines")]
    for folder in folders:
        folder.mkdir()
        for k in range(2):
            tifffile.imwrite(folder / f"{k}.tif", np.full((160, 160), 9, np.uint8))
    trainer = TRAINERS.get(name)
    data = {each.name: [] for each in trainer.inputs} | {flag: folders[1:]}
    data |= {"mixtures": folders[:1]} if name == "sils" else {}
    with pytest.raises(ValueError, match="Expected 2 different names, one for each source, got 'a,a'"):
        trainer(trainer.Config(names="a,a"), data, folder=tmp_path / "out", device="cpu").check()
