"""Check the outputs of a batch before any work: no protected file is replaced, and names are valid."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_bitsnet.api.choose import make_task
from napari_bitsnet.api.export.folders import check_name, folding
from napari_bitsnet.api.export.names import PossibleNames, possible_names, stem_of
from napari_bitsnet.api.export.overwriting import check_outputs
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.cli.job import Job
from napari_bitsnet.io.read import files_of
from napari_bitsnet.io.writers import FormatName


def check_batch(
    jobs: Sequence[Job],
    settings: RunSettings,
    folder: Path,
    *,
    kind: FormatName,
    report: bool,
    candidates: bool,
) -> None:
    """Check that all runs of a batch can write their files.

    Parameters
    ----------
    jobs : sequence of Job
        The runs; all their files are inputs, and none of them is written.
    settings : RunSettings
        Of every run; files that settings name are inputs, too.
    folder : Path
        Where outputs go; must exist.
    kind, report, candidates
        Which files are written; see `possible_names`.

    Raises
    ------
    ValueError
        If two runs would write the same files, an input or a file that is not ours would be replaced, or the
        folder cannot hold the names.
    """
    stems = [job.stem for job in jobs]
    _check_different(stems, folder, candidates=candidates)
    every = dict.fromkeys([*stems, *(stem_of(path) for job in jobs for path in job.mixtures)])
    names = possible_names(settings.task, tuple(every), kind=kind, report=report, candidates=candidates)
    inputs = [path for job in jobs for path in _files(job)]
    check_outputs(folder, names, inputs=[*inputs, *named_files(settings)])
    check_name(folder, names.longest())


def check_file(
    out: Path, suffixes: Sequence[str], *, inputs: Iterable[str | Path | None], record: str | None = None
) -> Path:
    """Check that a command can write its output file.

    Parameters
    ----------
    out : Path
        The file; its folder is made if it does not exist.
    suffixes : sequence of str
        Endings that say the format it is written in.
    inputs : iterable of path or None
        All files that the command reads.
    record : str, optional
        Ending of the record beside it, in place of the file's own; none if the file is itself the record.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    ValueError
        If the ending is another one, or an input or a file that is not ours would be replaced.
    """
    from napari_bitsnet.api.export.folders import check_writable

    if out.suffix.lower() not in suffixes or out.name.lower().endswith(".ome.tif"):
        raise ValueError(
            f"Expected a file that ends in {' or '.join(suffixes)} after --out, got {out.name}: no other "
            "format is written."
        )
    folder = check_writable(out.parent)
    records = [out.name if record is None else f"{out.stem}{record}"]
    names = PossibleNames((out.name, *records))
    given = [path for path in inputs if path is not None]
    check_outputs(folder, names, inputs=given, records=records)
    check_name(folder, names.longest())
    return folder / out.name


def named_files(settings: RunSettings) -> list[str | Path]:
    """Return the files that settings of task and method name: frames, weights."""
    chosen = [*make_task(settings).config.model_dump().values(), *settings.settings.values()]
    return [value for value in chosen if isinstance(value, str | Path) and os.path.isfile(value)]


def _files(job: Job) -> list[Path]:
    every = (*job.mixtures, *job.guides, job.hints, job.mask, *job.truths)
    return [file for path in every if path is not None for file in (path, *files_of(path))]


def _check_different(stems: Sequence[str], folder: Path, *, candidates: bool) -> None:
    """Check that no two runs write the same files."""
    fold = folding(folder)
    counts = Counter(fold(stem) for stem in stems)
    twice = {stem for stem in stems if counts[fold(stem)] > 1}
    if candidates:  # scan_candidate_1.tif beside the first candidate of scan.tif
        parts = {stem: re.fullmatch(r"(.+)_candidate_\d+", fold(stem)) for stem in stems}
        twice |= {stem for stem, part in parts.items() if part is not None and part[1] in counts}
    if twice:
        raise ValueError(
            f"Expected inputs of different names, got {', '.join(sorted(twice))} more than once: "
            "they would be written to the same files. Rename them or use several folders."
        )
