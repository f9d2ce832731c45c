"""Result of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_bitsnet.api.export.depth import Depth
from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.export.notebook import picture_and_text
from napari_bitsnet.api.export.preview import draw_preview
from napari_bitsnet.api.export.saving import save_results
from napari_bitsnet.api.run_inputs import planes_of
from napari_bitsnet.core.outputs import Output, source_names, stack_sources
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.writers import FormatName
from napari_bitsnet.tasks import TASKS

if TYPE_CHECKING:
    from napari_bitsnet.api.runner import Session
    from napari_bitsnet.core.notices import Notice


@dataclass(repr=False)
class Result:
    """Named outputs of a run, with the record that repeats it.

    Attributes
    ----------
    outputs : dict of str to Output
        Arrays with axes, kind and caption, in the layout of the mixture: ``source_1`` …, and by the task
        ``residual``, ``explained_1`` …, ``unexplained``, ``weights``. Images are float32 and NaN for missing
        pixels. Integers are labels, 0 for missing pixels.
    provenance : dict
        JSON values: versions, task, method, every setting, seed, device, threads, iterations, stop
        reason, seconds, final losses, warnings. ``provenance["settings"]`` is a `RunSettings` record.
    notices : tuple of Notice
        Notices about the result, as records; `warnings` has their texts.
    state : Session or None
        State that `resume` continues from; `drop_state` frees its memory.
    mixture, guides : array, sequence of array or None
        Inputs as given, not copied; used by `save`.
    """

    outputs: dict[str, Output]
    provenance: dict[str, Any]
    notices: tuple[Notice, ...] = ()
    state: Session | None = field(default=None, repr=False)
    mixture: Any = field(default=None, repr=False, kw_only=True)
    guides: Sequence[Any] = field(default=(), repr=False, kw_only=True)
    _candidates: tuple[NDArray, ...] | None = field(default=None, init=False, repr=False)

    def __repr__(self) -> str:
        made = self.provenance
        lines = [
            f"Result of {made['task']} by {made['method']} ({made['preset']}), "
            f"{made['iterations']} iterations, {made['seconds']} s",
            *(f"  {name}: {value.dtype} {value.shape}" for name, value in self.outputs.items()),
            *(f"  warning: {text}" for text in self.warnings),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the preview, and the text of `repr`."""
        if self.mixture is None:
            return picture_and_text(None, repr(self))
        task, axes = TASKS.get(self.provenance["task"]), self.provenance["settings"]["axes"]
        planes = planes_of(task, self.mixture, axes)
        return picture_and_text(draw_preview(self.outputs, self.provenance, planes), repr(self))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return the texts of the notices about the result."""
        return tuple(map(str, self.notices))

    @property
    def sources(self) -> NDArray:
        """Return the sources, ``(K, *mixture.shape)``, float32.

        Raises
        ------
        ValueError
            If the task has no sources, such as `denoise`.
        """
        if not source_names(self.outputs):
            raise self._without("separates sources")
        return stack_sources(self.outputs)

    @property
    def residual(self) -> NDArray:
        """Return the mixture minus the explained part, in the units of the mixture.

        Raises
        ------
        ValueError
            If the task has no residual, such as `segment`.
        """
        if "residual" not in self.outputs:
            raise self._without("returns a residual")
        return self.outputs["residual"].array

    def _without(self, wanted: str) -> ValueError:
        return ValueError(
            f"Expected a task that {wanted}, got {self.provenance['task']}, which returns "
            f"{', '.join(self.outputs)}: take one of these from outputs."
        )

    @property
    def candidates(self) -> tuple[NDArray, ...]:
        """Return alternative sources ``(K, *mixture.shape)`` in the units of the mixture, the most likely
        first.

        The answer itself is not included. Most methods have no alternatives, and stacks have none. They are
        computed from the state at the first access, and so not after `drop_state`.
        """
        if self._candidates is None:
            self._candidates = () if self.state is None else self.state.candidates()
        return self._candidates

    def choose(self, candidate: int) -> Result:
        """Return the result with one of its other splits as sources.

        Parameters
        ----------
        candidate : int
            Number among `candidates`, from 1; 0 is the answer itself.

        Returns
        -------
        Result
            Result with ``provenance["candidate"]``, without state and without maps of the answer, such as the
            confidence.

        Raises
        ------
        ValueError
            If there is no such candidate.
        """
        if candidate == 0:
            return self
        if not 1 <= candidate <= len(self.candidates):
            raise ValueError(
                f"Expected a candidate from 0 (the answer) to {len(self.candidates)}, got {candidate}: see "
                "candidates."
            )
        outputs = {name: output for name, output in self.outputs.items() if output.kind != "map"}
        for name, image in zip(source_names(outputs), self.candidates[candidate - 1], strict=True):
            outputs[name] = replace(outputs[name], array=image)
        return replace(
            self, outputs=outputs, provenance={**self.provenance, "candidate": candidate}, state=None
        )

    def save(
        self,
        folder: str | Path,
        stem: str = "result",
        *,
        format: FormatName = "imagej",
        depth: Depth = "float",
        report: bool = False,
        truths: Sequence[Any] | None = None,
        candidates: bool = False,
        calibration: Calibration | None = None,
        inputs: Mapping[str, Any] | None = None,
    ) -> list[Path]:
        """Write the same files as the command line: a TIFF of each image, a preview and the record of the
        run.

        Parameters
        ----------
        folder : str or Path
            Created with its parents if it does not exist. Only files of an earlier run with the same `stem`
            are replaced.
        stem : str
            Beginning of the names: ``<stem>_source_1.tif`` …, ``<stem>_preview.png``, ``<stem>_run.json``.
        format : {"imagej", "ome", "nifti", "zarr"}
            ImageJ hyperstacks, OME-TIFF (``.ome.tif``), NIfTI (``.nii.gz``) or OME-Zarr (``.ome.zarr``, a
            folder), or the name of another package's writer. Axes, pixel size and record are inside.
        depth : {"float", "input"}
            float32, or for images in the mixture's units (sources, explained parts, cleaned images) its own
            integers: rounded and clipped, NaN as 0.
        report : bool
            Whether to write ``<stem>_report.html`` as well: one page with pictures, settings and warnings.
        truths : sequence of K arrays, optional
            True sources in the units and the layout of `sources`, for scores in the report (`metrics.score`).
            Scores under attenuation are those of optical densities, scores of a stack those of its middle
            slice.
        candidates : bool
            Whether to write other splits, ``<stem>_candidate_1_source_1.tif`` …, as well.
        calibration : Calibration, optional
            Pixel size.
        inputs : mapping, optional
            Paths of the files of the arrays, for the record: ``mixture`` (a list), ``guides`` (a list),
            ``hints``, ``mask``. None of them is replaced.

        Returns
        -------
        list of Path
            The files, the record of the run last.

        Raises
        ------
        ValueError
            If the result does not come from a run, `stem` is no beginning of a file's name, the folder cannot
            be written to, a file would be replaced that is an input or that no earlier run under `stem`
            wrote, the kind of file cannot hold the integers or axes, or truths cannot be compared with the
            sources. Nothing is written then.
        OSError
            If a file cannot be written; the files of an earlier run are then as they were.

        Warns
        -----
        UserWarning
            If the mixture's integers cannot hold some pixels (which files, and how many were clipped), or the
            pixel size is no finite number above 0 and is left out.
        """
        if self.mixture is None:
            raise ValueError("Expected the result of a run, got one without its mixture: set result.mixture.")
        if stem in ("", ".", "..") or Path(stem).name != stem:
            raise ValueError(
                f"Expected the beginning of a file's name, got {stem!r}: folders belong into folder, as in "
                'save("out", "scan").'
            )
        others = range(1, len(self.candidates) + 1) if candidates else ()
        # the answer last: with its record all is there
        named = {f"{stem}_candidate_{number}": self.choose(number) for number in others} | {stem: self}
        return save_results(
            {name: (result.outputs, result.provenance) for name, result in named.items()},
            self.mixture,
            check_writable(folder),
            calibration=calibration,
            inputs=inputs,
            kind=format,
            depth=depth,
            report=report,
            guides=self.guides,
            truths=truths,
        )

    def drop_state(self) -> None:
        """Free networks and optimiser; the result can then no longer be resumed."""
        self.state = None
