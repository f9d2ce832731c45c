"""Outputs that are numbers, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from napari_bitsnet.api.export.values import as_table
from napari_bitsnet.core.outputs import Output


def values_in_words(outputs: Iterable[Output], names: Sequence[str]) -> Iterator[str]:
    """Return a line for each row of outputs that are numbers; a row of a mixture is called by its file."""
    for table in (as_table(output) for output in outputs if not output.is_image):
        for number, (row, values) in enumerate(table.rows):
            of = names[number] if row and len(names) == len(table.rows) else row
            told = ", ".join(f"{column} {value}" for column, value in zip(table.columns, values, strict=True))
            yield f"{table.caption.lower()}{f' of {of}' if of else ''}: {told}"
