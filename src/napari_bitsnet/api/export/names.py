"""Names of the files of a run, and possible names before the outputs are known."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_bitsnet.core.outputs import FEATURES, Output
from napari_bitsnet.io.stack import is_pattern
from napari_bitsnet.io.writers import WRITERS, FormatName
from napari_bitsnet.tasks import TASKS

_LONG = (".ome.tif", ".ome.tiff", ".ome.zarr", ".nii.gz")
_ALWAYS = ("_preview.png", "_run.json")


def record_path(folder: str | Path, stem: str) -> Path:
    """Return where `save_results` puts the record of a run."""
    return Path(folder) / f"{stem}_run.json"


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix, of which some have two parts; of a pattern (``slices/*.png``)
    its folder's."""
    if is_pattern(path):
        return stem_of(path.parent)
    if path.name in ("", ".."):  # "." and the folder of "*.png" have a name, too
        path = Path(os.path.abspath(path))
    long = next((ending for ending in _LONG if path.name.lower().endswith(ending)), "")
    return path.name[: -len(long)] if long else path.stem


def image_names(stem: str, inputs: Sequence[Path], images: Mapping[str, Output]) -> dict[str, str]:
    """Return the names of the files of images, without suffix.

    Parameters
    ----------
    stem : str
        Beginning of the names; outputs that belong to one of several mixtures are named by its file instead.
    inputs : sequence of Path
        Files of the mixtures, as far as they are known.
    images : mapping of str to Output
        The outputs that are images.
    """
    stems = [stem_of(path) for path in inputs]
    names = {name: f"{stem}_{name}" for name in images}
    if len(stems) < 2 or len(set(stems)) < len(stems):
        return names
    for name, output in images.items():
        if output.of_mixture is not None and output.of_mixture <= len(stems):
            names[name] = f"{stems[output.of_mixture - 1]}_{unnumbered(name)}"
    return names


def unnumbered(name: str) -> str:
    """Return the name of an output without its number: ``clean`` for ``clean_2``."""
    return name.rpartition("_")[0]


@dataclass(frozen=True)
class PossibleNames:
    """Names that files may be written under.

    Parameters
    ----------
    stems : tuple of str
        What they begin with.
    endings : tuple of str
        What may follow; ``#`` stands for a number.
    candidates : bool
        Whether ``_candidate_1`` and so on may stand between them.
    """

    stems: tuple[str, ...]
    endings: tuple[str, ...] = ("",)
    candidates: bool = False

    def matcher(self, fold: Callable[[str], str] = str) -> Callable[[str], bool]:
        """Return a function that tells whether a name is one of these, once `fold` has made names alike."""
        stems = {fold(stem) for stem in self.stems}
        endings = "|".join(re.escape(fold(e)).replace(r"\#", r"\d+") for e in self.endings)
        rest = re.compile(f"{'(_candidate_[0-9]+)?' if self.candidates else ''}({endings})")

        def is_one(name: str) -> bool:
            name = fold(name)
            cuts = [*(place for place, letter in enumerate(name) if letter == "_"), len(name)]
            return any(name[:cut] in stems and rest.fullmatch(name[cut:]) for cut in cuts)

        return is_one

    def examples(self) -> list[str]:
        """Return each of them with the number 1, without candidates."""
        return [f"{stem}{ending}".replace("#", "1") for stem in self.stems for ending in self.endings]

    def longest(self) -> str:
        """Return the longest of them, in UTF-8."""
        between = "_candidate_10" if self.candidates else ""
        stem = max(self.stems, key=lambda each: len(each.encode("utf-8", "surrogatepass")))
        return f"{stem}{between}{max(self.endings, key=len)}".replace("#", "10")


def possible_names(
    task: str,
    stems: Sequence[str],
    *,
    kind: FormatName = "imagej",
    report: bool = False,
    candidates: bool = False,
) -> PossibleNames:
    """Return the names that runs of a task may write, known before they have run.

    Parameters
    ----------
    task : str
        Its class declares what its outputs are called, as ``output_specs``.
    stems : sequence of str
        Beginnings of the names: those of the inputs.
    kind, report, candidates
        As in `save_results` and `Result.save`.
    """
    images = [spec for spec in (*TASKS.get(task).output_specs, FEATURES) if spec.kind != "values"]
    outputs = dict.fromkeys(spec.name for spec in images)
    outputs |= dict.fromkeys(unnumbered(spec.name) for spec in images if spec.of_mixture)
    endings = [f"_{name}{WRITERS.get(kind).suffixes[0]}" for name in outputs]
    endings += [*_ALWAYS, *(["_report.html"] if report else [])]
    return PossibleNames(tuple(stems), tuple(endings), candidates)


def plain_names(files: Mapping[str, str]) -> set[str]:
    """Return those names of a record that are plain, so that nothing outside its folder is touched."""
    return {name for name in files.values() if Path(name).name == name}
