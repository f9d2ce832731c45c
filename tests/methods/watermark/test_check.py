"""Whether a removal did good, told without the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_bitsnet as nb
from napari_bitsnet.data.marks import lay_mark
from napari_bitsnet.data.photographs import bundled_photograph, photograph
from napari_bitsnet.methods.watermark import watermark_matting
from napari_bitsnet.methods.watermark.check import part_removed

SIZE = (48, 96)


@pytest.fixture(scope="module")
def marked():
    clean = torch.from_numpy(photograph(2, SIZE).astype(np.float32)).permute(2, 0, 1)
    opacity = torch.zeros(SIZE)
    opacity[10:30, 20:70] = 0.5
    return clean, opacity, (1 - opacity) * clean + opacity


def test_the_truth_takes_the_edges_away_and_the_input_none(marked):
    clean, opacity, image = marked
    assert part_removed(image, clean, opacity) == pytest.approx(1, abs=0.1)
    assert part_removed(image, image, opacity) == 0
    assert part_removed(image, clean, torch.zeros(SIZE)) == 0


@pytest.mark.parametrize(("left", "expected"), [(0.25, 0.75), (0.5, 0.5), (-0.5, 0.5)])
def test_what_is_left_of_the_mark_counts(marked, left, expected):
    clean, opacity, image = marked
    assert part_removed(image, clean + left * (image - clean), opacity) == pytest.approx(expected, abs=0.15)


def test_edges_that_a_removal_adds_count_below_zero(marked):
    clean, opacity, _ = marked
    assert part_removed(clean, clean - 0.5 * opacity, opacity) < -1


def test_images_whose_mark_stays_are_returned_unchanged(monkeypatch):
    """Of three images the second one is kept, where the check says so; the others are cleaned."""
    made = lay_mark([photograph(seed, SIZE) for seed in (2, 5, 7)], seed=1)
    parts = iter([0.9, 0.2, 0.9])
    monkeypatch.setattr("napari_bitsnet.methods.watermark.check.part_removed", lambda *_: next(parts))
    with pytest.warns(UserWarning, match=r"took away 20% of the edges .* image 2 is returned unchanged"):
        outputs = nb.run("watermark", made.images, preset="quick", device="cpu").outputs
    np.testing.assert_array_equal(outputs["clean_2"], made.images[1])
    assert outputs["mask"].max() > 0.4
    for m in (0, 2):
        assert np.abs(np.asarray(outputs[f"clean_{m + 1}"]) - made.images[m]).max() > 20


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("colour", [(1, 1, 1), (0, 0, 0), (0.5, 0.5, 0.5), (0.8, 0.1, 0.1)])
def test_one_image_under_a_mark_of_unknown_colour_is_never_worse(colour):
    made = lay_mark([bundled_photograph("chelsea", SIZE)], colour=colour, seed=1)
    outputs = nb.run("watermark", made.images[0], box=made.box, preset="quick", device="cpu").outputs
    inside = made.opacity > 0
    before, after = (
        ((np.asarray(x, float) - made.clean[0])[inside] ** 2).mean()
        for x in (made.images[0], outputs["clean"])
    )
    assert after <= 1.0001 * before
    if not np.asarray(outputs["mask"]).any():
        np.testing.assert_array_equal(outputs["clean"], made.images[0])


def test_the_notice_names_images_and_remedy():
    one, two = (str(watermark_matting._kept(kept, 3, [0.3] * len(kept))) for kept in ([1], [0, 2]))
    assert "image 2 is returned unchanged" in one
    assert "images 1 and 3 are returned unchanged" in two
    assert str(watermark_matting._kept([0], 1, [-2.0])).startswith("The removal of the mark took away 0% ")
