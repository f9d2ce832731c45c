"""Networks that were trained for known kinds of images: whether their weights suit a problem."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_bitsnet.core.problem import Problem


def check_kinds(path: Path, facts: Mapping[str, Any], problem: Problem) -> None:
    """Check that weights are for the way in which images are superimposed, and for as many.

    Parameters
    ----------
    path : Path
        File of the weights, for the message.
    facts : mapping
        Its record: ``"kinds"`` (names) and ``"mixing"`` (``"linear"``, ``"attenuation"`` or another mixing).
    problem : Problem
        To be solved.

    Raises
    ------
    ValueError
        If they are for something else.
    """
    mixing = problem.mixing.name
    if mixing == "linear" and problem.density_of is not None:
        mixing = "attenuation"
    if facts["mixing"] != mixing:
        raise ValueError(
            f"Expected weights for the mixing {mixing}, got {path} for the mixing {facts['mixing']}: set "
            f"mixing={facts['mixing']}, or take other weights."
        )
    kinds = facts["kinds"]
    if len(kinds) != problem.n_sources:
        raise ValueError(
            f"Expected weights for {problem.n_sources} kinds of images, got {path} for {len(kinds)} "
            f"({', '.join(kinds)}): set n_sources={len(kinds)}."
        )
