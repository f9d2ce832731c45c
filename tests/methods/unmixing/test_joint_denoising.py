"""Joint denoising: better than inversion, than one source at a time, and without noise the inversion
itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.patches.denoising import denoising_patches
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.data.photographs import bundled_photograph
from napari_bitsnet.methods.unmixing.joint_denoising import denoising_jointly

SIGMA = 0.02


@pytest.fixture(scope="module", params=[3, 1], ids=["colour", "grey"])
def mixed(request):
    pair = np.stack([bundled_photograph(name, 48) for name in ("astronaut", "coffee")])
    truths = torch.from_numpy(pair).float().permute(0, 3, 1, 2)[:, : request.param]
    weights = torch.tensor([[0.6, 0.4], [0.5, 0.5]])
    observed = torch.einsum("mk,kchw->mchw", weights, truths)
    noise = torch.randn(observed.shape, generator=torch.Generator().manual_seed(0))
    return truths, weights, observed, SIGMA * noise


def error(found, truths) -> float:
    return float((found.clamp(0, 1) - truths).square().mean())


def test_together_is_better_than_one_by_one_and_than_inversion(mixed):
    truths, weights, observed, noise = mixed
    plain = torch.einsum("km,mchw->kchw", torch.linalg.inv(weights), observed + noise)
    first = exhaust(denoising_jointly(observed + noise, weights, SIGMA))
    second = exhaust(denoising_jointly(observed + noise, weights, SIGMA, first))
    levels = SIGMA * torch.linalg.inv(weights).norm(dim=1)
    alone = torch.cat(
        [exhaust(denoising_patches(p[None], float(s), stride=4)) for p, s in zip(plain, levels, strict=True)]
    )
    assert error(second, truths) < 0.96 * error(alone, truths)  # about 0.8
    assert error(second, truths) < 0.25 * error(plain, truths)


def test_hardly_any_noise_leaves_the_inversion(mixed):
    truths, weights, observed, _ = mixed
    torch.testing.assert_close(exhaust(denoising_jointly(observed, weights, 1e-6)), truths, atol=1e-3, rtol=0)


def test_more_mixtures_than_sources_help(mixed):
    truths, weights, observed, noise = mixed
    other = torch.randn(observed.shape, generator=torch.Generator().manual_seed(1))
    twice = torch.cat([observed + noise, observed + SIGMA * other])
    two = exhaust(denoising_jointly(observed + noise, weights, SIGMA))
    four = exhaust(denoising_jointly(twice, torch.cat([weights, weights]), SIGMA))
    assert error(four, truths) < error(two, truths)
