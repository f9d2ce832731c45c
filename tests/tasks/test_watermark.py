"""Watermarks: found, taken off, and nothing else touched; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.data.marks import draw_mark, lay_mark
from napari_bitsnet.data.photographs import bundled_photograph, photograph
from napari_bitsnet.tasks import Inputs
from napari_bitsnet.tasks.watermark import Watermark, WatermarkConfig

SIZE = (48, 96)


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    return [photograph(seed, SIZE) for seed in (2, 5, 7)]


def take_off(images, **arguments):
    return nb.run("watermark", images, preset="quick", device="cpu", **arguments).outputs


def gain(found, made, m=0) -> float:
    inside = made.opacity > 0
    errors = [((x - made.clean[m].astype(float))[inside] ** 2).mean() for x in (found, made.images[m])]
    return 10 * float(np.log10(errors[1] / errors[0]))


@pytest.mark.parametrize("colour", [(1, 1, 1), (0.05, 0.05, 0.05)], ids=["white", "dark"])
def test_a_mark_that_three_images_share_comes_off(photographs, colour):
    made = lay_mark(photographs, colour=colour, seed=1)
    outputs = take_off(made.images, settings={"rounds": 2})  # the second one knows the colour
    for m in range(3):
        assert gain(outputs[f"clean_{m + 1}"], made, m) > 8
    assert np.abs(outputs["mask"] - made.opacity).mean() < 0.75 * made.opacity.mean()


def test_a_mark_in_a_box_comes_off_and_all_else_stays():
    made = lay_mark([bundled_photograph("chelsea", SIZE)], seed=1)
    outputs = take_off(made.images[0], box=made.box)
    assert gain(outputs["clean"], made) > 5
    outside = np.ones(SIZE, bool)
    outside[made.box[0] : made.box[2], made.box[1] : made.box[3]] = False
    np.testing.assert_array_equal(outputs["clean"][outside], made.images[0][outside])
    untouched = outputs["mask"] == 0
    np.testing.assert_array_equal(outputs["clean"][untouched], made.images[0][untouched])


def test_image_clean_and_mark_agree_where_something_shows_through(photographs):
    made = lay_mark(photographs, seed=1)
    outputs = take_off(made.images)
    mask = outputs["mask"][..., None]
    told = (1 - mask) * outputs["clean_1"] + outputs["watermark"]
    inside = (outputs["clean_1"] > 0) & (outputs["clean_1"] < 255) & (mask < 0.55)
    assert np.abs(told - made.images[0])[inside].max() < 0.01


def test_what_an_opaque_mark_hides_is_filled_in():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    smooth = np.stack([0.2 + 0.3 * y / 48, 0.5 - 0.3 * x / 96, 0.3 + 0 * x], axis=-1)
    made = lay_mark([smooth], opacity=1.0, seed=1)
    outputs = take_off(made.images[0], box=made.box)
    assert outputs["mask"].max() == 1
    assert gain(outputs["clean"], made) > 15


def test_a_region_says_where_as_a_box_does(photographs):
    made = lay_mark(photographs[:1], seed=1)
    region = np.zeros(SIZE, bool)
    region[made.box[0] : made.box[2], made.box[1] : made.box[3]] = True
    by_region, by_box = take_off(made.images[0], mask=region), take_off(made.images[0], box=made.box)
    np.testing.assert_array_equal(by_region["clean"], by_box["clean"])


def test_images_without_a_mark_come_back_and_say_so():
    flat = np.stack([np.full(SIZE, v, np.uint8) for v in (60, 120)])
    flat[:, :, 40:] += 30
    result = None
    with pytest.warns(UserWarning, match="No mark was found"):
        result = nb.run("watermark", flat, preset="quick", device="cpu", colour=[255])
    np.testing.assert_array_equal(result.outputs["clean_2"], flat[1])
    assert result.outputs["mask"].max() == 0


def test_grey_and_fractional_images_keep_their_units(photographs):
    made = lay_mark(photographs[:2], seed=1)
    grey = made.images.mean(axis=-1) / 255
    outputs = take_off(grey)
    assert outputs["clean_1"].shape == SIZE
    assert outputs["watermark"].max() <= 1


def test_missing_pixels_stay_missing(photographs):
    images = lay_mark(photographs, seed=1).images.astype(np.float32)
    images[1, 3, 4] = np.nan
    outputs = take_off(images)
    assert np.isnan(outputs["clean_1"][3, 4]).all()
    assert np.isfinite(outputs["clean_1"][4:]).all()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "Expected a box or a region around the mark of a single image, got none"),
        ({"mask": np.zeros(SIZE, bool)}, "Expected a region with pixels in it, got an empty one"),
        ({"mask": np.ones((4, 4), bool)}, r"Expected a region of shape \(48, 96\), got \(4, 4\)"),
        ({"box": (100, 0, 120, 10)}, "Expected a box .* inside the image"),
        ({"box": (0, 0, 20, 20), "colour": (1, 2)}, "Expected a colour of 3 values, one per channel, got 2"),
    ],
)
def test_what_cannot_be_worked_on_is_refused(photographs, arguments, text):
    mask = arguments.pop("mask", None) if "mask" in arguments else None
    image = (255 * photographs[0]).astype(np.uint8)
    with pytest.raises(ValueError, match=text):
        Watermark(WatermarkConfig(**arguments)).build(Inputs(image[None], mask=mask))


def test_images_of_other_sizes_and_tiny_ones_are_refused():
    images = [np.zeros((20, 30, 3)), np.ones((21, 30, 3))]
    with pytest.raises(ValueError, match=r"of one size .* crop them so that their marks coincide"):
        Watermark().build(Inputs(images))
    with pytest.raises(ValueError, match="Expected at least 16 x 16 pixels to find a mark on, got 9 x 30"):
        Watermark().build(Inputs([image[:9] for image in (images[0], images[0])]))


def test_a_box_takes_in_the_pixels_that_it_touches():
    image = np.random.default_rng(0).random((20, 20))
    hints = Watermark(WatermarkConfig(box=(4.2, 6.8, 4.6, 7.1))).build(Inputs([image])).problem.hints
    assert np.argwhere(hints[1, 0].numpy()).tolist() == [[4, 6], [4, 7]]


@pytest.mark.parametrize("box", [(1.0, 2.0, 3.0), (9.0, 0.0, 3.0, 5.0)])
def test_a_box_has_four_edges_in_order(box):
    with pytest.raises(ValueError, match="Expected a box y0, x0, y1, x1"):
        WatermarkConfig(box=box)


def test_a_mark_is_drawn_from_its_seed():
    first, again, other = (draw_mark(seed, SIZE) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() == 1
    assert 0 < ((first > 0) & (first < 1)).sum() < (first == 1).sum() * 4
