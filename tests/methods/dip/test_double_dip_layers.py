"""Networks for layers with a mask: they begin where the closed form ended, and learn from nothing too."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from napari_bitsnet.core.mixing import Cutout, Overlay
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.data.marks import lay_mark
from napari_bitsnet.data.photographs import photograph
from napari_bitsnet.methods.dip.double_dip_layers import DoubleDipLayers, DoubleDipLayersConfig
from napari_bitsnet.methods.watermark.watermark_matting import WatermarkMatting


@pytest.fixture(scope="module")
def marked() -> Problem:
    made = lay_mark([photograph(seed, (40, 64)) for seed in (2, 5)], seed=1)
    images = torch.from_numpy(made.images / np.float32(255)).permute(0, 3, 1, 2)
    hints = torch.zeros((3, 1, 40, 64))
    hints[2, 0, 4:36, 2:62] = 1
    return Problem(images, 3, mixing=Overlay(colour=(1.0, 1.0, 1.0)), hints=hints)


@pytest.fixture(scope="module")
def disc() -> Problem:
    y, x = np.mgrid[:40, :40]
    inside = torch.from_numpy((y - 20) ** 2 + (x - 20) ** 2 < 100)
    image = torch.where(inside, 0.8, 0.2).expand(1, 3, -1, -1).contiguous()
    hints = torch.zeros((2, 1, 40, 40))
    hints[0, 0, 20, 16:24], hints[1, 0, 3, 5:35] = 1, 1
    return Problem(image, 2, mixing=Cutout(), hints=hints)


def run(problem: Problem, steps: int, **config) -> tuple[dict[str, torch.Tensor], list[float]]:
    method = DoubleDipLayers(DoubleDipLayersConfig(**config))
    state = method.start(problem, device="cpu", seed=0)
    losses = [float(terms["reconstruction"]) for terms in islice(method.advance(state), steps)]
    return method.solution(state), losses


def test_it_begins_with_the_closed_form_and_stays_near(marked):
    closed = WatermarkMatting()
    state = closed.start(marked, device="cpu", seed=0)
    list(closed.advance(state))
    method = DoubleDipLayers(DoubleDipLayersConfig())
    fitted = method.start(marked, device="cpu", seed=0)
    first = method.solution(fitted)
    for name, value in closed.solution(state).items():
        torch.testing.assert_close(first[name], value, atol=1e-6, rtol=0)
    list(islice(method.advance(fitted), 5))
    assert 0 < float((method.solution(fitted)["sources"] - first["sources"]).abs().max()) < 0.2


def test_outside_the_region_a_mark_is_nowhere(marked):
    answer, losses = run(marked, 12, start="none", anchor=0, decay=0, learning_rate=0.01)
    outside = marked.hints[2, 0] == 0
    assert not answer["opacity"][..., outside].any()
    assert torch.equal(answer["sources"][:2][..., outside], marked.observations[..., outside])
    assert losses[-1] < losses[0]


def test_from_nothing_the_mask_follows_the_marks(disc):
    answer, losses = run(disc, 40, start="none", anchor=0, decay=0, learning_rate=0.01)
    assert losses[-1] < 0.5 * losses[0]
    marks = disc.hints[:, 0] > 0
    mask = answer["opacity"][0, 0]
    assert mask[marks[0]].mean() > mask[marks[1]].mean() + 0.3


def test_what_it_does_not_draw_and_settings_that_make_no_sense():
    assert "layers with a mask" in DoubleDipLayers().unsupported_reason(Traits())
    with pytest.raises(ValueError, match="an odd kernel_size, got 4"):
        DoubleDipLayersConfig(kernel_size=4)
    with pytest.raises(ValueError, match="whole numbers of channels"):
        DoubleDipLayersConfig(channels=(8, 1.5))
