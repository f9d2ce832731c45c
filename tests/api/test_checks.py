"""Looking at inputs before a run; warnings of tasks and methods reach the result."""

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet import api
from napari_bitsnet.api.checks import check
from napari_bitsnet.api.notices import doubtful, recommended
from napari_bitsnet.core.images import bands
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.data.photographs import bundled_photograph
from tests.panels import shared_panel


def sides():
    return shared_panel(5, 96)


def test_good_inputs_have_nothing_to_say():
    assert check("xray", sides().mixture, guides=sides().guides) == []
    assert check("separate", sides().mixture) == []


def test_score_and_shift_are_said_also_where_all_is_well():
    found = check("xray", sides().mixture, guides=sides().guides)
    assert [place.guide for place in found.places] == [1, 2]
    for place in found.places:
        assert place.score >= place.enough
        assert max(map(abs, place.shift)) <= place.spacing == 2
        assert str(place) in str(found)
    assert str(found).startswith("No problems found.")
    assert check("separate", sides().mixture).places == ()


def test_shifts_are_in_pixels_of_the_mixture():
    """Of an image larger than what is looked at, too: this one is three times as large as the panel."""
    panel = shared_panel(5, 96, misregistration=0.0)
    mixture, guide = (image.repeat(3, 0).repeat(3, 1) for image in (panel.mixture, panel.guides[0]))
    found = check("xray", mixture, guides=[np.roll(guide, (11, -7), axis=(0, 1))])
    (place,) = found.places
    assert place.spacing == round(2 * 288 / 160)
    assert abs(place.shift[0] - 11) <= place.spacing
    assert abs(place.shift[1] + 7) <= place.spacing
    words = f"{place.shift[0]} px too low and {-place.shift[1]} px too far to the left"
    assert any(f"about {words} (score of the check {place.score:.1f})" in text for text in found)
    assert str(place).startswith(f"Guide 1 lies {words}, to within {place.spacing} px")


def test_a_stack_is_looked_at_in_its_middle():
    stack = np.stack([np.zeros_like(sides().mixture), sides().mixture, np.zeros_like(sides().mixture)])
    assert check("xray", stack, guides=sides().guides, axes="ZYX") == []


def test_findings_are_in_words():
    mirrored = [sides().guides[0], sides().guides[1][::-1].repeat(2, 0).repeat(2, 1)]
    found = check("xray", sides().mixture, guides=mirrored)
    assert found[0].startswith("Resampled guide 2 of 192 x 192 pixels")
    assert any(text.startswith("Guide 2 fits no place") for text in found)


def test_inputs_that_cannot_be_worked_on_are_refused():
    with pytest.raises(ValueError, match="bring it onto the X-ray first"):
        check("xray", sides().mixture, guides=[sides().guides[0][:60]])


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_a_task_warns_of_and_where_the_unexplained_went_reach_the_result():
    double = sides().guides[1].repeat(2, 0).repeat(2, 1)
    result = api.run("xray", sides().mixture, guides=[sides().guides[0], double], preset="quick")
    resampled, divided = result.warnings
    assert resampled.startswith("Resampled guide 2")
    assert "divided between the sources" in divided
    assert [notice.category for notice in result.notices] == ["resampled", "guides"]
    assert result.provenance["warnings"] == list(result.warnings)
    assert result.provenance["losses"]["explained_energy"] > 0.3
    apart = api.run("xray", sides().mixture, guides=sides().guides, preset="quick", unexplained="apart")
    assert apart.warnings == ()


def test_of_large_images_bands_are_looked_at(monkeypatch):
    image = np.arange(1000.0)[:, None] + np.zeros((1000, 32))
    assert bands(image) is image
    monkeypatch.setattr("napari_bitsnet.core.images.LOOKED_AT", 32 * 16 * 32)
    seen = bands(image)
    assert seen.shape == (512, 32)
    assert (seen.min(), seen.max()) == (0, 999)
    assert abs(seen.std() - image.std()) < 0.1 * image.std()


def test_low_confidence_is_said_with_the_ways_out():
    assert doubtful(np.full((4, 4), 0.25), 0.25) == []
    low = np.full((4, 4), 0.1)
    low[0, 0] = np.nan
    (notice,) = doubtful(low, 0.25)
    assert str(notice).startswith("Hardly told apart: the confidence is 0.10 on average")
    assert notice.category == "doubtful"
    assert notice.numbers == {"mean": pytest.approx(0.1)}
    assert "a guide" in notice.remedy


def test_patterns_that_repeat_are_pointed_out_to_who_used_another_method():
    alone = Traits(n_sources=2)
    tiles = np.tile(np.random.default_rng(0).random((16, 16, 3)), (6, 6, 1))
    photograph = bundled_photograph("astronaut", 96)
    (notice,) = recommended("feedforward", (tiles + photograph) / 2, alone)
    assert 'method="periodic"' in str(notice)
    assert recommended("periodic", (tiles + photograph) / 2, alone) == []
    assert recommended("guided_regression", (tiles + photograph) / 2, Traits(n_sources=2, n_guides=1)) == []
    assert recommended("feedforward", (bundled_photograph("coffee", 96) + photograph) / 2, alone) == []
    assert recommended("feedforward", tiles[:20, :20], alone) == []  # too small to say
    result = nb.run("separate", tiles, method="double_dip", preset="quick", iterations=2)
    assert any("resembles itself" in text for text in result.warnings)
