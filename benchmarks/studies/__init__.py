"""One script for each question; ``python -m benchmarks.studies.NAME --help`` lists its options."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_bitsnet.core.problem import Problem


def arguments_of(text: str | None) -> argparse.ArgumentParser:
    """Return a parser of options, whose help shows the docstring of a script."""
    return argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)


def panel_arguments(text: str | None, *, first: int, n: int, size: int) -> argparse.ArgumentParser:
    """Return a parser with the options ``--first``, ``--n`` and ``--size`` of simulated panels."""
    parser = arguments_of(text)
    parser.add_argument("--first", default=first, type=int, help="Seed of the first panel.")
    parser.add_argument("--n", default=n, type=int, help="Number of panels.")
    parser.add_argument("--size", default=size, type=int, help="Side in pixels.")
    return parser


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows to a file of one JSON record a line, which `benchmarks.quality.measure.load_rows` reads."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def guided_problem(mixture: NDArray, guides: Sequence[NDArray | None]) -> Problem:
    """Return the problem of two sources with a guide, or None, for each."""
    from napari_bitsnet.core.images import normalise
    from napari_bitsnet.core.problem import Problem

    seen = normalise(mixture)
    tensors = tuple(None if guide is None else normalise(guide).tensor for guide in guides)
    return Problem(seen.tensor, 2, guides=tensors, scaling=seen.scaling)
