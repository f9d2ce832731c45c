from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.core.registration.checkerboard import checkerboard


def test_fields_show_one_image_and_the_other_in_turns():
    grey = np.tile(np.linspace(5, 9, 20), (20, 1))
    colour = np.zeros((20, 20, 4), np.uint8)
    colour[..., 0] = np.arange(20)[:, None] * 10
    board = checkerboard(grey, colour, fields=2)
    assert board.shape == (20, 20, 3)
    assert board.min() >= 0
    assert board.max() <= 1
    assert (np.ptp(board[:10, :10], axis=-1) == 0).all()  # grey
    assert (np.diff(board[0, 1:9, 0]) > 0).all()
    assert (board[:10, 10:, 1:] == 0).all()  # red
    assert (np.diff(board[1:9, 15, 0]) > 0).all()
    assert (np.ptp(board[10:, 10:], axis=-1) == 0).all()


def test_missing_pixels_are_black():
    image = np.arange(16.0).reshape(4, 4)
    image[0, 0] = np.nan
    assert (checkerboard(image, image)[0, 0] == 0).all()


def test_sizes_have_to_agree():
    with pytest.raises(ValueError, match=r"Expected images of one size, got \(4, 4\) and \(4, 5\)"):
        checkerboard(np.zeros((4, 4)), np.zeros((4, 5)))
