"""Mixtures against their definition, the cut against every labelling, and regions that colours alone tell
apart."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

import napari_bitsnet as nb
from napari_bitsnet.core.mixing import Cutout
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.methods.grabcut.colour_mixture import ColourMixture, fit_mixture
from napari_bitsnet.methods.grabcut.cut import NEIGHBOURS, Cut, edge_costs
from napari_bitsnet.methods.grabcut.grabcut import GrabCut, _one_each


def test_the_density_is_that_of_the_gaussians():
    rng = np.random.default_rng(0)
    spreads = [np.diag([0.01, 0.02, 0.04]), 0.02 * np.eye(3) + 0.01]
    means = [np.full(3, 0.3), np.full(3, 0.7)]
    roots = torch.from_numpy(np.stack([np.linalg.cholesky(s) for s in spreads]))
    mixture = ColourMixture(torch.tensor([0.25, 0.75]).double(), torch.from_numpy(np.stack(means)), roots)
    colours = rng.random((50, 3))
    parts = [multivariate_normal(m, s).pdf(colours) for m, s in zip(means, spreads, strict=True)]
    expected = np.log(0.25 * parts[0] + 0.75 * parts[1])
    np.testing.assert_allclose(mixture.log_density(torch.from_numpy(colours)).numpy(), expected, rtol=1e-6)


def test_two_colours_are_found_with_their_weights():
    rng = np.random.default_rng(1)
    colours = np.concatenate([rng.normal(0.3, 0.05, (300, 3)), rng.normal(0.7, 0.02, (100, 3))])
    mixture = fit_mixture(torch.from_numpy(colours), 2)
    order = mixture.weights.argsort(descending=True)
    np.testing.assert_allclose(mixture.weights[order], [0.75, 0.25], atol=1e-6)
    np.testing.assert_allclose(mixture.means[order], [[0.3] * 3, [0.7] * 3], atol=0.02)
    spread = (mixture.roots @ mixture.roots.mT).diagonal(dim1=-2, dim2=-1).sqrt()[order]
    np.testing.assert_allclose(spread, [[0.05] * 3, [0.02] * 3], atol=0.01)


@pytest.mark.parametrize("n", [1, 3, 15])
def test_few_or_equal_colours_make_one_wide_gaussian(n):
    mixture = fit_mixture(torch.full((n, 3), 0.4), 5)
    assert len(mixture.weights) == 1
    assert float(mixture.roots[0].diagonal().min()) > 0.01
    assert torch.isfinite(mixture.log_density(torch.rand(10, 3))).all()


def test_the_cut_is_the_best_of_all_labellings():
    rng = torch.Generator().manual_seed(2)
    image, costs = torch.rand((3, 3, 4), generator=rng), torch.randn((3, 4), generator=rng)
    links = edge_costs(image, 0.7)
    marked = torch.zeros(2, 3, 4, dtype=torch.bool)
    marked[0, 0, 0], marked[1, 2, 3] = True, True

    def energy(mask):
        apart = 0.0
        for (down, right), link in zip(NEIGHBOURS, links, strict=True):
            here = mask[: 3 - down, max(0, -right) : 4 - max(0, right)]
            there = mask[down:, max(0, right) : 4 + min(0, right)]
            apart += float((link * (here - there).abs()).sum())
        return float((costs * mask).sum()) + apart

    masks = (torch.tensor(u, dtype=torch.float32).reshape(3, 4) for u in product((0.0, 1.0), repeat=12))
    best = min(energy(mask) for mask in masks if mask[0, 0] == 1 and mask[2, 3] == 0)
    cut = Cut.begin(links, torch.full((3, 4), 0.5)).minimise(costs, links, (marked[0], marked[1]), steps=2000)
    assert energy((cut.mask > 0.5).float()) == pytest.approx(best, abs=1e-4)


def test_a_cut_between_unlike_pixels_costs_less():
    image = torch.zeros(1, 4, 6)
    image[..., 3:] = 1
    across = edge_costs(image, 10.0)[0]
    assert float(across[:, 2].max()) < 0.05 * float(across[:, 0].min())
    assert float(across[:, 0].min()) == pytest.approx(10.0)


@pytest.fixture(scope="module")
def checked():
    """An object of two colours before a background of two others, all in patches of 6 pixels."""
    rng = np.random.default_rng(3)
    patches = np.kron(rng.integers(0, 2, (12, 16)), np.ones((6, 6), int))
    truth = np.zeros((72, 96), bool)
    truth[18:54, 24:72] = True
    colours = np.array([[[0.9, 0.2, 0.2], [0.9, 0.8, 0.2]], [[0.2, 0.3, 0.8], [0.2, 0.7, 0.3]]])
    image = colours[np.where(truth, 0, 1), patches] + 0.03 * rng.standard_normal((72, 96, 3))
    hints = np.zeros((72, 96), np.int32)
    hints[35:37, 30:66], hints[5:7, 4:92] = 1, 2
    return image, truth, hints


def test_colours_of_one_stroke_tell_regions_apart(checked):
    image, truth, hints = checked
    found = nb.run("segment", image, hints=hints, method="grabcut", device="cpu").outputs
    both, either = (found["labels"] == 1) & truth, (found["labels"] == 1) | truth
    assert both.sum() / either.sum() > 0.97
    assert (found["labels"][hints > 0] == hints[hints > 0]).all()


@pytest.mark.parametrize("preset", ["quick", "balanced"])
def test_marks_hold_at_full_size_where_the_cut_is_made_at_a_smaller_one(preset):
    image = np.full((40, 400, 3), 0.5)
    image[:, 200:] += 0.2
    hints = np.zeros((40, 400), np.int32)
    hints[10:30, 10:190], hints[10:30, 210:390] = 1, 2
    hints[20, 300] = 1  # against all colours, a single pixel among marks of the other region
    found = nb.run("segment", image, hints=hints, method="grabcut", preset=preset, device="cpu").outputs
    assert (found["labels"][hints > 0] == hints[hints > 0]).all()
    assert found["mask"][20, 300] == 1


def test_more_than_two_regions_are_told_apart(checked):
    image, truth, hints = checked
    image, hints, third = image.copy(), hints.copy(), np.zeros_like(truth)
    third[58:70, 6:90] = True
    image[third] = (0.1, 0.1, 0.1)
    hints[63:65, 20:80] = 3
    found = nb.run("segment", image, hints=hints, method="grabcut", device="cpu").outputs
    expected = np.where(third, 3, np.where(truth, 1, 2))
    assert (found["labels"] == expected).mean() > 0.97
    assert found["mask"][third].max() < 0.5


def test_a_pixel_that_two_regions_mark_stays_with_the_rarest():
    hints = torch.zeros(3, 1, 4, 4)
    hints[0, 0], hints[1, 0, 1], hints[2, 0, 1, 2] = 1, 1, 1
    marks = _one_each(hints)
    assert marks.sum(dim=0).eq(1).all()
    assert marks.flatten(1).sum(dim=1).tolist() == [12, 3, 1]


def test_a_mask_is_an_answer_before_the_layers_are(checked):
    image, _, hints = checked
    planes = torch.from_numpy(np.stack([hints == 1, hints == 2])[:, None].astype(np.float32))
    seen = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
    method = GrabCut()
    state = method.start(Problem(seen, 2, mixing=Cutout(), hints=planes), device="cpu", seed=0)
    for stage in method.stages(state):
        if getattr(stage, "better", False):
            break
    assert state.layers is None
    answer = method.solution(state)
    assert 0.2 < float(answer["opacity"].mean()) < 0.3
    assert torch.equal(answer["sources"][0], seen[0])
