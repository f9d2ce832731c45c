"""The task with guides: which goes to which source, sizes, names, units, errors."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch

import napari_bitsnet as nb
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.methods.guided.checks import registration_scores
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression
from napari_bitsnet.tasks import Inputs
from napari_bitsnet.tasks.xray import Xray, XrayConfig, fit_guide, same_image
from tests.panels import shared_panel

PANEL = shared_panel(0, 48)


def outputs(inputs: Inputs, config: XrayConfig | None = None) -> dict[str, np.ndarray]:
    task, method = Xray(config), GuidedRegression(GuidedRegression.presets["quick"])
    built = task.build(inputs)
    state = method.start(built.problem, device="cpu", seed=0)
    for _ in method.advance(state):
        pass
    return task.outputs(built, method.solution(state))


def test_two_guides():
    found = outputs(Inputs(PANEL.mixture, guides=PANEL.guides))
    parts = ["source_1", "source_2", "explained_1", "explained_2", "unexplained"]
    assert list(found) == [*parts, "uncertainty", "phantoms", "residual"]
    assert found["uncertainty"].min() > 0
    assert found["phantoms"].min() >= 0
    without = outputs(Inputs(PANEL.mixture, guides=PANEL.guides), XrayConfig(maps=False))
    assert list(without) == [*parts, "residual"]
    span = float(np.ptp(PANEL.mixture.astype(float)))
    total = found["explained_1"].astype(float) + found["explained_2"] + found["unexplained"]
    np.testing.assert_allclose(total, PANEL.mixture, atol=1e-5 * span)
    assert np.abs(found["residual"]).max() < 1e-5 * span
    assert abs(found["unexplained"].mean()) < 1e-4 * span


@pytest.mark.parametrize("guides", [PANEL.guides, PANEL.guides[:1]])
def test_the_support_comes_out_of_what_holds_it(guides: list[np.ndarray]):
    y, x = np.mgrid[:48, :48]
    weave = np.sin(2 * np.pi * (0.21 * x + 0.1 * y)) + np.sin(2 * np.pi * (0.21 * y - 0.1 * x))
    span = float(np.ptp(PANEL.mixture.astype(float)))
    mixture = PANEL.mixture + 0.1 * span * weave
    mask = np.zeros((48, 48), bool)
    mask[5:9, 7:20] = True
    inputs = Inputs(mixture, guides=guides, mask=mask)
    plain, found = outputs(inputs), outputs(inputs, XrayConfig(support=True))
    seen = ~mask
    assert np.corrcoef(found["support"][seen], weave[seen])[0, 1] > 0.75
    assert np.isnan(found["support"][mask]).all()
    total = found["source_1"].astype(float) + found["source_2"] + found["support"]
    np.testing.assert_allclose(total[seen], mixture[seen], atol=1e-5 * span)
    left = plain["unexplained"] - found["unexplained"]
    np.testing.assert_allclose(left[seen], found["support"][seen], atol=1e-5 * span)
    taken = (plain["source_1"] - found["source_1"])[seen]
    part = float(taken @ found["support"][seen] / (found["support"][seen] @ found["support"][seen]))
    assert 0 <= part <= (0.5 if len(guides) == 1 else 0.7)
    np.testing.assert_allclose(taken, part * found["support"][seen], atol=1e-4 * span)
    apart = outputs(inputs, XrayConfig(support=True, unexplained="apart"))["source_1"]
    np.testing.assert_allclose(
        apart[seen], (found if len(guides) == 1 else plain)[names_of(guides)][seen], atol=1e-5 * span
    )


def test_networks_that_start_from_guides_find_the_support_too():
    found = nb.run(
        "xray",
        PANEL.mixture,
        guides=PANEL.guides,
        support=True,
        method="bitsnet",
        preset="quick",
        iterations=1,
    )
    span = float(np.ptp(PANEL.mixture.astype(float)))
    total = found.sources.astype(float).sum(axis=0) + found.outputs["support"]
    np.testing.assert_allclose(total, PANEL.mixture, atol=1e-4 * span)


def names_of(guides: list[np.ndarray]) -> str:
    """Where the first source stands if what is unexplained is kept apart: it is only if each source has a
    guide."""
    return "source_1" if len(guides) == 1 else "explained_1"


def test_what_no_guide_explains_can_be_kept_apart():
    inputs = Inputs(PANEL.mixture, guides=PANEL.guides)
    divided, apart = outputs(inputs), outputs(inputs, XrayConfig(unexplained="apart"))
    span = float(np.ptp(PANEL.mixture.astype(float)))
    np.testing.assert_allclose(apart["source_1"], divided["explained_1"], atol=1e-5 * span)
    np.testing.assert_allclose(apart["residual"], divided["unexplained"], atol=1e-4 * span)
    for k in (1, 2):  # the default gives each half
        half = divided[f"source_{k}"] - divided[f"explained_{k}"]
        np.testing.assert_allclose(half, divided["unexplained"] / 2, atol=1e-4 * span)
    one = Inputs(PANEL.mixture, guides=PANEL.guides[:1])  # the source without a guide takes it anyway
    np.testing.assert_array_equal(
        outputs(one, XrayConfig(unexplained="apart"))["source_2"], outputs(one)["source_2"]
    )


@pytest.mark.parametrize("guides", [[PANEL.guides[0]], [PANEL.guides[0], None]])
def test_one_guide_for_the_first_source(guides: list):
    found = outputs(Inputs(PANEL.mixture, guides=guides))
    assert "explained_1" in found
    assert "explained_2" not in found
    # the source without a guide takes most of the rest: the other one is nearer to its own part than an even
    # split is
    left = [np.std(found["source_1"] - found["explained_1"]), np.std(found["unexplained"])]
    assert 0 < left[0] < 0.5 * left[1]


def test_one_guide_for_the_second_source():
    found = outputs(Inputs(PANEL.mixture, guides=[None, PANEL.guides[1]]))
    assert "explained_2" in found
    assert "explained_1" not in found


def test_masked_pixels_come_back_missing():
    mask = np.zeros((48, 48), bool)
    mask[:5, :7] = True
    found = outputs(Inputs(PANEL.mixture, guides=PANEL.guides, mask=mask))
    for name, image in found.items():
        assert np.isnan(image[mask]).all(), name
        assert np.isfinite(image[~mask]).all(), name


def test_attenuation_adds_densities_and_multiplies_intensities():
    panel = shared_panel(0, 48, attenuation=True)
    inputs = Inputs(panel.mixture, guides=panel.guides)
    config = XrayConfig(mixing="attenuation", i0=panel.i0)
    density = outputs(inputs, config)
    observed = np.log(panel.i0) - np.log(panel.mixture.astype(float))
    total = density["explained_1"] + density["explained_2"] + density["unexplained"]
    np.testing.assert_allclose(total, observed, atol=1e-4)
    intensity = outputs(inputs, config.updated({"output": "intensity"}))
    np.testing.assert_allclose(
        intensity["explained_1"], panel.i0 * np.exp(-density["explained_1"]), rtol=1e-4
    )
    np.testing.assert_allclose(intensity["unexplained"], density["unexplained"])


def test_a_guide_of_another_pixel_size_is_resampled_with_a_warning():
    y, x = np.mgrid[:96, :120]
    fine = np.stack([x, y, x + y], -1).astype(np.uint16)
    notices: list[Notice] = []
    coarse = fit_guide(fine, (48, 60), 2, notices)
    (notice,) = notices
    assert str(notice).startswith("Resampled guide 2 of 96 x 120 pixels for a mixture of 48 x 60")
    assert coarse.shape == (48, 60, 3)
    inner = fine.reshape(48, 2, 60, 2, 3).mean((1, 3))[4:-4, 4:-4]
    assert np.abs(coarse[4:-4, 4:-4] - inner).max() < 0.1


def test_a_guide_of_the_same_size_is_left_alone():
    assert fit_guide(PANEL.guides[0], (48, 48), 1, []) is PANEL.guides[0]


@pytest.mark.parametrize(
    ("guides", "message"),
    [
        ([], "Expected a guide for at least one source, got none"),
        ([None, None], "Expected a guide for at least one source, got none"),
        ([PANEL.guides[0]] * 3, r"at most one guide for each of the 2 sources, got 3: .*n_sources=3"),
        (
            [PANEL.guides[0][:40]],
            r"guide 1 of 40 x 48 pixels for a mixture of 48 x 48: bring it onto the X-ray",
        ),
        ([None, PANEL.mixture], "another picture than the image as guide 2, got the image itself"),
        ([PANEL.guides[0], PANEL.guides[0].copy()], "the same picture as guides 1 and 2"),
        ([np.zeros((48, 48, 3))], "contrast, got the same value .* in guide 1"),
        ([None, np.zeros((48, 48), bool)], "got booleans for guide 2"),
        ([np.zeros((2, 48, 48, 3))], r"got shape \(2, 48, 48, 3\) for guide 1"),
    ],
)
def test_errors(guides: list, message: str):
    with pytest.raises((TypeError, ValueError), match=message):
        Xray().build(Inputs(PANEL.mixture, guides=guides))


def test_answers_of_methods_that_explain_nothing():
    inputs = Inputs(PANEL.mixture, guides=PANEL.guides)
    task = Xray()
    built = task.build(inputs)
    half = torch.cat([built.problem.observations] * 2) / 2
    names = ["source_1", "source_2", "residual", "phantoms"]
    assert list(task.outputs(built, {"sources": half})) == names


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_flat_and_dark_frames_from_files(tmp_path):
    panel = shared_panel(0, 48, attenuation=True)
    beam = np.linspace(0.6, 1.4, 48) + np.zeros((48, 1))
    dark = np.full((48, 48), 90.0, np.float32)
    transmitted = panel.i0 * np.exp(-panel.truths.sum(axis=0).astype(np.float64))
    flat = (panel.i0 * beam + dark).astype(np.float32)
    raw = (transmitted * beam + dark).astype(np.float32)
    raw[0, :4] = 10.0  # below the dark frame
    for name, frame in (("flat", flat), ("dark", dark)):
        tifffile.imwrite(tmp_path / f"{name}.tif", frame)
    frames = {name: tmp_path / f"{name}.tif" for name in ("flat", "dark")}
    result = nb.run("xray", raw, guides=panel.guides, preset="quick", mixing="attenuation", **frames)
    assert "4 without signal" in result.warnings[0]
    assert np.isnan(result.sources[:, 0, :4]).all()
    total = result.sources.sum(axis=0)[1:]
    np.testing.assert_allclose(total, panel.truths.sum(axis=0)[1:], atol=1e-3)
    assert result.provenance["i0"] == pytest.approx(panel.i0 * beam.mean(), rel=1e-3)
    intensity = nb.run(
        "xray", raw, guides=panel.guides, preset="quick", mixing="attenuation", output="intensity", **frames
    )
    product = np.prod(intensity.sources[:, 1:], axis=0, dtype=np.float64) / result.provenance["i0"]
    np.testing.assert_allclose(product, transmitted[1:] * beam.mean(), rtol=1e-3)
    assert np.abs(intensity.residual[1:]).max() < 1e-3 * panel.i0


def test_what_a_resampled_guide_does_not_cover_lends_no_colour():
    colours = np.random.default_rng(0).integers(100, 255, (64, 64, 3)).astype(np.uint8)
    opacity = np.where(np.arange(64) < 40, 255, 0).astype(np.uint8) + np.zeros((64, 1), np.uint8)
    guide = np.dstack([np.where(opacity[..., None] > 0, colours, 0), opacity])
    notices: list[Notice] = []
    fitted = fit_guide(guide, (32, 32), 1, notices)
    assert len(notices) == 1
    assert fitted.shape == (32, 32, 3)
    assert np.isfinite(fitted[:, :15]).all()
    assert np.isnan(fitted[:, 20:]).all()
    assert np.nanmin(fitted) >= 100


def test_a_guide_with_missing_pixels_given_twice_is_known():
    guide = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    guide[:, 12:] = np.nan
    assert same_image(guide, guide.copy())
    assert not same_image(guide, np.nan_to_num(guide))
    assert same_image(np.arange(4), np.arange(4))


def test_what_a_guide_does_not_cover_is_known_and_said():
    guide = PANEL.guides[0].astype(np.float32)
    guide[:, 36:] = np.nan
    opaque = np.dstack([PANEL.guides[1], np.full((48, 48), 255, np.uint8)])
    opaque[:12, :, 3] = 0
    built = Xray().build(Inputs(PANEL.mixture, (guide, opaque)))
    assert next(str(n) for n in built.notices).startswith("43.8% of the image are not covered by all guides")
    problem = built.problem
    expected = np.ones((48, 48), bool)
    expected[:, 36:] = expected[:12] = False
    np.testing.assert_array_equal(problem.valid[0, 0].numpy(), expected)
    assert Xray().build(Inputs(PANEL.mixture, PANEL.guides)).problem.valid is None
    mask = np.zeros((48, 48), np.uint8)
    mask[30:, :5] = 1
    both = Xray().build(Inputs(PANEL.mixture, (guide, opaque), mask=mask)).problem
    np.testing.assert_array_equal(both.valid[0, 0].numpy(), expected & (mask == 0))
    with pytest.raises(ValueError, match="Expected a mask of shape"):
        Xray().build(Inputs(PANEL.mixture, (guide, opaque), mask=mask[:9]))


def test_sources_are_empty_where_a_guide_covers_nothing():
    guide = PANEL.guides[0].astype(np.float32)
    guide[:, 36:] = np.nan
    result = nb.run("xray", PANEL.mixture, guides=(guide, PANEL.guides[1]), preset="quick")
    for name, image in result.outputs.items():
        assert np.isnan(image[:, 36:]).all(), name
        assert np.isfinite(image[:, :36]).all(), name


def test_a_border_that_a_guide_does_not_cover_needs_no_word():
    guide = PANEL.guides[0].astype(np.float32)
    guide[0, :40] = np.nan
    built = Xray().build(Inputs(PANEL.mixture, (guide, PANEL.guides[1])))
    assert int((~built.problem.valid).sum()) == 40
    assert list(built.notices) == []


def test_the_score_of_a_guide_is_that_of_the_part_it_covers():
    panel = shared_panel(5, 96, misregistration=0.0)
    guide = panel.guides[0].astype(np.float32)
    guide[:, 64:] = np.nan
    problem = Xray().build(Inputs(panel.mixture, (guide, None))).problem
    other = panel.guides[0].copy()
    other[:, 64:] = np.random.default_rng(0).integers(0, 255, (96, 32, 3))
    assert problem.valid is not None
    scrambled = replace(
        Xray().build(Inputs(panel.mixture, (other, None))).problem, valid=problem.valid
    )  # something else lies where it covers nothing
    trusted = replace(scrambled, valid=None)
    (score, _), (same, _), (lower, _) = (registration_scores(p)[0] for p in (problem, scrambled, trusted))
    assert lower < 0.8 * score
    assert same > 0.8 * score
