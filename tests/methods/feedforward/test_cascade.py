"""The networks that tell two images apart, coarse to fine."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.core.losses.sign_free import sign_free_loss
from napari_bitsnet.core.networks.unet import UNet
from napari_bitsnet.methods.feedforward.cascade import (
    COARSE_SIZE,
    SEEN_SIZE,
    Cascade,
    reduce_hints,
    reduce_image,
)


@pytest.fixture
def cascade() -> Cascade:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Cascade(coarse_widths=(8, 16, 16), fine_widths=(8, 8)).eval().requires_grad_(False)
        for part in (network.coarse.unet, network.fine):
            last = part.head[2]
            torch.nn.init.normal_(last.weight, std=0.05)
    return network


def test_a_silent_network_answers_nothing():
    network = UNet(5, 3, widths=(8, 16), blocks=1, silent=True)
    assert network(torch.rand(2, 5, 16, 24)).abs().max() == 0
    assert network(torch.rand(2, 5, 16, 24)).shape == (2, 3, 16, 24)


def test_training_can_begin_and_refinement_starts_as_no_change():
    """At d = 0 the sign-free loss has no gradient: the coarse network must say something from the start."""
    cascade = Cascade(coarse_widths=(8, 16), fine_widths=(8, 8))
    mixture, hints, so_far = torch.rand(2, 3, 128, 128), torch.zeros(2, 2, 128, 128), torch.rand(2, 3, 64, 64)
    seen, marks = reduce_image(mixture, 64), reduce_hints(hints, 64)
    assert torch.equal(cascade.refine(seen, marks, so_far), so_far)
    sign_free_loss(cascade.start(mixture, hints), so_far - 0.5).sum().backward()
    assert all(p.grad.abs().max() > 0 for p in cascade.coarse.unet.head.parameters())


def test_a_size_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"Expected height and width in multiples of 4, got \(18, 16\)"):
        UNet(5, 3, widths=(8, 16))(torch.rand(1, 5, 18, 16))


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_each_level_doubles_the_size(cascade: Cascade, levels: int):
    mixture, hints = torch.rand(2, 3, 256, 256), torch.zeros(2, 2, 256, 256)
    size = COARSE_SIZE * 2**levels
    assert cascade(mixture, hints, levels=levels).shape == (2, 3, size, size)


def test_levels_are_refinements_of_the_coarse_answer(cascade: Cascade):
    mixture, hints = torch.rand(1, 3, 128, 128), torch.zeros(1, 2, 128, 128)
    enlarged = torch.nn.functional.interpolate(cascade(mixture, hints), scale_factor=2.0, mode="bilinear")
    refined = cascade(mixture, hints, levels=1)
    torch.testing.assert_close(refined, cascade.refine(mixture, hints, enlarged))
    assert not torch.equal(refined, enlarged)


def test_hints_are_seen(cascade: Cascade):
    mixture, hints = torch.rand(1, 3, SEEN_SIZE, SEEN_SIZE), torch.zeros(1, 2, SEEN_SIZE, SEEN_SIZE)
    marked = hints.clone()
    marked[0, 0, 5, 7] = 1
    assert not torch.allclose(cascade(mixture, hints), cascade(mixture, marked))


def test_reducing_keeps_the_mean_of_an_image_and_every_mark():
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        reduce_image(image, 32).mean(dim=(2, 3)), image.mean(dim=(2, 3)), rtol=0, atol=5e-3
    )
    hints = torch.zeros(1, 2, 64, 96)
    hints[0, 1, 63, 95] = 1
    assert reduce_hints(hints, 32)[0].sum(dim=(1, 2)).tolist() == [0, 1]
