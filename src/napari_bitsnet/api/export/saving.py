"""Results to files: images, a preview, a report and the record of the run, all written or none."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_bitsnet.api.export.bundle import Bundle
from napari_bitsnet.api.export.depth import Depth
from napari_bitsnet.api.export.names import record_path
from napari_bitsnet.api.export.overwriting import files_of
from napari_bitsnet.api.export.pixel_size import writable_calibration
from napari_bitsnet.api.export.space import check_space
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.writers import FormatName


def is_finished(folder: str | Path, stem: str) -> bool:
    """Whether a run was written in full: its record says so and the files it names are there."""
    path = record_path(folder, stem)
    files = files_of(path)
    if files is None or not json.loads(path.read_bytes())["complete"]:
        return False
    return all((path.parent / name).exists() for name in files)


def save_results(
    results: Mapping[str, tuple[Mapping[str, Output], Mapping[str, Any]]],
    mixture: Any,
    folder: Path,
    *,
    calibration: Calibration | None = None,
    inputs: Mapping[str, Any] | None = None,
    kind: FormatName = "imagej",
    depth: Depth = "float",
    report: bool = False,
    guides: Sequence[NDArray | None] = (),
    truths: Sequence[NDArray] | None = None,
) -> list[Path]:
    """Write results of one mixture, each as ``<stem>_<output>.tif`` for every image, ``<stem>_preview.png``
    and ``<stem>_run.json``.

    All are checked before the first is written. Every file of a result is written under a temporary name
    first; then all of them take their places, the record last, so that its presence says that all is there.
    Files of an earlier run under the same stem are replaced, and nothing else is.

    Parameters
    ----------
    results : mapping of str to (mapping of str to Output, mapping)
        Outputs and provenance (`Result.provenance`) by the stem, the beginning of the files' names. Outputs
        that are no images (mixing weights, say) go into the record, as ``values``.
    mixture : array
        What was run on, as it was given to `run`; for the preview and the layout.
    folder : Path
        Must exist; see `check_writable`.
    calibration : Calibration, optional
        How large a pixel is: of the mixture's file.
    inputs : mapping, optional
        Paths of the input files, for the record: ``mixture`` (a list), ``guides``, ``hints``, ``mask``. None
        of them is replaced.
    kind : {"imagej", "ome", "nifti", "zarr"} or the name of another writer
        ImageJ hyperstacks, OME-TIFF (``.ome.tif``), NIfTI (``.nii.gz``, with the affine of the calibration)
        or OME-Zarr (``.ome.zarr``, a folder). All have axes, pixel size and the record inside.
    depth : {"float", "input"}
        float32, or for images in the mixture's units (sources, explained parts, cleaned images) its own
        integers: rounded, clipped, NaN as 0. Densities, differences and maps stay float32.
    report : bool
        Whether to write ``<stem>_report.html`` as well; see `write_report`.
    guides
        For the report; see there.
    truths : sequence of K arrays, optional
        The true sources, for scores in the report; see `score_slice`.

    Returns
    -------
    list of Path
        The files of each result, its record last.

    Raises
    ------
    ValueError
        If an output would replace an input or a file that no earlier run of this stem wrote, the folder
        cannot hold the names, the kind of file not the integers or axes, or truths cannot be compared with
        the sources; before anything is written.
    OSError
        If a file cannot be written, `NoSpaceError` where the disk is full; the files of an earlier run are
        then as they were.

    Warns
    -----
    UserWarning
        If integers cannot hold some pixels (which files, and how many were clipped), or a pixel size is no
        finite number above 0; it goes into the record, too.

    Notes
    -----
    TIFFs are float32, labels uint8; ImageJ's are hyperstacks in the order of axes T, Z, C, Y, X: channels
    come before Y and X, since ImageJ knows no float32 RGB. NaN stays NaN.
    """
    calibration, notices = writable_calibration(calibration, kind)
    given = (calibration, tuple(notices), dict(inputs or {}), kind, depth, report, guides, truths)
    bundles = [
        Bundle(outputs, record, mixture, folder, stem, *given) for stem, (outputs, record) in results.items()
    ]
    for bundle in bundles:
        bundle.check()
    check_space(folder, sum(bundle.size() for bundle in bundles))
    files: list[Path] = []
    for bundle in bundles:
        more, told = bundle.write()
        files += more
        notices += told
    for text in dict.fromkeys(notices):
        warnings.warn(text, stacklevel=3)  # at the line that called `Result.save`
    return files
