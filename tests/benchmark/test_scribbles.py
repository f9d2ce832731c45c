"""Scribbles drawn from the truth."""

from __future__ import annotations

import numpy as np

from napari_bitsnet.benchmark.scribbles import LENGTH, draw_scribbles


def _truths() -> np.ndarray:
    truths = np.zeros((2, 40, 40))
    truths[0, :, 20:] = 0.5  # a vertical edge
    truths[1, 30:, :] = 0.5  # a horizontal one
    return truths


def test_scribbles_lie_along_the_edges_of_their_source():
    labels = draw_scribbles(_truths(), 6)
    assert set(np.argwhere(labels == 1)[:, 1]) <= {19, 20}
    assert set(np.argwhere(labels == 2)[:, 0]) <= {29, 30}
    assert LENGTH <= (labels == 1).sum() <= 3 * LENGTH


def test_more_scribbles_contain_the_fewer_and_the_seed_decides():
    few, more, other = (draw_scribbles(_truths(), n, seed) for n, seed in ((4, 0), (12, 0), (4, 1)))
    assert (more[few > 0] == few[few > 0]).all()
    assert (more > 0).sum() > (few > 0).sum()
    assert not np.array_equal(few, other)


def test_a_source_without_edges_gets_none():
    truths = _truths()
    truths[1] = 0.2
    assert set(np.unique(draw_scribbles(truths, 6))) == {0, 1}
