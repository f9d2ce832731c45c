"""Names of the kinds of images that a training learns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def kind_names(given: str, paths: Sequence[Path]) -> list[str]:
    """Return a name for each kind of image.

    Parameters
    ----------
    given : str
        Names, separated by commas; empty takes those of folders and files, or numbers where two of these are
        the same.
    paths : sequence of Path
        A folder, zip or stack of each kind.

    Raises
    ------
    ValueError
        If there is not a different name for each kind.

    Examples
    --------
    >>> kind_names("nuclei, fibres", [Path("a"), Path("b")])
    ['nuclei', 'fibres']
    >>> kind_names("", [Path("left/dots.zip"), Path("right/dots")])
    ['source 1', 'source 2']
    """
    if not given:
        names = [path.stem for path in paths]
        return names if len(set(names)) == len(names) else [f"source {k + 1}" for k in range(len(names))]
    names = [name.strip() for name in given.split(",")]
    if len(names) != len(paths) or len(set(names)) < len(names) or not all(names):
        raise ValueError(
            f"Expected {len(paths)} different names, one for each source, got {given!r}: separate them by "
            "commas."
        )
    return names
