"""Marks: scribbles, boxes and masks as labels and maps; scribbles drawn from known sources."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.quality.drawn_scribbles import draw_scribbles
from napari_bitsnet.core.hints import box_mask, hint_maps, paint, scribble_mask


def test_a_scribble_of_one_pixel_is_a_line():
    mask = scribble_mask((5, 6), [(1, 1), (1, 4), (3, 4)], width=1)
    assert np.argwhere(mask).tolist() == [[1, 1], [1, 2], [1, 3], [1, 4], [2, 4], [3, 4]]


def test_a_brush_widens_a_scribble_and_the_border_cuts_it():
    assert scribble_mask((5, 6), [(2, 2)], width=3).sum() == 9
    assert scribble_mask((5, 6), [(0, 0)], width=3).sum() == 4
    assert not scribble_mask((5, 6), [(-9, -9)], width=3).any()
    assert scribble_mask((5, 6), [(2, 2)], width=2)[2:4, 2:4].all()


@pytest.mark.parametrize(
    ("points", "width", "text"),
    [
        (np.zeros((0, 2)), 3, r"Expected points of shape \(P, 2\), .* got \(0, 2\)"),
        ([1, 2], 3, r"Expected points of shape \(P, 2\), .* got \(2,\)"),
        ([(1, 2)], 0, "Expected a brush of at least 1 pixel, got 0"),
    ],
)
def test_scribbles_that_make_no_sense_are_refused(points, width, text):
    with pytest.raises(ValueError, match=text):
        scribble_mask((5, 6), points, width=width)


def test_a_box_is_filled_without_its_far_corner():
    mask = box_mask((5, 6), (1, 2, 3, 9))
    assert np.argwhere(mask).tolist() == [[y, x] for y in (1, 2) for x in (2, 3, 4, 5)]
    with pytest.raises(ValueError, match=r"inside the image of \(5, 6\) pixels, got \(7, 0, 9, 3\)"):
        box_mask((5, 6), (7, 0, 9, 3))


def test_labels_are_painted_over_and_rubbed_out():
    blank = np.zeros((4, 5), dtype=np.uint8)
    labels = paint(
        paint(blank, box_mask((4, 5), (0, 0, 2, 5)), 2), scribble_mask((4, 5), [(1, 0)], width=1), 1
    )
    assert labels.dtype == np.uint8
    assert labels[:2].tolist() == [[2] * 5, [1, 2, 2, 2, 2]]
    assert not blank.any()
    assert not paint(labels, np.ones((4, 5)), 0).any()
    with pytest.raises(ValueError, match=r"Expected a mask of shape \(4, 5\), got \(5, 4\)"):
        paint(blank, np.ones((5, 4)), 1)


def test_maps_hold_one_plane_a_source():
    maps = hint_maps(np.array([[0, 1, 3], [2, 0, 3]]), 3)
    assert maps.dtype == torch.float32
    assert maps[:, 0].tolist() == [[[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, 1]]]
    assert hint_maps(np.zeros((2, 3), int), 2) is None


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.zeros((2, 4), int), r"Expected hints of the image's shape \(2, 3\), got \(2, 4\)"),
        (np.full((2, 3), 3), "0 for unknown and 1 to 2 for the sources, got int64 from 3 to 3"),
        (np.full((2, 3), -1), "from -1 to -1"),
        (np.ones((2, 3)), "got float64"),
    ],
)
def test_labels_that_make_no_sense_are_refused(labels, text):
    with pytest.raises(ValueError, match=text):
        hint_maps(labels, 2, shape=(2, 3))


# --- Scribbles drawn from the truth -------------------------------------------------------------------


def crossing(size: int = 64) -> np.ndarray:
    """A vertical and a horizontal edge, which cross in the middle."""
    upright, level = np.zeros((size, size)), np.zeros((size, size))
    upright[:, size // 2 :], level[size // 2 :] = 1, 1
    return np.stack([upright, level])


def test_scribbles_lie_on_the_edges_of_their_source():
    labels = draw_scribbles(crossing(), 6, length=9, width=1, seed=1)
    rows, columns = np.nonzero(labels == 1)
    assert len(rows) >= 9
    assert set(columns) <= {31, 32}
    assert not (abs(rows - 31.5) < 2).any()  # at the crossing it is not clear whose edge it is
    rows, columns = np.nonzero(labels == 2)
    assert len(rows) >= 9
    assert set(rows) <= {31, 32}


def test_scribbles_have_the_length_and_width_asked_for():
    truths = crossing()[:, :, :, None] * np.array([0.2, 1.0, 0.5])
    one = draw_scribbles(truths, 1, length=9, width=1, seed=2)
    assert (one == 1).sum() == 9
    assert set(np.unique(one)) == {0, 1}
    wide = draw_scribbles(truths, 1, length=9, width=3, seed=2)
    assert (wide == 1).sum() == 9 * 3 + 2 * 3  # the brush also covers one pixel beyond each end


def test_more_scribbles_hold_the_fewer_and_seeds_matter():
    few, many = (draw_scribbles(crossing(96), n, seed=4) for n in (2, 6))
    assert (many[few > 0] == few[few > 0]).all()
    assert (many > 0).sum() > (few > 0).sum()
    assert (draw_scribbles(crossing(96), 6, seed=4) == many).all()
    assert (draw_scribbles(crossing(96), 6, seed=5) != many).any()


def test_where_nothing_is_clear_nothing_is_drawn():
    same = np.stack([crossing()[0]] * 2)
    assert not draw_scribbles(same, 4).any()
