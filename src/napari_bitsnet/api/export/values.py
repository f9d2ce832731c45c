"""Outputs that are numbers and no images, such as mixing weights, as tables."""

from __future__ import annotations

from dataclasses import dataclass

from napari_bitsnet.core.outputs import Output

_NAMES = {"M": "mixture", "K": "source", "C": "channel"}


@dataclass(frozen=True)
class Table:
    """Numbers in words.

    Parameters
    ----------
    caption : str
        What they are.
    columns : tuple of str
        ``"source 1"`` and so on.
    rows : tuple of (str, tuple of str)
        ``"mixture 1"`` and its numbers, and so on; a single row has no name.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def as_table(output: Output, index: int = 0) -> Table:
    """Return values as a table, of a stack those of one slice.

    Parameters
    ----------
    output : Output
        Of the kind ``"values"``: numbers along C (channels), or M (mixtures) and K (sources), and of a stack
        along its axes before.
    index : int
        Number of the slice.
    """
    own = [axis for axis in output.axes if axis in _NAMES]
    sizes = output.array.shape[output.array.ndim - len(own) :]
    values = output.array.reshape(-1, *sizes)
    shown = values[index if len(values) > 1 else 0].reshape(-1, sizes[-1])
    names = [f"{_NAMES[own[0]]} {k + 1}" for k in range(len(shown))] if len(own) > 1 else [""]
    columns = tuple(f"{_NAMES[own[-1]]} {k + 1}" for k in range(sizes[-1]))
    rows = tuple(
        (name, tuple(f"{value:.3g}" for value in row)) for name, row in zip(names, shown, strict=True)
    )
    return Table(output.caption, columns, rows)
