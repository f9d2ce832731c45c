"""Input files of a run, and their arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from napari_bitsnet.api.export.names import stem_of
from napari_bitsnet.cli.wording import in_flags
from napari_bitsnet.core.images import plane_axes
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.image_file import ImageFile
from napari_bitsnet.io.read import files_of, present, read_image

PAGES = "I"
"""tifffile's letter for the pages of a file that does not say whether they are slices, frames or channels."""


@dataclass(frozen=True)
class Images:
    """Input arrays of a run.

    Parameters
    ----------
    mixture : ndarray
        One image, a stack, or several mixtures along the first axis.
    axes : str or None
        Axes of the mixture, if they differ from the default.
    guides, hints, mask
        As in `napari_bitsnet.run`.
    truths : tuple of ndarray or None
        True sources, one per source like guides; None without any.
    calibration : Calibration or None
        Pixel size of the mixture.
    notices : tuple of str
        Notices about data that was ignored on reading.
    stored : dtype
        Stored type of the mixture's file or files; with missing pixels the array itself is floating.
    encodings : tuple of str or None
        What the files of coloured mixtures state of their values; see `ImageFile.encoding`.
    named : bool
        Whether the user or the mixture's file says what its dimensions are.
    """

    mixture: NDArray
    axes: str | None
    guides: tuple[NDArray | None, ...]
    hints: NDArray | None
    mask: NDArray | None
    truths: tuple[NDArray, ...] | None
    calibration: Calibration | None
    notices: tuple[str, ...]
    stored: np.dtype
    encodings: tuple[str | None, ...] = ()
    named: bool = True


@dataclass(frozen=True)
class Job:
    """Input files of a run.

    Parameters
    ----------
    mixtures : tuple of Path
        One file; with `several` one per mixture, or one file with all mixtures.
    guides : tuple of Path or None
        One per source.
    hints, mask : Path, optional
        Labels, and mask of excluded pixels.
    truths : tuple of Path
        One per source, for scores; they are no inputs of the run and appear in no record.
    part : dict
        Which part of the mixtures' files is read: ``series``, ``page`` and ``slices`` of `read_image`, as far
        as they are chosen.
    several : bool
        True if the task takes several mixtures.
    single : bool
        With `several`, True if the task also accepts one.
    """

    mixtures: tuple[Path, ...]
    guides: tuple[Path | None, ...] = ()
    hints: Path | None = None
    mask: Path | None = None
    truths: tuple[Path, ...] = ()
    part: dict[str, Any] = field(default_factory=dict)
    several: bool = False
    single: bool = False

    @property
    def stem(self) -> str:
        """Return the stem of the output names: the name of the (first) mixture."""
        return stem_of(self.mixtures[0])

    @cached_property
    def record(self) -> dict[str, Any]:
        """Return absolute paths and fingerprints of the files, for the record of the run."""

        def text(path: Path | None) -> str | None:
            return None if path is None else str(path.expanduser().absolute())

        return {
            "mixture": [text(path) for path in self.mixtures],
            "guides": [text(path) for path in self.guides],
            "hints": text(self.hints),
            "mask": text(self.mask),
            "contents": {str(text(path)): fingerprint(path) for path in self._files},
            "part": self.part,
        }

    @property
    def _files(self) -> list[Path]:
        return [p for p in (*self.mixtures, *self.guides, self.hints, self.mask) if p is not None]

    def check_present(self) -> None:
        """Check that every file exists, before any other check.

        Raises
        ------
        FileNotFoundError
            If a file does not exist; the message names the first one.
        """
        for path in (*self._files, *self.truths):
            present(path)

    def read(self, axes: str | None = None) -> Images:
        """Read all files.

        Parameters
        ----------
        axes : str, optional
            The mixture's axes, if the user names them; they override the file's.

        Raises
        ------
        FileNotFoundError, ValueError
            If one cannot be read, or mixtures differ in shape; see `read_image`.
        """
        self.check_present()
        mixtures = [read_image(path, **self.part) for path in self.mixtures]
        # photographs, labels and masks are read as displayed; measurements as stored
        guides = [None if path is None else read_image(path).as_shown() for path in self.guides]
        marks = [None if path is None else read_image(path).as_shown() for path in (self.hints, self.mask)]
        truths = [read_image(path) for path in self.truths]
        files = [file for file in (*mixtures, *guides, *marks, *truths) if file is not None]
        hints, mask = marks
        return Images(
            _stacked(mixtures) if len(mixtures) > 1 else mixtures[0].array,
            _axes(mixtures, axes, self.several, self.single),
            tuple(None if guide is None else guide.channels_last for guide in guides),
            None if hints is None else labels(hints),
            None if mask is None else marked(mask),
            tuple(truth.channels_last for truth in truths) or None,
            mixtures[0].calibration,
            (*(n for file in files for n in file.notices), *_blurred(mask)),
            np.result_type(*(file.stored for file in mixtures)),
            tuple(file.encoding for file in mixtures if "C" in (file.axes or "")),
            axes is not None or _names_dimensions(mixtures[0]),
        )


def say(notices: Iterable[str], task: str) -> None:
    """Print notices about changed or ignored data to stderr, with the task's flags."""
    for notice in notices:
        typer.echo(f"warning: {in_flags(notice, task)}", err=True)


def fingerprint(path: Path) -> str | None:
    """Return the start of a file's SHA-256, which detects changed files; None if it cannot be read.

    Of a folder or a pattern of files it is that of all names and contents.
    """
    try:
        files = files_of(path)
        if len(files) == 1 and not files[0].is_dir():
            with files[0].open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()[:16]
        digest = hashlib.sha256()
        # a folder that is an image has subfolders, one of slices is read without them
        within = [one for each in files for one in (sorted(each.rglob("*")) if each.is_dir() else [each])]
        for one in (one for one in within if one.is_file()):
            with one.open("rb") as file:
                digest.update(one.name.encode("utf-8", "surrogateescape"))
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]
    except OSError:
        return None


def labels(file: ImageFile) -> NDArray:
    """Return hints as integers: k for source k, 0 for unmarked and missing pixels.

    Raises
    ------
    ValueError
        If they are in colour, changed by lossy compression, or not whole numbers.
    """
    if file.lossy:
        raise ValueError(
            f"Expected hints as exact labels, got {file.path}, whose JPEG compression changes them: save it "
            "as PNG or TIFF."
        )
    if file.indices is not None:  # the labels, of which the file shows colours
        return file.indices.astype(np.int64)
    if file.axes is not None and "C" in file.axes:
        raise ValueError(
            f"Expected hints as one channel of labels, got {file.path} in colour: save it as grey."
        )
    array = np.nan_to_num(file.array, nan=0.0) if file.array.dtype.kind == "f" else file.array
    if not np.array_equal(array, np.asarray(array, dtype=np.int64)):
        raise ValueError(f"Expected hints as whole numbers, got {array.dtype} fractions in {file.path}.")
    return array.astype(np.int64)


def marked(file: ImageFile) -> NDArray:
    """Return a mask: True where a channel except opacity is not 0, or for a lossy file above half of the
    range."""
    values = file.channels_last
    if values.dtype.kind == "f":  # NaN: not even the mask has a pixel there
        values = np.nan_to_num(values, nan=0.0)
    marks = values > _half(values) if file.lossy else values.astype(bool)
    if file.axes is None or "C" not in file.axes:
        return marks
    return np.logical_or.reduce(marks[..., :3], axis=-1)


def _half(values: NDArray) -> int:
    """Half of JPEG's largest value: 8 bits, or 12 bits stored as 16."""
    return (2**8 if values.dtype == np.uint8 else 2**12) // 2 - 1


def _blurred(mask: ImageFile | None) -> tuple[str, ...]:
    """Return a notice about a mask with lossy compression."""
    if mask is None or not mask.lossy:
        return ()
    return (
        f"{mask.path.name} is a mask with JPEG compression, which blurs its outlines; pixels brighter than "
        "half are taken. Save masks as PNG.",
    )


def _stacked(files: list[ImageFile]) -> NDArray:
    if len({file.array.shape for file in files}) > 1:
        shapes = ", ".join(f"{file.path.name} {file.array.shape}" for file in files)
        raise ValueError(f"Expected mixtures of one shape, got {shapes}: crop or register them first.")
    return np.stack([file.array for file in files])


def _axes(files: list[ImageFile], given: str | None, several: bool, single: bool) -> str | None:
    """Return the given axes, else the first file's; None if they equal the default for its shape.

    Raises
    ------
    ValueError
        If channels cannot be taken for colours, or one image is given for several.
    """
    axes, shape = files[0].axes, files[0].array.shape
    doubt = next((file.doubt for file in files if file.doubt), "")
    if given is not None:
        if doubt and "C" in given.upper():
            raise ValueError(doubt)
        return given
    if axes is None:
        return None
    if several and len(files) == 1:
        stacked = [letter for letter in axes if letter not in "YXC"]
        if not stacked and doubt:  # channels that are no colours are the mixtures
            return axes.replace("C", "M")
        if not stacked and not single:
            raise ValueError(
                f"Expected several mixtures, got one image {shape} in {files[0].path.name}: name two files "
                f"or more, or one stack{_channels_as_mixtures(axes)}."
            )
        if stacked and not doubt:
            # the one axis that is neither space nor colour counts the mixtures
            return axes.replace(stacked[0], "M") if len(stacked) == 1 else axes
    if doubt:
        raise ValueError(doubt)
    if several and len(files) == 1:
        return axes
    try:
        return None if plane_axes(shape, None) == axes else axes
    except ValueError:
        return axes


def _names_dimensions(file: ImageFile) -> bool:
    """Return whether a file says what its dimensions are."""
    return file.axes is not None and PAGES not in file.axes


def _channels_as_mixtures(axes: str) -> str:
    if "C" not in axes:
        return ""
    return f', or say axes="{axes.replace("C", "M")}" if its channels are the mixtures'
