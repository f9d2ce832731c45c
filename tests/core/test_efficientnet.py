"""The trunk: shapes, folding of batch normalisation, padding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_bitsnet.core.networks.efficientnet import EfficientNetLite, InvertedResidual, fold_normalisation


@pytest.fixture(scope="module")
def network() -> EfficientNetLite:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EfficientNetLite(width=0.25, depth=0.3).eval()


def _published(network: EfficientNetLite) -> dict[str, torch.Tensor]:
    """A checkpoint with batch normalisation, as it would be published for this size."""
    generator = torch.Generator().manual_seed(1)
    names = {"stem": ("_conv_stem", "_bn0")}
    number = 0
    for s, stage in enumerate(network.stages):
        for b, block in enumerate(stage):
            parts = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
            parts["project"] = ("_project_conv", "_bn2")
            for part, (conv, norm) in parts.items():
                if getattr(block, part) is not None:
                    names[f"stages.{s}.{b}.{part}"] = (f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}")
            number += 1
    published = {}
    for ours, (conv, norm) in names.items():
        weight = network.state_dict()[f"{ours}.weight"]
        published[f"{conv}.weight"] = torch.randn(weight.shape, generator=generator)
        for field in ("weight", "bias", "running_mean", "running_var"):
            published[f"{norm}.{field}"] = torch.rand(len(weight), generator=generator) + 0.5
    return published


def test_features_at_four_strides(network: EfficientNetLite):
    with torch.no_grad():
        features = network(torch.rand(2, 3, 64, 96))
    assert [tuple(f.shape) for f in features] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(network.channels, (4, 8, 16, 32), strict=True)
    ]


def test_lite2_has_the_published_channels_and_size():
    trunk = EfficientNetLite(width=1.1, depth=1.2)
    assert trunk.channels == [24, 48, 120, 352]
    assert [len(stage) for stage in trunk.stages] == [1, 3, 3, 4, 4, 5, 1]


def test_folding_equals_convolution_and_normalisation(network: EfficientNetLite):
    published = _published(network)
    folded = fold_normalisation(published, network)
    x = torch.rand(1, 3, 9, 9)
    norm = nn.BatchNorm2d(32, eps=1e-3).eval()
    norm.load_state_dict(
        {f: published[f"_bn0.{f}"] for f in ("weight", "bias", "running_mean", "running_var")}, strict=False
    )
    with torch.no_grad():
        expected = norm(nn.functional.conv2d(x, published["_conv_stem.weight"]))
        got = nn.functional.conv2d(x, folded["stem.weight"], folded["stem.bias"])
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    network.load_state_dict(folded)


def test_checkpoints_of_something_else_are_refused(network: EfficientNetLite):
    with pytest.raises(KeyError):
        fold_normalisation({"fc.weight": torch.zeros(2)}, network)
    other = EfficientNetLite(width=0.5, depth=0.3)
    with pytest.raises(ValueError, match="Expected published weights of the same width and depth"):
        fold_normalisation(_published(other), network)


def test_an_even_image_is_padded_below_and_to_the_right_only():
    """A stride of two over three taps: output i sees pixels 2 i, 2 i + 1, 2 i + 2."""
    block = InvertedResidual(1, 1, 3, 2, 1)
    with torch.no_grad():
        block.depthwise.weight.zero_()
        block.depthwise.bias.zero_()
        block.depthwise.weight[0, 0, 0, 0] = 1
        block.project.weight.fill_(1)
        block.project.bias.zero_()
        image = torch.rand(1, 1, 8, 8)
        assert torch.equal(block(image), image[..., ::2, ::2])
