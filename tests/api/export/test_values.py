"""Outputs that are numbers, as tables."""

import numpy as np
import pytest

from napari_bitsnet.api.export.values import as_table
from napari_bitsnet.core.outputs import Output

WEIGHTS = np.array([[[0.7, 0.3], [0.25, 0.75]], [[1.0, 2.0], [3.0, 12345.0]]])


@pytest.mark.parametrize(
    ("array", "axes", "index", "rows"),
    [
        (WEIGHTS[0], "MK", 0, (("mixture 1", ("0.7", "0.3")), ("mixture 2", ("0.25", "0.75")))),
        (WEIGHTS, "ZMK", 1, (("mixture 1", ("1", "2")), ("mixture 2", ("3", "1.23e+04")))),
        (WEIGHTS[:, None], "TZMK", 1, (("mixture 1", ("1", "2")), ("mixture 2", ("3", "1.23e+04")))),
        (np.array([0.5, 0.25]), "C", 0, (("", ("0.5", "0.25")),)),
        (WEIGHTS[0], "ZC", 1, (("", ("0.25", "0.75")),)),
    ],
)
def test_a_table_of_one_slice(array, axes, index, rows):
    table = as_table(Output(array, axes, "values", "Numbers"), index)
    assert table.rows == rows
    assert table.columns == tuple(f"{'channel' if axes[-1] == 'C' else 'source'} {k}" for k in (1, 2))
