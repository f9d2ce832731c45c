"""One result as a bundle of files: checked as a whole, and written as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.export.depth import Depth, as_integers, check_depth, clipped, keeps_depth
from napari_bitsnet.api.export.folders import check_name
from napari_bitsnet.api.export.names import PossibleNames, image_names, record_path
from napari_bitsnet.api.export.overwriting import check_outputs, files_of
from napari_bitsnet.api.export.preview import draw_preview
from napari_bitsnet.api.export.report import shown_slice, write_report
from napari_bitsnet.api.export.scores import score_slice
from napari_bitsnet.api.export.space import SLACK, telling_what_is_missing
from napari_bitsnet.api.export.strict_json import strict_json
from napari_bitsnet.api.export.writing import write_image
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.api.run_inputs import planes_of
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.core.writing import Together, remove, together
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import files_of as files_of_input
from napari_bitsnet.io.writers import WRITERS, FormatName
from napari_bitsnet.tasks import TASKS

_COPIES = 4 / 3
"""Size of a pyramid, with all its smaller copies, as a multiple of the image."""


@dataclass
class Bundle:
    """One result on its way to files; parameters as those of `save_results`."""

    outputs: Mapping[str, Output]
    record: Mapping[str, Any]
    mixture: Any
    folder: Path
    stem: str
    calibration: Calibration | None
    notices: tuple[str, ...]
    inputs: Mapping[str, Any]
    kind: FormatName
    depth: Depth
    report: bool
    guides: Sequence[NDArray | None]
    truths: Sequence[NDArray] | None

    @cached_property
    def planes(self) -> Planes:
        """The mixture as the task took it."""
        return planes_of(TASKS.get(self.record["task"]), self.mixture, self.record["settings"]["axes"])

    @cached_property
    def dtype(self) -> np.dtype:
        """The type in which the mixture is stored, also where missing pixels made floats of it."""
        return np.dtype(self.record.get("stored", self.planes.stored))

    @cached_property
    def images(self) -> dict[str, Output]:
        """Outputs that are written as images."""
        return {name: output for name, output in self.outputs.items() if output.is_image}

    @cached_property
    def scores(self) -> Mapping[str, Any] | None:
        """Scores against the truths, for the report."""
        if self.truths is None:
            return None
        return score_slice(self.outputs, self.record, self.planes, self.truths, shown_slice(self.planes))

    @cached_property
    def files(self) -> dict[str, str]:
        """Name of the file of each image, and of preview and report."""
        paths = [Path(path) for path in self.inputs.get("mixture") or [] if path]
        names = image_names(self.stem, paths, self.images)
        files = {
            name: f"{beginning}{WRITERS.get(self.kind).suffixes[0]}" for name, beginning in names.items()
        }
        files["preview"] = f"{self.stem}_preview.png"
        if self.report:
            files["report"] = f"{self.stem}_report.html"
        return files

    def check(self) -> None:
        """See that all of it can be written; see `save_results` for what is raised."""
        if self.truths is not None and not self.report:
            raise ValueError("Expected a report for the scores against truths, got none: report=True.")
        record = record_path(self.folder, self.stem).name
        earlier = files_of(record_path(self.folder, self.stem)) or ()  # those that are left over go
        names = PossibleNames((*self.files.values(), record, *earlier))
        check_outputs(self.folder, names, inputs=recorded_files(self.inputs, self.record))
        check_name(self.folder, names.longest())
        if any(map(self._keeps_depth, self.images.values())):
            check_depth(self.planes.array, self.kind, self.dtype)
        self.scores  # noqa: B018  (computed once; errors come before anything is written)

    def size(self) -> int:
        """Bytes that the files need, estimated from above: pictures are smaller than what they show."""
        own = self.dtype.itemsize
        sizes = [output.size * (own if self._keeps_depth(output) else 4) for output in self.images.values()]
        copies = _COPIES if WRITERS.get(self.kind).is_folder else 1.0
        return int(copies * sum(sizes)) + SLACK * (len(self.files) + 1)

    def write(self) -> tuple[list[Path], list[str]]:
        """Write all files, or none; return them, the record last, and what has to be said about them."""
        record = record_path(self.folder, self.stem)
        earlier = files_of(record) or set()
        lost: dict[str, int] = {}
        size = self.size()
        with together(self.folder) as files, telling_what_is_missing(files, size):
            # a run that is killed while files take their places leaves a record of what may be replaced
            names = {f"file {k + 1}": name for k, name in enumerate(sorted({*earlier, *self.files.values()}))}
            _write_record(files, record.name, {"complete": False, **self._facts(), "files": names})
            for name, image, axes, kind in self._written(lost):
                about = {**self.record, "output": name, "inputs": dict(self.inputs)}
                path = files.part(self.files[name])
                write_image(
                    path,
                    image,
                    axes,
                    self.calibration,
                    format=self.kind,
                    record=about,
                    labels=kind == "labels",
                )
            self._write_pages(files)
            notices = clipped(lost, self.dtype)
            _write_record(files, record.name, self._record([*self.notices, *notices]))
        for name in earlier - {*self.files.values(), record.name}:
            remove(self.folder / name)
        return [*(self.folder / name for name in self.files.values()), record], notices

    def _written(self, lost: dict[str, int]) -> Iterator[tuple[str, NDArray, str, str]]:
        """Every image as it is written, with its name, axes and kind; how many pixels were clipped goes into
        `lost`."""
        for name, output in self.images.items():
            image = output.array
            if self._keeps_depth(output):
                image, lost[self.files[name]] = as_integers(image, self.dtype, output.axes)
            yield name, image, output.axes, output.kind

    def _write_pages(self, files: Together) -> None:
        _write_png(files.part(self.files["preview"]), draw_preview(self.outputs, self.record, self.planes))
        if self.report:
            write_report(
                files.part(self.files["report"]),
                self.outputs,
                self.record,
                self.planes,
                title=self.stem,
                guides=self.guides,
                scores=self.scores,
                inputs=self.inputs,
                calibration=self.calibration,
            )

    def _keeps_depth(self, output: Output) -> bool:
        return self.depth == "input" and keeps_depth(output.kind, output.units, self.dtype)

    def _facts(self) -> dict[str, Any]:
        return {**self.record, "planes": len(self.planes), "inputs": dict(self.inputs)}

    def _record(self, notices: Sequence[str]) -> dict[str, Any]:
        """The record of the run: what repeats it, the files, and the outputs that are no images."""
        said = {"warnings": [*self.record.get("warnings", ()), *notices]} if notices else {}
        return {
            "complete": self.record["stop_reason"] != "stopped",
            **self._facts(),
            **said,
            "files": self.files,
            "values": {name: o.array for name, o in self.outputs.items() if name not in self.images},
        }


def recorded_files(inputs: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[str]:
    """Return the paths of all files that a run read, as far as it recorded them.

    Parameters
    ----------
    inputs : mapping
        Paths by what they are, single or in lists.
    provenance : mapping
        Settings may name files, too: frames, weights.
    """
    named = [inputs.get(name) for name in ("mixture", "guides", "hints", "mask")]
    paths = [path for entry in named for path in (entry if isinstance(entry, list | tuple) else [entry])]
    chosen = [
        value for of in ("task_settings", "method_settings") for value in provenance.get(of, {}).values()
    ]
    files = [value for value in chosen if isinstance(value, str) and os.path.isfile(value)]
    read = [str(file) for path in paths if path is not None for file in (path, *files_of_input(path))]
    return [*read, *files]


def _write_record(files: Together, name: str, content: Mapping[str, Any]) -> None:
    files.part(name).write_text(strict_json(content, indent=2) + "\n", encoding="utf-8")


def _write_png(path: Path, image: NDArray) -> None:
    from PIL import Image

    Image.fromarray(np.asarray(image)).save(path, format="PNG")
