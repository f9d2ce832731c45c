"""The exchange of streams: equations (1) and (2) of the paper."""

from __future__ import annotations

import pytest
import torch

from napari_bitsnet.methods.ytmt.attention import Attention
from napari_bitsnet.methods.ytmt.exchange import Exchange


def streams(count: int, channels: int = 4) -> torch.Tensor:
    return torch.randn(2, count * channels, 5, 6, generator=torch.Generator().manual_seed(count))


def test_two_streams_receive_what_the_other_one_throws_away():
    u, v = streams(2).chunk(2, dim=1)
    first, second = Exchange(2, 4, "sum")(torch.cat([u, v], dim=1)).chunk(2, dim=1)
    torch.testing.assert_close(first, u.clamp(min=0) + v.clamp(max=0))
    torch.testing.assert_close(second, v.clamp(min=0) + u.clamp(max=0))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_sum_keeps_the_total_of_all_streams(count):
    x = streams(count)
    total = Exchange(count, 4, "sum")(x).unflatten(1, (count, 4)).sum(dim=1)
    torch.testing.assert_close(total, x.unflatten(1, (count, 4)).sum(dim=1))


def test_a_concatenation_is_fused_by_a_convolution_of_each_stream():
    x = streams(2)
    exchange = Exchange(2, 4, "concatenation")
    u, v = x.chunk(2, dim=1)
    seen = torch.cat([v.clamp(min=0), u.clamp(max=0)], dim=1)  # of the second stream
    kernel, bias = exchange.fuse.weight[4:, :, 0, 0], exchange.fuse.bias[4:]
    expected = torch.einsum("oc,nchw->nohw", kernel, seen) + bias[:, None, None]
    torch.testing.assert_close(exchange(x)[:, 4:], expected)


@pytest.mark.parametrize("joining", ["sum", "concatenation"])
def test_without_an_exchange_streams_do_not_know_each_other(joining):
    x = streams(2)
    other = x.clone()
    other[:, 4:] = 0
    alone = Exchange(2, 4, joining, "nothing")
    torch.testing.assert_close(alone(x), x.clamp(min=0))
    assert torch.equal(alone(x)[:, :4], alone(other)[:, :4])
    assert not torch.equal(Exchange(2, 4, "sum")(x)[:, :4], Exchange(2, 4, "sum")(other)[:, :4])


def test_relu_both_ways_gives_both_streams_the_same():
    first, second = Exchange(2, 4, "sum", "positive")(streams(2)).chunk(2, dim=1)
    torch.testing.assert_close(first, second)  # why the paper does without


def test_attention_begins_as_the_identity_and_keeps_streams_apart():
    attention = Attention(2, 8)
    x = streams(2, 8)
    torch.testing.assert_close(attention(x), x)
    for gate in (attention.pixels, attention.channels):
        torch.nn.init.normal_(gate[-1].weight)
    other = x.clone()
    other[:, 8:] = 1
    assert torch.equal(attention(x)[:, :8], attention(other)[:, :8])
    assert not torch.allclose(attention(x), x)
