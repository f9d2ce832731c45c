"""The map of invented structure: zero where nothing cancels, large where something does."""

import torch

from napari_bitsnet.methods.guided.phantoms import phantom_map


def square(top: int, left: int) -> torch.Tensor:
    image = torch.zeros(1, 1, 40, 40)
    image[..., top : top + 8, left : left + 8] = 0.5
    return image


def test_nothing_cancels_where_edges_lie_apart_or_have_one_sign():
    first, second = square(4, 4), square(24, 24)
    apart = phantom_map(torch.cat([first, second]), first + second)
    assert apart.shape == (1, 1, 40, 40)
    assert apart.max() < 1e-5
    halves = phantom_map(torch.cat([0.3 * first, 0.7 * first]), first)
    assert halves.max() < 1e-5


def test_what_appears_with_opposite_sign_is_shown_where_it_is():
    seen, invented = square(4, 4), 0.5 * square(24, 24)
    found = phantom_map(torch.cat([seen + invented, -invented]), seen)[0, 0]
    assert found[22:34, 22:34].max() > 2
    assert found[:18, :18].max() < 0.01


def test_missing_pixels_do_not_set_the_floor():
    seen, invented = square(4, 4), 0.1 * square(24, 24)
    sources = torch.cat([seen + invented, -invented])
    valid = torch.ones(1, 1, 40, 40, dtype=torch.bool)
    valid[..., :20, :] = False  # where all of the mixture's edges are
    strict = phantom_map(sources, seen, valid)[0, 0, 22:34, 22:34].max()
    assert strict > 10 * phantom_map(sources, seen)[0, 0, 22:34, 22:34].max()


def test_strips_make_no_seams(monkeypatch):
    sources = torch.rand(2, 3, 41, 23, generator=torch.Generator().manual_seed(0))
    whole = phantom_map(sources, sources.sum(0, keepdim=True))
    monkeypatch.setattr("napari_bitsnet.methods.guided.phantoms.STRIP", 23 * 7)
    torch.testing.assert_close(phantom_map(sources, sources.sum(0, keepdim=True)), whole)
