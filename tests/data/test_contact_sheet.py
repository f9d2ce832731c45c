"""Contact sheets: places, captions, ranges, missing pixels."""

import numpy as np
import pytest

from napari_bitsnet.data.contact_sheet import contact_sheet, labels_in_words, labels_to_display, to_display

PINK = (196, 120, 160)


def test_display_maps_the_range_to_8_bits():
    shown = to_display(np.array([[-1.0, 0.0], [1.0, 3.0]]), 0, 2)
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown[..., 0], [[0, 0], [128, 255]])
    np.testing.assert_array_equal(shown[..., 0], shown[..., 2])


def test_display_stretches_by_default_and_survives_constants():
    ramp = np.linspace(-5, 5, 100).reshape(10, 10)
    assert (to_display(ramp).min(), to_display(ramp).max()) == (0, 255)
    assert np.ptp(to_display(np.full((4, 4), 7.0))) == 0


def test_display_marks_missing_pixels_and_drops_opacity():
    image = np.ones((4, 5, 4))
    image[1, 2, 0] = np.nan
    shown = to_display(image, 0, 1)
    assert tuple(shown[1, 2]) == PINK
    assert tuple(shown[0, 0]) == (255, 255, 255)
    assert (to_display(np.full((3, 3), np.nan)) == PINK).all()


def test_sheet_holds_every_image_in_its_place():
    red, blue = np.zeros((2, 30, 60, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    sheet = contact_sheet([[red, None], [None, blue]], [["a", ""], ["", "b\nc"]], cell=60)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == 8 + 2 * 68
    is_red = (sheet == (255, 0, 0)).all(axis=-1)
    is_blue = (sheet == (0, 0, 255)).all(axis=-1)
    assert is_red.sum() == is_blue.sum() == 30 * 60
    np.testing.assert_array_equal(np.argwhere(is_red)[[0, -1]], [[8, 8], [37, 67]])
    assert np.argwhere(is_blue)[0].tolist() == [8 + 30 + 16 + 8, 8 + 68]


def test_captions_and_title_are_drawn():
    image = np.zeros((20, 20))
    plain = contact_sheet([[image]], [[""]], cell=64)
    captioned = contact_sheet([[image]], [["source 1"]], cell=64)
    titled = contact_sheet([[image]], [[""]], title="case", cell=64)
    assert plain.shape == captioned.shape
    assert (captioned != plain).any()
    assert titled.shape[0] > plain.shape[0]


def test_large_images_are_fitted_with_their_aspect():
    sheet = contact_sheet([[np.zeros((100, 400, 3), np.uint8)]], [[""]], cell=80)
    black = np.argwhere((sheet == 0).all(axis=-1))
    assert (np.ptp(black, axis=0) + 1).tolist() == [20, 80]


@pytest.mark.parametrize(("rows", "captions"), [([], []), ([[]], [[]]), ([[np.zeros((2, 2))]], [["a", "b"]])])
def test_captions_have_to_match(rows, captions):
    with pytest.raises(ValueError, match="Expected images and one caption for each, got rows of"):
        contact_sheet(rows, captions)


def test_labels_have_colours_of_their_own():
    labels = np.array([[0, 1, 2], [3, 7, 8]], np.uint8)
    shown = labels_to_display(labels)
    assert shown.dtype == np.uint8
    assert (shown[0, 0] == PINK).all()
    assert (
        len({tuple(colour) for colour in shown.reshape(-1, 3).tolist()}) == 5
    )  # the eighth is the first again
    np.testing.assert_array_equal(shown[0, 1], shown[1, 2])
    assert all(np.ptp(colour.astype(int)) > 60 for colour in shown[0])
    assert labels_in_words(labels) == "0 pink, 1 orange, 2 blue, 3 green, 7 grey, 8 orange"
