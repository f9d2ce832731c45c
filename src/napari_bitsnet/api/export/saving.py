"""Results to files: float32 TIFFs, a preview and the record of the run, each written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.export.depth import as_integers, clipped, keeps_depth
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.api.export.preview import draw_preview
from napari_bitsnet.api.export.report import shown_slice, write_report
from napari_bitsnet.api.result import Result
from napari_bitsnet.api.export.scores import score_slice
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.tasks import own_input

_IMAGEJ_ORDER = "TZCYX"
TiffKind = Literal["imagej", "ome"]
Depth = Literal["float", "input"]


def check_writable(folder: str | Path) -> Path:
    """Make a folder and try it, before any long work.

    Parameters
    ----------
    folder : str or Path
        Made with its parents if it does not exist.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    ValueError
        If nothing can be written there.
    """
    folder = Path(folder).expanduser().absolute()
    trial = folder / f".trial.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise ValueError(
            f"Expected a folder that can be written to, got {folder} ({error.strerror}): choose another one."
        ) from error
    return folder


def record_path(folder: str | Path, stem: str) -> Path:
    """Where `save_result` puts the record of a run."""
    return Path(folder) / f"{stem}_run.json"


def is_finished(folder: str | Path, stem: str) -> bool:
    """Whether a run was written in full: its record says so and the files it names are there."""
    path = record_path(folder, stem)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return bool(record["complete"]) and all(
            (path.parent / name).exists() for name in record["files"].values()
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def save_result(
    result: Result,
    mixture: NDArray,
    folder: str | Path,
    stem: str,
    *,
    calibration: Calibration | None = None,
    inputs: Mapping[str, Any] | None = None,
    kind: TiffKind = "imagej",
    depth: Depth = "float",
    report: bool = False,
    guides: Sequence[NDArray | None] = (),
    truths: Sequence[NDArray] | None = None,
) -> list[Path]:
    """Write a result: ``<stem>_<output>.tif`` for every image, ``<stem>_preview.png``, ``<stem>_run.json``.

    Each file is written under a temporary name in the same folder and renamed; the record comes last, so
    that its presence says that all is there. Files of an earlier run under the same stem are replaced.

    Parameters
    ----------
    result : Result
        What to write. Outputs that are no images (mixing weights, say) go into the record, as ``values``.
    mixture : array
        What was run on, as it was given to `run`; for the preview and the layout.
    folder : str or Path
        Must exist; see `check_writable`.
    stem : str
        Beginning of the names.
    calibration : Calibration, optional
        How large a pixel is: of the mixture's file.
    inputs : mapping, optional
        Paths of the input files, for the record: ``mixture`` (a list), ``guides``, ``hints``, ``mask``.
    kind : {"imagej", "ome"}
        ImageJ hyperstacks, or OME-TIFF (``.ome.tif``). Either has axes, pixel size and the record inside.
    depth : {"float", "input"}
        float32, or for sources and explained parts the mixture's own integers: rounded, clipped, NaN as 0. Densities,
        differences and maps stay float32.
    report : bool
        Whether to write ``<stem>_report.html`` as well; see `write_report`.
    guides
        For the report; see there.
    truths : sequence of K arrays, optional
        The true sources, for scores in the report; see `score_slice`.

    Returns
    -------
    list of Path
        The files, the record last.

    Raises
    ------
    ValueError
        If truths cannot be compared with the sources, or there is no report for their scores; before anything is written.
    OSError
        If a file cannot be written; nothing half-written stays behind.

    Warns
    -----
    UserWarning
        If integers cannot hold some pixels: which files, and how many were clipped; it goes into the record, too.

    Notes
    -----
    TIFFs are float32, labels uint8; ImageJ's are hyperstacks in the order of axes T, Z, C, Y, X: channels come before Y and X, since
    ImageJ knows no float32 RGB. NaN stays NaN.
    """
    folder, record = Path(folder), record_path(folder, stem)
    planes = Planes(mixture, result.provenance["settings"]["axes"], **_layout(result))
    if truths is not None and not report:
        raise ValueError("Expected a report for the scores against truths, got none: report=True.")
    scores = None if truths is None else score_slice(result, planes, truths, shown_slice(planes))
    axes = {name: image_axes(output, planes) for name, output in result.outputs.items()}
    shown = dict(axes)
    for name in (name for name in axes if name.startswith("features_")):
        axes[name], shown[name] = "".join(planes.stack_axes) + "CYX", None  # many channels: no picture
    suffix = ".ome.tif" if kind == "ome" else ".tif"
    paths = [Path(path) for path in (inputs or {}).get("mixture") or [] if path]
    files = {name: f"{beginning}{suffix}" for name, beginning in _names(result, stem, paths, axes).items()}
    files["preview"] = f"{stem}_preview.png"
    earlier = _files_of(record)

    lost: dict[str, int] = {}
    record.unlink(missing_ok=True)
    for name, letters in axes.items():
        if letters is not None:
            with atomically(folder / files[name]) as path:
                image = result.outputs[name]
                if depth == "input" and keeps_depth(name, planes.array.dtype, result):
                    image, lost[files[name]] = as_integers(image, planes.array.dtype, letters)
                about = {**result.provenance, "output": name, "inputs": dict(inputs or {})}
                write_tiff(path, image, letters, calibration, kind=kind, record=about)
    with atomically(folder / files["preview"]) as path:
        _write_png(path, draw_preview(result, planes, shown))
    if report:
        files["report"] = f"{stem}_report.html"
        with atomically(folder / files["report"]) as path:
            write_report(
                path,
                result,
                mixture,
                title=stem,
                guides=guides,
                scores=scores,
                inputs=inputs,
                calibration=calibration,
            )
    for name in earlier - set(files.values()):
        (folder / name).unlink(missing_ok=True)

    values = {name: output.tolist() for name, output in result.outputs.items() if axes[name] is None}
    notice = clipped(lost, planes.array.dtype)
    content = {
        "complete": result.provenance["stop_reason"] != "stopped",
        **result.provenance,
        **({"warnings": [*result.provenance.get("warnings", ()), *notice]} if notice else {}),
        "planes": len(planes),
        "inputs": dict(inputs or {}),
        "files": files,
        "values": values,
    }
    with atomically(record) as path:
        path.write_text(json.dumps(_finite(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    for text in notice:
        warnings.warn(text, stacklevel=3)  # at the line that called `Result.save`
    return [*(folder / name for name in files.values()), record]


def image_axes(output: NDArray, planes: Planes) -> str | None:
    """Return the axes of an output in the layout of the mixture's `planes`, or None if it is no image."""
    full = planes.axes
    for axes in (full.replace("M", ""), full.replace("M", "").replace("C", ""), full, full.replace("C", "")):
        sizes = [planes.array.shape[full.index(a)] for a in axes]
        # opacity, the fourth channel, is not part of the outputs
        if len(axes) == output.ndim and all(
            n == size or (a == "C" and n == 3 and size == 4)
            for a, n, size in zip(axes, output.shape, sizes, strict=True)
        ):
            return axes
    return None


def write_tiff(
    path: Path,
    image: NDArray,
    axes: str,
    calibration: Calibration | None = None,
    *,
    kind: TiffKind = "imagej",
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write one image as a TIFF that ImageJ or readers of OME-TIFF understand.

    Parameters
    ----------
    path : Path
        Where to.
    image : array
        Any layout; 8 and 16-bit integers stay, all else becomes float32.
    axes : str
        One letter a dimension. Letters other than ImageJ's T, Z, C, Y, X take the place of Z or T where
        these are free; where they are not, the file is a plain TIFF with its axes in tifffile's description.
    calibration : Calibration, optional
        How large a pixel is.
    kind : {"imagej", "ome"}
        Whose metadata.
    record : mapping, optional
        Provenance, kept as JSON in ImageJ's Info or OME's Description.
    """
    import tifffile

    image = np.asarray(image)
    if image.dtype not in (np.uint8, np.uint16):
        image = image.astype(np.float32, copy=False)
    text = None if record is None else json.dumps(_finite(record), allow_nan=False)
    if kind == "ome":
        _write_ome(path, image, axes, calibration, text)
        return
    letters = list(axes)
    for place, letter in enumerate(letters):
        if letter not in _IMAGEJ_ORDER:
            letters[place] = next((free for free in "ZT" if free not in letters), letter)
    is_imagej = set(letters) <= set(_IMAGEJ_ORDER)
    if is_imagej:
        order = sorted(range(len(letters)), key=lambda place: _IMAGEJ_ORDER.index(letters[place]))
        image, letters = image.transpose(order), [letters[place] for place in order]
    metadata: dict[str, Any] = {"axes": "".join(letters)}
    options: dict[str, Any] = {}
    if calibration is not None:
        options = {"resolution": calibration.per_unit, "resolutionunit": calibration.resolution_unit}
        if is_imagej:
            metadata |= calibration.imagej_metadata()
    if is_imagej and "C" in letters:
        metadata["mode"] = "composite"
    if text is not None:
        metadata["Info" if is_imagej else "record"] = text
    tifffile.imwrite(
        path,
        image,
        imagej=is_imagej,
        photometric="minisblack",
        metadata=metadata,
        software="napari-bitsnet",
        **options,
    )


def _write_ome(
    path: Path, image: NDArray, axes: str, calibration: Calibration | None, text: str | None
) -> None:
    """OME-TIFF knows T, C, Z, Y and X; another letter takes the place of Z or T, more are put into T."""
    import tifffile

    letters = list(axes)
    for place, letter in enumerate(letters):
        if letter not in "TCZYX":
            letters[place] = next((free for free in "ZT" if free not in letters), letter)
    if not set(letters) <= set("TCZYX"):
        raise ValueError(
            f"Expected at most the axes T, C, Z, Y and X for OME-TIFF, got {axes}: write format='imagej'."
        )
    order = sorted(range(len(letters)), key=lambda place: "TCZYX".index(letters[place]))
    metadata: dict[str, Any] = {"axes": "".join(letters[place] for place in order)}
    options: dict[str, Any] = {}
    if calibration is not None:
        metadata |= calibration.ome_metadata()
        options = {"resolution": calibration.per_unit, "resolutionunit": calibration.resolution_unit}
    if text is not None:
        metadata["Description"] = text
    tifffile.imwrite(
        path,
        image.transpose(order),
        ome=True,
        photometric="minisblack",
        metadata=metadata,
        software="napari-bitsnet",
        **options,
    )


def stem_of(path: Path) -> str:
    """A file's name without its suffix, ``.ome.tif`` being one."""
    return path.name[: -len(".ome.tif")] if path.name.lower().endswith(".ome.tif") else path.stem


def _names(
    result: Result, stem: str, paths: Sequence[Path], axes: Mapping[str, str | None]
) -> dict[str, str]:
    """Names of the files of images, without suffix: outputs that belong to one of several mixtures are named by its file."""
    stems = [stem_of(path) for path in paths]
    names = {name: f"{stem}_{name}" for name in result.outputs if axes[name]}
    if len(stems) < 2 or len(set(stems)) < len(stems):
        return names
    for name in names:
        own = own_input(result.provenance["task"], name)
        if own is not None and own[1] < len(stems):
            names[name] = f"{stems[own[1]]}_{own[0]}"
    return names


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; what was written there takes its place at the end, or goes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _layout(result: Result) -> dict[str, bool]:
    """What the task says of its mixtures, as `Planes` asks for it."""
    from napari_bitsnet.tasks import TASKS

    observed = next(i for i in TASKS.get(result.provenance["task"]).inputs if i.name == "mixture")
    return {"several": observed.many, "single": observed.least == 1}


def _files_of(record: Path) -> set[str]:
    """File names that an earlier record lists; only plain names, so that nothing outside is touched."""
    try:
        names = json.loads(record.read_text(encoding="utf-8"))["files"].values()
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return set()
    return {name for name in names if isinstance(name, str) and Path(name).name == name}


def _write_png(path: Path, image: NDArray) -> None:
    from PIL import Image

    Image.fromarray(image).save(path, format="PNG")


def _finite(value: Any) -> Any:
    """Replace what JSON cannot say (NaN, infinities) by null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
