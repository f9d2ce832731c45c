"""What a run returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_bitsnet.api.export.depth import Depth
from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.export.saving import save_results
from napari_bitsnet.core.outputs import Output, source_names, stack_sources
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.writers import FormatName

if TYPE_CHECKING:
    from napari_bitsnet.api.runner import Session
    from napari_bitsnet.core.notices import Notice


@dataclass(repr=False)
class Result:
    """Named outputs, what they mean, and how to get them again.

    Attributes
    ----------
    outputs : dict of str to Output
        Arrays that say what they are, in the mixture's layout: ``source_1`` …, and by the task ``residual``,
        ``explained_1`` …, ``unexplained``, ``weights``. Images are float32 and NaN where pixels are missing. Integers are
        labels, 0 where pixels are missing.
    provenance : dict
        Ready for JSON: versions, task, method, every setting, seed, device, threads, iterations, stop
        reason, seconds, final losses, warnings. ``provenance["settings"]`` is a `RunSettings` record.
    notices : tuple of Notice
        What the user should know before trusting the result, as records; `warnings` has the text.
    state : Session or None
        What `resume` goes on from; `drop_state` gives its memory back.
    mixture, guides : array, sequence of array or None
        What was run on, as it was given and not copied; for `save`.
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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before trusting the result."""
        return tuple(map(str, self.notices))

    @property
    def sources(self) -> NDArray:
        """The sources, ``(K, *mixture.shape)``, float32."""
        return stack_sources(self.outputs)

    @property
    def residual(self) -> NDArray:
        """The mixture minus what the sources explain, in the mixture's units."""
        return self.outputs["residual"].array

    @property
    def candidates(self) -> tuple[NDArray, ...]:
        """Other sources ``(K, *mixture.shape)`` that the mixture may consist of, the likeliest first, in its units.

        The answer itself is not among them. Most methods know none, nor are there any for stacks. They are made from the
        state when they are first asked for, so none are left to make after `drop_state`.
        """
        if self._candidates is None:
            self._candidates = () if self.state is None else self.state.candidates()
        return self._candidates

    def choose(self, candidate: int) -> Result:
        """Return the result with another one of its splits as its sources.

        Parameters
        ----------
        candidate : int
            Its number among `candidates`, from 1; 0 is the answer itself.

        Returns
        -------
        Result
            ``provenance["candidate"]`` says which one it is. Without maps such as the confidence, which are the answer's, and
            without state.

        Raises
        ------
        ValueError
            If there is no such candidate.
        """
        if candidate == 0:
            return self
        if not 1 <= candidate <= len(self.candidates):
            raise ValueError(
                f"Expected a candidate from 0 (the answer) to {len(self.candidates)}, got {candidate}: see candidates."
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
        """Write what the command line writes: a TIFF of every image, a preview and the record of the run.

        Parameters
        ----------
        folder : str or Path
            Made with its parents if it does not exist. Files of an earlier run under the same `stem` are replaced, and
            nothing else is.
        stem : str
            Beginning of the names: ``<stem>_source_1.tif`` …, ``<stem>_preview.png``, ``<stem>_run.json``.
        format : {"imagej", "ome", "nifti", "zarr"}
            ImageJ hyperstacks, OME-TIFF (``.ome.tif``), NIfTI (``.nii.gz``) or OME-Zarr (``.ome.zarr``, a folder), or the name
            of another package's writer. Axes, pixel size and record are inside.
        depth : {"float", "input"}
            float32, or for images in the mixture's units (sources, explained parts, cleaned images) its own integers:
            rounded and clipped, NaN as 0.
        report : bool
            Whether to write ``<stem>_report.html``, one page with pictures, settings and warnings, as well.
        truths : sequence of K arrays, optional
            The true sources where they are known, in the units and the layout of `sources`: the report then has scores
            (`metrics.score`), under attenuation in optical density, of a stack those of its middle slice.
        candidates : bool
            Whether to write the other splits, ``<stem>_candidate_1_source_1.tif`` …, as well, where there are any.
        calibration : Calibration, optional
            How large a pixel is.
        inputs : mapping, optional
            Paths of the files that the arrays came from, for the record: ``mixture`` (a list), ``guides`` (a list),
            ``hints``, ``mask``. None of them is replaced.

        Returns
        -------
        list of Path
            The files, the record of the run last.

        Raises
        ------
        ValueError
            If the result does not come from a run, `stem` is no beginning of a file's name, the folder cannot be
            written to, a file would be replaced that is an input or that no earlier run under `stem` wrote, the kind of
            file cannot hold the integers or axes, or truths cannot be compared with the sources. Nothing is written then.
        OSError
            If a file cannot be written; the files of an earlier run are then as they were.

        Warns
        -----
        UserWarning
            If the mixture's integers cannot hold some pixels (which files, and how many were clipped), or the pixel size is
            no finite number above 0 and is left out.
        """
        if self.mixture is None:
            raise ValueError("Expected the result of a run, got one without its mixture: set result.mixture.")
        if stem in ("", ".", "..") or Path(stem).name != stem:
            raise ValueError(
                f'Expected the beginning of a file\'s name, got {stem!r}: folders belong into folder, as in save("out", "scan").'
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
        """Forget networks and optimiser; the result can then no longer be resumed."""
        self.state = None
