"""Cracks in photographs: found where they were drawn, divided out exactly, harmless without weights."""

import numpy as np
import pytest
import torch

from napari_bitsnet.core.problem import Problem
from napari_bitsnet.data.paintings import painting
from napari_bitsnet.data.xray_layers import cracks
from napari_bitsnet.methods.guided import cracks as _guided_cracks
from napari_bitsnet.methods.guided.cracks import crack_network, cracks_of, find_cracks
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression
from napari_bitsnet.methods.guided.model import healed


def cracked(seed: int, size: int = 128) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A painting, what cracks take from it, and what is left, each (1, C, H, W)."""
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(painting(rng, (size, size))[0]).permute(2, 0, 1)[None].float()
    taken = 0.2 * torch.from_numpy(cracks(rng, (size, size)))[None, None].float()
    return image, taken, image * (1 - taken)


def test_cracks_are_found_where_they_were_drawn():
    image, taken, photograph = cracked(7)
    found, nothing = find_cracks(photograph), find_cracks(image)
    assert found.shape == taken.shape
    assert np.corrcoef(found.ravel(), taken.ravel())[0, 1] > 0.25
    assert (found - taken).square().mean() < taken.square().mean()
    assert nothing.mean() < 0.7 * found.mean()


def test_healing_divides_them_out():
    image, taken, photograph = cracked(8, 64)
    torch.testing.assert_close(healed(photograph, taken), image, atol=1e-5, rtol=0)
    assert healed(photograph, None) is photograph
    assert healed(torch.ones(3, 2, 2), torch.full((1, 2, 2), 0.5)).max() == 1


def test_large_photographs_are_looked_at_in_tiles(monkeypatch: pytest.MonkeyPatch):
    photograph = cracked(9, 96)[2]
    whole = find_cracks(photograph)
    monkeypatch.setattr(_guided_cracks, "TILE", 64)
    tiled = find_cracks(photograph)
    assert np.corrcoef(whole.ravel(), tiled.ravel())[0, 1] > 0.9
    assert find_cracks(photograph[..., :61, :53]).shape == (1, 1, 61, 53)


def test_without_weights_there_are_no_cracks(monkeypatch: pytest.MonkeyPatch, tmp_path):
    photograph = cracked(9, 64)[2]
    found = cracks_of([photograph, None, photograph[:, :1]])
    assert found[0] is not None
    assert found[1:] == [None, None]
    monkeypatch.setattr(_guided_cracks, "crack_weights", lambda: tmp_path / "none.safetensors")
    crack_network.cache_clear()
    try:
        assert cracks_of([photograph]) == [None]
        assert not find_cracks(photograph).any()
    finally:
        crack_network.cache_clear()


@pytest.mark.parametrize(("largest", "searched"), [(2**24, True), (100, False)])
def test_very_large_images_are_not_searched(monkeypatch: pytest.MonkeyPatch, largest: int, searched: bool):
    monkeypatch.setattr("napari_bitsnet.methods.guided.solve.MOST_PIXELS", largest)
    photograph = cracked(9, 48)[2]
    problem = Problem(photograph[:, :1], 2, guides=(photograph, None))
    method = GuidedRegression(
        GuidedRegression.presets["quick"].updated({"cracks": True, "uncertainty": False})
    )
    state = method.start(problem, device="cpu", seed=0)
    next(method.advance(state))
    assert state.model is not None
    assert (state.model.terms[0].cracks is not None) is searched
