"""Brightness moved between sources leaves their sum."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.core.brightness import split_brightness

SOURCES = list(np.random.default_rng(0).random((3, 5, 6)).astype(np.float32))


def test_sources_go_on_adding_up():
    moved = split_brightness(SOURCES, (0.3, -0.1, 0.05))
    np.testing.assert_allclose(np.sum(moved, axis=0), np.sum(SOURCES, axis=0), atol=1e-6)
    np.testing.assert_allclose((moved[0] - SOURCES[0]) - (moved[1] - SOURCES[1]), 0.4, atol=1e-6)
    assert {m.dtype for m in moved} == {np.dtype(np.float32)}


def test_equal_shifts_change_nothing():
    for moved, source in zip(split_brightness(SOURCES, (0.2, 0.2, 0.2)), SOURCES, strict=True):
        np.testing.assert_allclose(moved, source, atol=1e-7)


def test_one_shift_a_source():
    with pytest.raises(ValueError, match="Expected one shift for each of 3 sources, got 2"):
        split_brightness(SOURCES, (0.1, 0.2))
