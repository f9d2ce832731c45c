"""Schedules, Adam fit, averages, stopping, projection."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_bitsnet.core.networks.skip import SkipNetwork, initialise
from napari_bitsnet.methods.dip.adam import DipFit, uniform_noise
from napari_bitsnet.methods.dip.averaging import BestRemix, RunningAverage
from napari_bitsnet.methods.dip.projection import project_shares
from napari_bitsnet.methods.dip.schedules import jitter_at, orient, orientation_at, unorient
from napari_bitsnet.methods.dip.stopping import RunningVariance
from tests.methods.dip.generated import generated


def test_orientation_schedule_of_the_released_code() -> None:
    assert [orientation_at(step) for step in range(20)] == [
        0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0, 0, 1, 0,
    ]  # fmt: skip
    assert orientation_at(6, last=True) == 0
    shares = np.bincount([orientation_at(step) for step in range(1600)]) / 1600
    assert shares.tolist() == [9 / 16] + [1 / 16] * 7


def test_jitter_schedule_of_the_released_code() -> None:
    steps = (0, 99, 100, 550, 999, 1000, 7998)
    assert [jitter_at(step) for step in steps] == [0, 0, 0.001, 0.005, 0.009, 0.001, 0.001]
    assert jitter_at(7999, last=True) == 0


def test_eight_orientations_differ_and_are_undone() -> None:
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    square = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert len({tuple(orient(square, k).flatten().tolist()) for k in range(8)}) == 8
    for k in range(8):
        assert torch.equal(unorient(orient(image, k), k), image)


def small_fit(seed: int = 0) -> DipFit:
    rng = torch.Generator().manual_seed(seed)
    networks = [SkipNetwork(2, 1, channels=(4, 4), skip_channels=(2, 2), kernel_size=3) for _ in range(2)]
    for network in networks:
        initialise(network, rng)
    inputs = [uniform_noise(2, (12, 10), 0.05, rng, "cpu") for _ in range(2)]
    return DipFit(networks, inputs, learning_rate=0.01, rng=rng)


def test_fit_draws_an_image() -> None:
    fit, target = small_fit(), torch.rand(2, 1, 12, 10, generator=torch.Generator().manual_seed(9))
    losses = []
    for step in range(150):
        images, features = generated(fit, orientation=orientation_at(step))
        assert images.shape == target.shape
        assert [m.shape[1] for m in features[0]] == [4, 4]
        loss = (images - target).square().mean()
        losses.append(float(loss.detach()))
        fit.descend(loss)
    assert losses[-1] < 0.5 * losses[0]


def test_noise_is_reproducible_and_within_its_range() -> None:
    assert torch.equal(small_fit(3).inputs[1], small_fit(3).inputs[1])
    noise = uniform_noise(3, (50, 50), 0.005, torch.Generator().manual_seed(0), "cpu")
    assert 0.0049 < float(noise.max()) <= 0.005
    assert -0.005 <= float(noise.min()) < -0.0049


def test_jitter_changes_the_image_and_comes_from_the_generator() -> None:
    still = [generated(small_fit())[0] for _ in range(2)]
    moved = [generated(small_fit(), jitter=0.1)[0] for _ in range(2)]
    assert torch.equal(*still)
    assert torch.equal(*moved)
    assert not torch.equal(still[0], moved[0])


def test_order_in_memory_does_not_change_the_images() -> None:
    """As on CUDA: pixels in rows, and what the generators see always in the same place."""
    fit, other = small_fit(), small_fit()
    other.steady = True
    other.lay_out(torch.contiguous_format)
    places = set()
    for orientation in (0, 3, 0, 3):
        images = generated(fit, orientation=orientation, jitter=0.01)[0]
        torch.testing.assert_close(generated(other, orientation=orientation, jitter=0.01)[0], images)
        places.add((orientation, *(seen.data_ptr() for seen in other.seen)))
    assert len(places) == 2
    for fixed, expected in zip(other.inputs, small_fit().inputs, strict=True):
        assert torch.equal(fixed, expected)


def test_running_average_is_the_weighted_mean() -> None:
    answers = torch.rand(7, 2, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    average = RunningAverage(0.8)
    for answer in answers:
        average.update(answer)
    weights = 0.8 ** torch.arange(6, -1, -1)
    expected = (answers * weights.reshape(-1, 1, 1, 1, 1)).sum(0) / weights.sum()
    torch.testing.assert_close(average.value, expected)


def test_no_decay_keeps_the_last_answer() -> None:
    average = RunningAverage(0.0)
    for value in (0.2, 0.7):
        average.update(torch.full((1,), value))
    assert average.value is not None
    assert float(average.value) == pytest.approx(0.7)


def test_best_remix_keeps_the_nearest_clipped_sum() -> None:
    target, best = torch.full((1, 1, 2, 2), 1.0), BestRemix()
    for value in (0.3, 0.7, 0.1):  # sums .6, 1.4 (clipped to 1: exact), .2
        y = torch.full((2, 1, 2, 2), value)
        best.update(y, y.sum(0, keepdim=True), target)
    assert best.value is not None
    assert float(best.value.mean()) == pytest.approx(0.7)


def test_best_remix_looks_at_valid_pixels_only() -> None:
    target = torch.tensor([[[[1.0, 0.0]]]])
    valid, best = torch.tensor([[[[True, False]]]]), BestRemix()
    good = torch.tensor([[[[1.0, 1.0]]]])
    for y in (torch.tensor([[[[0.5, 0.0]]]]), good):
        best.update(y, y, target, valid)
    assert torch.equal(best.value, good)


def feed(rule: RunningVariance, noise: list[float]) -> int | None:
    """Step at which the rule stops, for answers that jump about with the given amplitudes."""
    rng = torch.Generator().manual_seed(0)
    for step, amplitude in enumerate(noise):
        if rule.update(0.5 + amplitude * torch.randn(2, 1, 8, 8, generator=rng)):
            return step
    return None


def test_running_variance_stops_after_the_valley() -> None:
    rule = RunningVariance(window=10, patience=20, every=1)
    valley = [0.01 + 0.01 * abs(step - 50) for step in range(100)]  # quietest window: steps 46 to 55
    stopped = feed(rule, valley)
    assert stopped is not None
    assert 55 + 20 - 3 <= stopped <= 55 + 20 + 3
    assert rule.lowest == pytest.approx(np.mean(np.square(valley[46:56])), rel=0.4)


def test_running_variance_goes_on_while_it_falls() -> None:
    falling = [0.9**step for step in range(60)]
    assert feed(RunningVariance(window=5, patience=10, every=1), falling) is None


def test_running_variance_is_the_mean_pixel_variance_of_the_window() -> None:
    answers = torch.rand(4, 2, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    rule = RunningVariance(window=4, patience=9, every=1)
    for answer in answers:
        assert not rule.update(answer)
    assert rule.lowest == pytest.approx(float(answers.var(dim=0, correction=0).mean()), rel=1e-5)


def test_running_variance_remembers_answers_that_are_changed_in_place() -> None:
    rule, answer = RunningVariance(window=2, patience=9, every=1), torch.zeros(2, 1, 4, 4)
    rule.update(answer)
    answer += 1
    rule.update(answer)
    assert rule.lowest == pytest.approx(0.25)


def brute_force(v: np.ndarray, total: float, lower: float, upper: float, n: int) -> np.ndarray:
    grid = np.linspace(lower, upper, n)
    points = np.array(list(itertools.product(grid, repeat=len(v) - 1)))
    last = total - points.sum(1)
    points = np.column_stack([points, last])[(last >= lower - 1e-9) & (last <= upper + 1e-9)]
    return points[np.argmin(((points - v) ** 2).sum(1))]


@pytest.mark.parametrize(("k", "n"), [(2, 2001), (3, 201)])
def test_projection_by_brute_force(k: int, n: int) -> None:
    rng = np.random.default_rng(0)
    for total in (0.05, 0.3, 0.5, 0.8, 0.97):
        v = rng.normal(1 / k / 2, 0.4, k)
        y = project_shares(
            torch.tensor(v).reshape(k, 1, 1, 1),
            torch.full((1, 1, 1, 1), total, dtype=torch.float64),
            0,
            1 / k,
        ).numpy()
        assert y.sum() == pytest.approx(total)
        np.testing.assert_allclose(y.ravel(), brute_force(v, total, 0, 1 / k, n), atol=1.5 / k / (n - 1) * 2)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_projection_stays_in_the_possible_range_and_adds_up(k: int) -> None:
    rng = torch.Generator().manual_seed(k)
    v = torch.randn(k, 3, 9, 9, generator=rng)
    total = torch.rand(1, 3, 9, 9, generator=rng)
    total[..., 0, 0], total[..., 0, 1] = 0, 1
    y = project_shares(v, total, 0, 1 / k)
    torch.testing.assert_close(y.sum(0, keepdim=True), total, atol=2e-6, rtol=0)
    assert float((total - (k - 1) / k).clamp(min=0).sub(y).max()) < 1e-6
    assert float(y.sub(total.clamp(max=1 / k)).max()) < 1e-6
    torch.testing.assert_close(project_shares(y, total, 0, 1 / k), y, atol=2e-6, rtol=0)  # idempotent


def test_projection_without_active_bounds_splits_the_rest_evenly() -> None:
    v = torch.tensor([0.2, 0.1, 0.3]).reshape(3, 1, 1, 1)
    y = project_shares(v, torch.full((1, 1, 1, 1), 0.9), -5, 5)
    torch.testing.assert_close(y.flatten(), torch.tensor([0.3, 0.2, 0.4]))


@pytest.mark.parametrize("k", [2, 3])
def test_projection_does_not_depend_on_the_order_of_sources(k: int) -> None:
    rng = torch.Generator().manual_seed(0)
    v, total = torch.randn(k, 1, 8, 8, generator=rng), torch.rand(1, 1, 8, 8, generator=rng)
    for order in itertools.permutations(range(k)):
        torch.testing.assert_close(
            project_shares(v[list(order)], total, 0, 1 / k), project_shares(v, total, 0, 1 / k)[list(order)],
            atol=1e-6, rtol=0,
        )  # fmt: skip


@pytest.mark.parametrize("k", [2, 3])
def test_projection_gradient(k: int) -> None:
    rng = torch.Generator().manual_seed(4)
    v = (torch.randn(k, 1, 3, 3, generator=rng, dtype=torch.float64) / 2).requires_grad_()
    total = torch.rand(1, 1, 3, 3, generator=rng, dtype=torch.float64)

    def project(estimate: Tensor) -> Tensor:
        return project_shares(estimate, total, 0, 1 / k)

    assert torch.autograd.gradcheck(project, (v,))
