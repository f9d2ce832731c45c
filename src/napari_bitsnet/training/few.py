"""The notice that there are very few images to learn from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

FEW = 10
"""Images of a kind below which a network mostly learns them by heart."""


def warn_of_few(counts: Mapping[str, int]) -> None:
    """Issue one warning if there are very few images of some kind.

    Parameters
    ----------
    counts : mapping of str to int
        Number of images by the name of the kind; an empty name where there is only one kind.

    Warns
    -----
    UserWarning
        If a kind has fewer than `FEW` images; none at all is a choice.
    """
    few = {name: count for name, count in counts.items() if 0 < count < FEW}
    if few:
        parts = [f"{count}{' of ' + name if name else ''}" for name, count in few.items()]
        warnings.warn(
            f"There are very few images ({', '.join(parts)}), which a network learns by heart: give at least "
            f"{FEW}{' of each kind' if len(counts) > 1 else ''}, better hundreds.",
            stacklevel=3,
        )
