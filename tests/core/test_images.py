from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.images import Scaling, check_image, normalise, plane_axes, restore


def colour(dtype=np.float64, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(0).random((6, 7, channels))
    return (values * 200 + 20).astype(dtype)


# --- Axes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((5, 6), None, "YX"),
        ((5, 6, 3), None, "YXC"),
        ((5, 6, 4), None, "YXC"),
        ((9, 5, 6), "zyx", "ZYX"),
        ((9, 5, 6, 3), "TYXC", "TYXC"),
        ((3, 5, 6), "CYX", "CYX"),
    ],
)
def test_axes_are_declared_or_beyond_doubt(shape, axes, expected):
    assert plane_axes(shape, axes) == expected


@pytest.mark.parametrize("shape", [(9, 5, 6), (5,), (2, 3, 4, 3)])
def test_axes_in_doubt_must_be_declared(shape):
    with pytest.raises(ValueError, match=r"Expected an image \(Y, X\) or .* say what its dimensions are"):
        plane_axes(shape, None)


@pytest.mark.parametrize("axes", ["YX", "YYX", "ZTC", "ZYXC"])
def test_axes_must_fit_the_shape(axes):
    with pytest.raises(
        ValueError, match=r"one different letter a dimension with Y and X .* shape \(9, 5, 6\)"
    ):
        plane_axes((9, 5, 6), axes)


# --- Arrays that cannot be worked on --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "error", "text"),
    [
        (np.ones((4, 4), dtype=bool), TypeError, "got booleans for the image: a mask is not an image"),
        (np.ones((4, 4), dtype=complex), TypeError, "got complex128 for the image: take its magnitude first"),
        (np.full((4, 4), "a"), TypeError, "Expected numbers, got <U1"),
        (np.empty((0, 4)), ValueError, r"got an empty array of shape \(0, 4\)"),
        (np.full((4, 4), np.nan), ValueError, "got only NaN or infinite ones"),
        (np.full((4, 4), np.inf), ValueError, "got only NaN or infinite ones"),
    ],
)
def test_what_is_no_image_is_refused(array, error, text):
    with pytest.raises(error, match=text):
        check_image(array)
    with pytest.raises(error, match="guide 2"):
        check_image(array, "guide 2")


@pytest.mark.parametrize(
    ("array", "options", "text"),
    [
        (np.zeros((2, 4, 4, 3)), {}, r"Expected one plane \(Y, X\) or \(Y, X, C\), got shape \(2, 4, 4, 3\)"),
        (np.zeros((4, 4, 2)), {}, "Expected 1, 3 or 4 channels, got 2"),
        (np.zeros((1, 1)), {}, "Expected at least 2 x 2 pixels, got 1 x 1"),
        (np.zeros((1, 9)), {}, "got 1 x 9"),
        (np.full((4, 4), 7), {}, r"got the same value \(7\) everywhere in the image"),
        (np.eye(4), {"mask": np.zeros((4, 5))}, r"Expected a mask of shape \(4, 4\), got \(4, 5\)"),
        (np.eye(4), {"mask": np.ones((4, 4))}, "got none left after masking"),
        (np.eye(4), {"lo": 1.0, "hi": 1.0}, "for 0 and 1 in rising order, got 1 and 1"),
        (np.eye(4), {"lo": 5.0, "hi": 2.0}, "for 0 and 1 in rising order, got 5 and 2"),
    ],
)
def test_planes_that_cannot_be_worked_on_are_refused(array, options, text):
    with pytest.raises(ValueError, match=text):
        normalise(array, **options)


# --- Range --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32])
def test_integers_come_back_exactly(dtype):
    limits = np.iinfo(dtype)
    top = min(limits.max, 65535)
    levels = np.linspace(max(limits.min, -32768), top, 256 * 256).round().astype(dtype).reshape(256, 256)
    done = normalise(levels)
    assert done.tensor.dtype == torch.float32
    assert (float(done.tensor.min()), float(done.tensor.max())) == (0.0, 1.0)
    back = restore(done.tensor, done.scaling)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back[0].round().astype(dtype), levels)


@pytest.mark.parametrize("array", [colour(), colour()[..., 0], colour(np.uint8), colour(channels=1)])
def test_restore_undoes_normalise(array):
    done = normalise(array)
    assert done.tensor.shape[0] == 1
    assert done.scaling.has_channels == (array.ndim == 3)
    np.testing.assert_allclose(restore(done.tensor, done.scaling)[0], array, rtol=1e-6, atol=1e-4)


def test_shares_add_up_to_the_mixture_in_its_units():
    array = colour() + 5000
    done = normalise(array)
    parts = torch.rand((3, 3, 6, 7), generator=torch.Generator().manual_seed(0))
    parts *= done.tensor / parts.sum(dim=0)
    total = restore(parts, done.scaling, share_of=3).astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(total, array, rtol=1e-6)


def test_a_given_range_is_kept_and_clips():
    done = normalise(np.array([[0.0, 5.0], [10.0, 20.0]]), lo=5, hi=10)
    np.testing.assert_array_equal(done.tensor[0, 0], [[0, 0], [1, 1]])
    assert done.scaling == Scaling(5.0, 10.0, False)
    assert done.scaling.span == 5


def test_channels_share_one_range():
    array = np.zeros((2, 2, 3))
    array[..., 2] = [[0, 1], [2, 4]]
    np.testing.assert_allclose(normalise(array).tensor[0, :, 1, 0], [0, 0, 0.5])


# --- Missing pixels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_pixels_are_filled_and_come_back_as_nan(bad):
    array = colour()
    array[2, 3, 1] = bad
    done = normalise(array)
    assert done.tensor.isfinite().all()
    assert (~done.valid[0, 0]).nonzero().tolist() == [[2, 3]]
    neighbours = [done.tensor[0, :, y, x] for y, x in ((1, 3), (3, 3), (2, 2), (2, 4))]
    assert any(torch.equal(done.tensor[0, :, 2, 3], n) for n in neighbours)
    back = restore(done.tensor, done.scaling, valid=done.valid)[0]
    assert np.argwhere(np.isnan(back).all(axis=-1)).tolist() == [[2, 3]]
    seen = np.isfinite(back)
    np.testing.assert_allclose(back[seen], array[seen], rtol=1e-5)


def test_masked_pixels_do_not_set_the_range():
    array = colour()
    array[0, 0] = 1e6
    mask = np.zeros((6, 7), dtype=np.uint8)
    mask[0, 0] = 1
    done = normalise(array, mask=mask)
    assert done.scaling.hi < 300
    assert not done.valid[0, 0, 0, 0]


def test_whole_images_have_no_mask():
    assert normalise(colour()).valid is None
    assert normalise(colour(), mask=np.zeros((6, 7), dtype=bool)).valid is None


def test_opacity_is_dropped_and_clear_pixels_are_missing():
    array = colour(np.uint8, channels=4)
    array[..., 3] = 255
    array[1, 1] = [255, 255, 255, 0]
    done = normalise(array)
    assert done.tensor.shape == (1, 3, 6, 7)
    assert done.scaling.hi == array[..., :3][array[..., 3] > 0].max()
    assert (~done.valid[0, 0]).nonzero().tolist() == [[1, 1]]


def test_the_array_is_left_alone():
    array = colour()
    array[0, 0] = np.nan
    before = array.copy()
    normalise(array)
    np.testing.assert_array_equal(array, before)
