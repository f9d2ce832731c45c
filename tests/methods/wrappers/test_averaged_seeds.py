"""Several seeds side by side: answers in any order agree again, and their mean is nearer to the truth than
they are."""

from itertools import permutations

import numpy as np
import pytest
import torch

import napari_bitsnet as nb
from napari_bitsnet.api.estimate import estimate
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.methods import METHODS
from napari_bitsnet.methods.wrappers.averaged_seeds import agreeing_orders

PHOTO = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
SHORT = {"start": "none", "channels": (8, 8), "skip_channels": (0, 0)}


def shuffled(n_sources, n_answers, seed=0):
    """Truths (K, C, H, W), and answers with errors in random orders, each with a brightness of its own."""
    rng = torch.Generator().manual_seed(seed)
    truths = torch.randn(n_sources, 3, 12, 12, generator=rng)
    orders = [torch.randperm(n_sources, generator=rng).tolist() for _ in range(n_answers)]
    errors = torch.randn(n_answers, *truths.shape, generator=rng)
    brightness = 5 * torch.randn(n_answers, n_sources, 1, 1, 1, generator=rng)
    return truths, torch.stack([truths[o] for o in orders]) + errors + brightness, orders


@pytest.mark.parametrize("n_sources", [2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_answers_are_brought_into_one_order(n_sources, seed):
    _, answers, orders = shuffled(n_sources, 5, seed)
    found = agreeing_orders(answers)
    assert found[0] == list(range(n_sources))
    # position p of every ordered answer shows the source that position p of the first one shows
    assert all([orders[n][k] for k in order] == orders[0] for n, order in enumerate(found))


def test_the_order_of_the_first_answer_alone_decides():
    _, answers, _ = shuffled(3, 4)
    for order in permutations(range(3)):
        turned = torch.cat([answers[:1], answers[1:, list(order)]])
        mean, other = (
            torch.stack([a[o] for a, o in zip(some, agreeing_orders(some), strict=True)]).mean(dim=0)
            for some in (answers, turned)
        )
        assert torch.allclose(mean, other, atol=1e-6)


def run(n_seeds, seed=0, **more):
    return nb.run(
        "separate",
        PHOTO,
        method="double_dip",
        settings=SHORT,
        iterations=4,
        seed=seed,
        n_seeds=n_seeds,
        **more,
    )


def test_the_answer_is_the_mean_of_the_seeds_and_adds_up():
    together, alone = run(2), [run(1, seed).sources for seed in (0, 1)]
    assert np.allclose(together.sources.sum(axis=0), PHOTO, atol=1e-5)
    contrast = [s - s.mean(axis=(1, 2), keepdims=True) for s in alone]
    swapped = (contrast[0] * contrast[1]).sum() < (contrast[0] * contrast[1][::-1]).sum()
    mean = (alone[0] + (alone[1][::-1] if swapped else alone[1])) / 2
    mean += (PHOTO - mean.sum(axis=0)) / 2
    assert np.allclose(together.sources, mean, atol=1e-5)
    assert not np.allclose(together.sources, alone[0], atol=1e-3)
    assert together.provenance["settings"]["n_seeds"] == 2


def test_a_run_of_several_seeds_goes_on_where_it_ended():
    went_on = nb.resume(run(2, size_limit=32), iterations=3)
    at_once = nb.run(
        "separate", PHOTO, method="double_dip", settings=SHORT, iterations=7, n_seeds=2, size_limit=32
    )
    assert np.array_equal(went_on.sources, at_once.sources)


def test_three_sources_and_a_smaller_working_size():
    result = run(2, n_sources=3, size_limit=32)
    assert result.sources.shape == (3, 32, 32, 3)


def test_closed_forms_have_one_answer():
    with pytest.raises(ValueError, match="Expected n_seeds=1 for Trained networks, whose answer is the same"):
        nb.run("separate", PHOTO, method="feedforward", n_seeds=3)


def test_seeds_cost_their_number():
    one, four = (estimate(RunSettings(method="bitsnet", n_seeds=n), (256, 256), n_sources=2) for n in (1, 4))
    assert four.mebibytes == 4 * one.mebibytes
    assert 3 * one.seconds < four.seconds <= 4 * one.seconds


@pytest.mark.parametrize(
    ("task", "method", "more", "output"),
    [
        ("dehaze", "double_dip_haze", {"skip_channels": (0, 0)}, "transmission"),
        ("segment", "double_dip_layers", {}, "mask"),
    ],
)
def test_what_an_answer_holds_besides_sources_is_averaged_too(task, method, more, output):
    def answered(n_seeds, seed=0):
        settings = {"start": "none", "channels": (8, 8), **more}
        result = nb.run(
            task, PHOTO, method=method, settings=settings, iterations=3, seed=seed, n_seeds=n_seeds
        )
        return result.outputs[output]

    together, alone = answered(2), [answered(1, seed) for seed in (0, 1)]
    assert not np.allclose(alone[0], alone[1], atol=1e-3)
    assert np.allclose(together, (alone[0] + alone[1]) / 2, atol=1e-5)


def test_methods_that_learn_while_they_run_are_those_that_depend_on_the_seed():
    for name in METHODS:
        method = METHODS.get(name)
        assert method.seeded == ("learning_rate" in method.Config.model_fields), name


def test_a_closed_form_in_several_steps_has_one_answer_as_well():
    with pytest.raises(ValueError, match="Expected n_seeds=1 for Shared edges, whose answer is the same"):
        nb.run("watermark", [PHOTO, PHOTO[::-1]], n_seeds=2)
