"""Random units and drift: functions of surroundings and of colour, and slow changes along an image."""

import pytest
import torch

from napari_bitsnet.core.denoisers.gaussian import blur
from napari_bitsnet.core.displacement import Window
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods.guided import holdout, units
from napari_bitsnet.methods.guided.drift import Drift
from napari_bitsnet.methods.guided.parts import Parts
from napari_bitsnet.methods.guided.units import fitting_units

SIZE = 64


def image(seed: int) -> torch.Tensor:
    """Texture at several scales, (1, 3, SIZE, SIZE) in [0, 1]."""
    noise = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    mixed = noise + 4 * blur(noise, 1.5) + 12 * blur(noise, 4.0)
    return (mixed - mixed.amin()) / (mixed.amax() - mixed.amin())


def around(guide: torch.Tensor) -> torch.Tensor:
    """A smooth function of colours and of what surrounds them."""
    far = blur(guide, 3.0)
    return (guide[:, :1] * far[:, 1:2] - 0.5 * far[:, 2:]) + 0.3 * torch.sin(4 * guide[:, 1:2])


def sharp(guide: torch.Tensor) -> torch.Tensor:
    """A look-up of colour with a jump."""
    return (guide[:, :1] > guide[:, :1].median()).float() / 2


def drifting(guide: torch.Tensor) -> torch.Tensor:
    """A colour's density that falls along the image."""
    return guide[:, :1] * torch.linspace(1.5, 0.5, SIZE)


def missed(guides: list[torch.Tensor], hidden: torch.Tensor) -> float:
    """Return the part of the hidden images' variance that the fit gets wrong."""
    fit = exhaust(fitting_units(guides, hidden.sum(0, keepdim=True), None, seed=0))
    wrong = torch.stack(fit.explain(guides)) - hidden
    wrong = wrong - wrong.mean((2, 3), keepdim=True)
    spread = hidden - hidden.mean((2, 3), keepdim=True)
    return float(wrong.square().mean() / spread.square().mean())


@pytest.mark.parametrize(("function", "limit"), [(around, 0.1), (sharp, 0.5), (drifting, 0.1)])
def test_the_sides_are_told_apart(function, limit: float):
    guides = [image(0), image(1)]
    assert missed(guides, torch.cat([function(g) for g in guides])) < limit


def test_without_drift_a_density_that_changes_along_the_image_is_missed(monkeypatch: pytest.MonkeyPatch):
    guides = [image(0), image(1)]
    hidden = torch.cat([drifting(g) for g in guides])
    with_drift = missed(guides, hidden)
    monkeypatch.setattr(units, "DRIFT_RIDGE", 1e9)
    assert with_drift < 0.3 * missed(guides, hidden)


def test_missing_pixels_are_not_looked_at():
    guides = [image(0), image(1)]
    hidden = torch.cat([around(g) for g in guides])
    valid = torch.ones(1, 1, SIZE, SIZE, dtype=torch.bool)
    valid[..., 20:30, 5:50] = False
    mixture = hidden.sum(0, keepdim=True)
    fits = [
        exhaust(fitting_units(guides, seen, valid, seed=0))
        for seen in (mixture, torch.where(valid, mixture, 7.0))
    ]
    for one, other in zip(*(fit.weights for fit in fits), strict=True):
        torch.testing.assert_close(one, other)


def test_a_fit_at_reduced_size_serves_at_full_size_strip_by_strip(monkeypatch: pytest.MonkeyPatch):
    guides = [image(0), image(1)]
    hidden = torch.cat([around(g) for g in guides])
    mixture = hidden.sum(0, keepdim=True)
    fit = exhaust(fitting_units(guides, mixture, None, seed=0))
    whole = fit.explain(guides)
    monkeypatch.setattr(units, "STRIP", 7 * SIZE)
    for one, other in zip(whole, fit.explain(guides), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    monkeypatch.setattr(units, "FITTED_TO", 48 * 48)
    assert missed(guides, hidden) < 0.3


def test_wide_blurs_are_made_at_reduced_size(monkeypatch: pytest.MonkeyPatch):
    guide = image(4)
    direct = units.surroundings(guide)
    monkeypatch.setattr(units, "WIDE", 4.0)
    quick = units.surroundings(guide)
    assert not torch.equal(quick, direct)
    assert float((quick - direct).abs().max()) < 0.05


def test_drift_features_are_slow_and_sum_to_slow_waves():
    guide = image(3)
    drift = Drift(guide, 0)
    features = drift(guide, Window(0, 0, SIZE, SIZE))
    assert features.shape == (len(drift), SIZE, SIZE)
    part = drift(guide, Window(10, 4, 20, 30))
    torch.testing.assert_close(part, features[:, 10:30, 4:34])
    memberships = features.view(len(drift.clusters), -1, SIZE, SIZE)[: len(drift.clusters.centres)].sum(0)
    assert float(memberships.diff(dim=-1).abs().max()) < 0.2


def test_units_and_networks_count_where_context_helps_and_guides_explain_enough():
    share = holdout.CONTEXT_SHARE
    assert holdout.surroundings_weight(share, 0.9) == pytest.approx(1)
    assert holdout.surroundings_weight(0.0, 0.9) == 0
    assert holdout.surroundings_weight(share, 0.7) == 0
    assert holdout.surroundings_weight(share / 2, 0.75) == pytest.approx(0.25)


def test_networks_count_by_context_where_guides_explain_enough_and_by_their_error_elsewhere():
    parts = Parts.__new__(Parts)
    parts.complete, parts.context_weight = True, 0.0
    parts.energy = 0.9
    assert parts.well_explained
    assert parts.drifting_network_weight == 0
    parts.energy, parts.common, parts.kept = 0.3, 0.0, 1.0
    assert not parts.well_explained
    assert parts.network_weight(1.0) == holdout.NETWORK_SHARE
    parts.energy = 0.1
    assert parts.network_weight(1.0) == 0
    parts.energy, parts.common = 0.3, 0.5
    assert parts.network_weight(1.0) == 0
    parts.common = 0.0
    assert parts.network_weight(1.1) == 0
    parts.complete = False
    assert parts.network_weight(1.0) == 0
    parts.energy = 0.9
    assert not parts.well_explained
