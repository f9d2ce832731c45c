"""The generator: sizes of the released code, any image size."""

import pytest
import torch

from napari_bitsnet.core.networks.skip import SkipNetwork, initialise

SMALL = {"channels": (4, 6), "skip_channels": (0, 2), "kernel_size": 3}


def test_official_size_has_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in SkipNetwork(3, 3).parameters()) == 1_544_987


@pytest.mark.parametrize("size", [(2, 2), (5, 7), (33, 64), (50, 31)])
def test_any_size_comes_back_with_features_at_dyadic_scales(size: tuple[int, int]) -> None:
    network = SkipNetwork(2, 1, **SMALL)
    image, features = network(torch.rand(1, 2, *size))
    assert image.shape == (1, 1, *size)
    assert [f.shape for f in features] == [
        (1, width, -(-size[0] // 2**s), -(-size[1] // 2**s)) for s, width in enumerate((4, 6))
    ]
    assert 0 < float(image.detach().min()) <= float(image.detach().max()) < 1


def test_official_size_takes_an_odd_image() -> None:
    image, features = SkipNetwork()(torch.rand(1, 3, 45, 70))
    assert image.shape == (1, 3, 45, 70)
    assert [f.shape[1] for f in features] == [8, 16, 32, 64, 128]


def test_first_feature_map_makes_the_image_through_the_last_convolution() -> None:
    network = SkipNetwork(1, 3, **SMALL)
    image, features = network(torch.rand(1, 1, 8, 12))
    assert torch.equal(torch.sigmoid(network.head(features[0])), image)


def test_linear_output_is_the_sigmoid_outputs_logit() -> None:
    sigmoid, linear = SkipNetwork(1, 1, **SMALL), SkipNetwork(1, 1, **SMALL, output="linear")
    linear.load_state_dict(sigmoid.state_dict())
    noise = torch.rand(1, 1, 9, 9)
    torch.testing.assert_close(torch.sigmoid(linear(noise)[0]), sigmoid(noise)[0])


@pytest.mark.parametrize("normalisation", ["batch", "none"])
@pytest.mark.parametrize("upsampling", ["bilinear", "nearest"])
def test_every_parameter_is_reached_by_the_gradient(normalisation: str, upsampling: str) -> None:
    network = SkipNetwork(1, 1, **SMALL, normalisation=normalisation, upsampling=upsampling)
    network(torch.rand(1, 1, 16, 16))[0].square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_same_seed_same_weights() -> None:
    first, second, other = (SkipNetwork(1, 1, **SMALL) for _ in range(3))
    for network, seed in ((first, 1), (second, 1), (other, 2)):
        initialise(network, torch.Generator().manual_seed(seed))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.head.weight, other.head.weight)


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="one number of skip channels for each scale, got 3 for 2 scales"):
        SkipNetwork(channels=(4, 4), skip_channels=(0, 0, 0))
    with pytest.raises(ValueError, match="odd kernel size, got 4"):
        SkipNetwork(kernel_size=4)
