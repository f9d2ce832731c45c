"""Shares of the rest, reliability and the weights that held-out blocks give."""

import pytest
import torch

from napari_bitsnet.core.problem import Problem
from napari_bitsnet.methods.guided.holdout import (
    FOLDS,
    balanced_weight,
    checkerboard,
    common_part,
    context_weight,
    correction_weight,
    distinct_weight,
    folds_of,
    network_weight,
)
from napari_bitsnet.methods.guided.shares import dark_weight, reliability, rest_shares, split


def test_reliability_falls_from_one_to_zero_with_the_explained_energy():
    values = [reliability(e, 0.01) for e in (-1.0, 0.0, 0.1, 0.01 ** (1 / 3), 0.6, 1.0)]
    assert values[:2] == [0.0, 0.0]
    assert values[3] == pytest.approx(0.505)
    assert values == sorted(values)
    assert values[-1] == 1.0


@pytest.mark.parametrize("darkest", [0.0, 0.3, 1.0])
def test_constants_are_those_of_equal_means_or_of_equal_darkest_parts(darkest: float):
    observed = torch.rand((1, 1, 40, 40), generator=torch.Generator().manual_seed(0))
    explained = 0.2 * observed ** torch.tensor([1.0, 3.0])[:, None, None, None]
    explained -= explained.mean(dim=(2, 3), keepdim=True)
    sources = split(Problem(observed, 2), explained, [0.5, 0.5], darkest=darkest)["sources"]
    torch.testing.assert_close(sources.sum(dim=0), observed[0])
    apart = sources.mean(dim=(1, 2, 3)).diff().abs()
    dark = sources.flatten(1).kthvalue(8).values.diff().abs()
    assert (apart < 1e-6) == (darkest == 0)
    assert (dark < 1e-6) == (darkest == 1)


def test_darkest_parts_count_where_guides_explain_enough():
    assert dark_weight(0.2, complete=False) == 0
    assert dark_weight(0.45, complete=False) == pytest.approx(0.5)
    assert dark_weight(0.5, complete=False) == 1
    assert dark_weight(0.6, complete=True) == 0
    assert dark_weight(0.8, complete=True) == 1


@pytest.mark.parametrize("n_sources", [2, 3, 4])
@pytest.mark.parametrize("energy", [-0.2, 0.0, 0.3, 0.9, 1.0])
def test_shares_add_up_and_a_guided_source_never_gets_more_than_an_even_one(n_sources: int, energy: float):
    for n_guided in range(1, n_sources + 1):
        shares = rest_shares(energy, n_sources, range(n_guided))
        assert sum(shares) == pytest.approx(1)
        assert all(0 <= share <= 1 / n_sources + 1e-12 for share in shares[:n_guided])
    assert rest_shares(0.0, n_sources, [0]) == pytest.approx([1 / n_sources] * n_sources)
    assert rest_shares(1.0, n_sources, [0])[0] == pytest.approx(0)


def test_held_out_blocks_give_weights_between_none_and_the_largest():
    assert context_weight(0.5, 0.5) == 0
    assert context_weight(0.6, 0.5) == pytest.approx(0.6)
    assert common_part(0.6, [0.3, 0.2]) == pytest.approx(1 / 6)
    assert common_part(0.6, [0.6]) == 0
    assert common_part(0.0, [0.1, 0.0]) == 0
    assert common_part(0.5, [0.3, 0.3]) == 0
    assert distinct_weight(0.3) == 1
    assert distinct_weight(0.5) == 0
    assert balanced_weight([0.5]) == 1
    assert balanced_weight([0.5, 0.1]) == pytest.approx(1)
    assert balanced_weight([0.05, 0.5]) == 0
    assert network_weight(1.05) == 0
    assert network_weight(1.03) == pytest.approx(0.25)
    assert network_weight(0.9) == pytest.approx(0.5)
    assert correction_weight(0.3, 0.0, 0.0) == 0
    assert correction_weight(0.9, 0.0, 0.0) == pytest.approx(0.75)
    assert correction_weight(0.9, 0.0, 0.5) == pytest.approx(0.5)
    assert correction_weight(0.9, 0.6, 0.0) == 0


@pytest.mark.parametrize("size", [(64, 48), (37, 91), (3, 2)])
def test_folds_are_blocks_of_equal_size_of_which_neighbours_differ(size: tuple[int, int]):
    folds = folds_of(size)
    assert folds.shape == size
    assert set(folds.unique().tolist()) <= set(range(FOLDS))
    if min(size) >= 8:
        for axis in (0, 1):
            changes = folds.diff(dim=axis).ne(0)
            places = changes.any(dim=1 - axis).nonzero()[:, 0] + 1
            assert changes.all(dim=1 - axis).sum() == 3
            assert places.tolist() == [round(size[axis] * i / 4) for i in (1, 2, 3)]
        assert set(folds.unique().tolist()) == set(range(FOLDS))


def test_the_checkerboard_holds_half_of_the_image():
    board = checkerboard((32, 64))
    assert board.shape == (1, 1, 32, 64)
    assert board.float().mean() == 0.5
    assert not (board[..., :8, :8] == board[..., :8, 8:16]).any()
