"""Formats that can be written: the `Writer` contract and its registry. A new format is one file in this
folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from napari_bitsnet.core.registry import Registry
from napari_bitsnet.io.calibration import Calibration

FormatName = str
"""Name of a writer, as ``format`` and ``--format`` take it: ``"imagej"``, ``"ome"``, ``"nifti"``, ``"zarr"``,
…"""


class Writer(Protocol):
    """Writes one format. Libraries are imported inside `write`."""

    @property
    def title(self) -> str:
        """Of the format, as messages name it: ``"OME-TIFF"``."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of the names of its files, the usual one first."""

    @property
    def extra(self) -> str:
        """Name of the extra that brings its library; empty where none is needed."""

    @property
    def integers(self) -> tuple[str, ...]:
        """Types of whole numbers that it holds; all else is given as float32."""

    @property
    def is_folder(self) -> bool:
        """Whether what is written is a folder."""

    def write(
        self,
        path: Path,
        image: NDArray,
        axes: str,
        calibration: Calibration | None,
        *,
        record: str | None,
        labels: bool,
        suffix: str,
    ) -> None:
        """Write one image.

        Parameters
        ----------
        path : Path
            Where to, under any name; nothing is there.
        image : array
            float32, or one of `integers`; where `is_folder`, also a dask array, which is written piece by
            piece.
        axes : str
            One letter a dimension, those of `known_axes`.
        calibration : Calibration or None
            How large a pixel is, as far as the format holds it.
        record : str or None
            Provenance as JSON, to be kept inside.
        labels : bool
            Whether values are labels, which have no means.
        suffix : str
            One of `suffixes`, where these differ in more than the name.

        Raises
        ------
        ValueError
            If the format does not hold these axes.
        """


WRITERS: Registry[Writer] = Registry("format", __name__, "napari_bitsnet.writers")


def format_type() -> Any:
    """Return the type of all names of formats, for the command line and forms."""
    return Literal[tuple(sorted(WRITERS.names(), key=lambda name: (name != "imagej", name)))]


def format_of(name: str) -> tuple[FormatName, str]:
    """Return the format that the ending of a file's name asks for, and that ending.

    Raises
    ------
    ValueError
        If no format has it; the message lists those that there are.
    """
    endings = {suffix: each for each in WRITERS for suffix in WRITERS.get(each).suffixes}
    found = max((ending for ending in endings if name.lower().endswith(ending)), key=len, default=None)
    if found is None or len(name) == len(found):
        raise ValueError(
            f"Expected a name that ends in {', '.join(sorted(endings))}, got {name!r}: the ending says the "
            "format."
        )
    return endings[found], found


def known_axes(axes: str) -> str:
    """Return axes with letters that files do not know in the place of Z or T, where these are free."""
    letters = list(axes)
    for place, letter in enumerate(letters):
        if letter not in "TCZYX":
            letters[place] = next((free for free in "ZT" if free not in letters), letter)
    return "".join(letters)


def in_order(image: NDArray, axes: str, order: str, title: str) -> tuple[NDArray, str]:
    """Return an image with its axes in the order of a format, and their letters.

    Raises
    ------
    ValueError
        If the format, `title`, does not hold one of the axes.
    """
    if not set(axes) <= set(order):
        raise ValueError(
            f"Expected at most the axes T, C, Z, Y and X for {title}, got {axes}: write format='imagej'."
        )
    places = sorted(range(len(axes)), key=lambda place: order.index(axes[place]))
    return image.transpose(places), "".join(axes[place] for place in places)
