"""Steps of the guided fit: whole-pixel shifts, features written in place."""

import pytest
import torch

from napari_bitsnet.core.colours import ColourBasis, fit_centres
from napari_bitsnet.core.displacement import Modes, Window
from napari_bitsnet.methods.guided.fit import Data, moved_energies, search_shift, shift_energies
from napari_bitsnet.methods.guided.model import GuidedModel, GuideTerm

SIZE = (40, 44)


def blobs(seed: int, channels: int, size: tuple[int, int] = SIZE) -> torch.Tensor:
    noise = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool2d(noise, 5, 1, 2, count_include_pad=False)


def term_of(image: torch.Tensor, source: int = 0, *, cracks: torch.Tensor | None = None) -> GuideTerm:
    basis, coarse = (ColourBasis(fit_centres(image, n, seed=0), 0.1) for n in (6, 4))
    return GuideTerm(image, source, basis, coarse, torch.zeros(2, 1), torch.zeros(0, 1), cracks)


@pytest.mark.parametrize("shift", [(0, 0), (2, -1), (-3, 3)])
def test_the_shift_is_found_by_moving_the_observation_as_by_moving_the_guide(shift: tuple[int, int]):
    guide = blobs(1, 3)
    seen = torch.roll(guide, (-shift[0], -shift[1]), dims=(2, 3)).mean(dim=1, keepdim=True)
    data = Data(seen + 0.2 * blobs(2, 1), None, [Window(0, 0, *SIZE)])
    term = term_of(guide)
    assert search_shift(term, data, 3) == shift
    shifts = [(y, x) for y in range(-3, 4) for x in range(-3, 4)]
    guide_moved, observation_moved = shift_energies(term, data, shifts), moved_energies(term, data, shifts)
    assert max(guide_moved, key=lambda s: guide_moved[s]) == shift
    for energies in (guide_moved, observation_moved):  # it is found by far
        assert sorted(energies.values())[-2] < 0.8 * energies[shift]


def test_with_missing_pixels_the_shift_is_found_too():
    guide = blobs(1, 3)
    valid = torch.ones(1, 1, *SIZE, dtype=torch.bool)
    valid[..., 10:14, 10:14] = False
    seen = torch.roll(guide, (-1, 2), dims=(2, 3)).mean(dim=1, keepdim=True)
    assert search_shift(term_of(guide), Data(seen * valid, valid, [Window(0, 0, *SIZE)]), 3) == (1, -2)


def test_windows_that_are_too_small_tell_nothing():
    data = Data(blobs(2, 1), None, [Window(0, 0, 6, 40)])
    assert moved_energies(term_of(blobs(1, 3)), data, [(0, 0), (3, 3)]) == {}


@pytest.mark.parametrize("drift", [1, 3])
def test_features_of_all_guides_are_those_of_each_and_explain_what_the_weights_say(drift: int):
    cracks = 0.2 * blobs(3, 1)
    terms = [term_of(blobs(1, 3), cracks=cracks), term_of(blobs(2, 1), 1)]
    model = GuidedModel(Modes(SIZE, 1), Modes(SIZE, drift), terms)
    window = Window(5, 7, 20, 30)
    parts = [model.features(term, window) for term in terms]
    whole = model.all_features(window)
    assert torch.equal(whole, torch.cat(parts))
    colours = model.aligned(terms[0], window)
    coarse = terms[0].coarse.memberships(colours)
    drifting = (coarse[:, None] * model.drift.fields(window, colours)[1:]).flatten(0, 1)
    expected = [
        terms[0].basis.memberships(colours),
        colours,
        drifting,
        coarse * model.cracks(terms[0], window),
    ]
    torch.testing.assert_close(parts[0], torch.cat(expected))
    weights = torch.randn(len(whole), 1, generator=torch.Generator().manual_seed(4))
    model.take(weights)
    assert torch.equal(model.weights, weights)
    explained = sum(model.explain(term, window) for term in terms)
    torch.testing.assert_close(explained, torch.einsum("nc,nhw->chw", weights, whole), atol=1e-5, rtol=0)
