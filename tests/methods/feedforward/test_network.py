"""The network that tells two images apart."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.core.losses.sign_free import sign_free_loss
from napari_bitsnet.core.networks.unet import UNet
from napari_bitsnet.methods.feedforward.network import (
    ANSWER_SIZE,
    SEEN_SIZE,
    SplitNetwork,
    reduce_hints,
    reduce_image,
)


@pytest.fixture
def network() -> SplitNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SplitNetwork(widths=(8, 16, 16)).eval().requires_grad_(False)
        torch.nn.init.normal_(network.unet.head[2].weight, std=0.05)
    return network


def test_a_silent_network_answers_nothing():
    network = UNet(5, 3, widths=(8, 16), blocks=1, silent=True)
    assert network(torch.rand(2, 5, 16, 24)).abs().max() == 0
    assert network(torch.rand(2, 5, 16, 24)).shape == (2, 3, 16, 24)


def test_training_can_begin():
    """At d = 0 the sign-free loss has no gradient: the network must say something from the start."""
    network = SplitNetwork(widths=(8, 16))
    mixture, hints = torch.rand(2, 3, SEEN_SIZE, SEEN_SIZE), torch.zeros(2, 2, SEEN_SIZE, SEEN_SIZE)
    difference = network(mixture, hints)
    assert difference.shape == (2, 3, ANSWER_SIZE, ANSWER_SIZE)
    sign_free_loss(difference, torch.rand_like(difference) - 0.5).sum().backward()
    assert all(p.grad.abs().max() > 0 for p in network.unet.head.parameters())


def test_a_size_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"Expected height and width in multiples of 4, got \(18, 16\)"):
        UNet(5, 3, widths=(8, 16))(torch.rand(1, 5, 18, 16))


def test_hints_are_seen(network: SplitNetwork):
    mixture, hints = torch.rand(1, 3, SEEN_SIZE, SEEN_SIZE), torch.zeros(1, 2, SEEN_SIZE, SEEN_SIZE)
    marked = hints.clone()
    marked[0, 0, 5, 7] = 1
    assert not torch.allclose(network(mixture, hints), network(mixture, marked))


def test_reducing_keeps_the_mean_of_an_image_and_every_mark():
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        reduce_image(image, 32).mean(dim=(2, 3)), image.mean(dim=(2, 3)), rtol=0, atol=5e-3
    )
    hints = torch.zeros(1, 2, 64, 96)
    hints[0, 1, 63, 95] = 1
    assert reduce_hints(hints, 32)[0].sum(dim=(1, 2)).tolist() == [0, 1]
