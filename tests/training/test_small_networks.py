"""The trainers of the shipped networks for cracks and for corrections: their loop, examples, losses and files."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from napari_bitsnet.core.networks.unet import UNet
from napari_bitsnet.core.networks.weights import expand, load_tensors
from napari_bitsnet.data.datasets import reserved_photos, unreserved_photographs
from napari_bitsnet.training import cracks, guided_correction, guided_panels
from napari_bitsnet.training.loop import Schedule, train_network


def test_the_loop_finds_a_least_squares_solution_and_its_average_follows():
    torch.manual_seed(0)
    network, truth = nn.Linear(3, 1), torch.tensor([[1.0, -2.0, 0.5]])

    def loss():
        x = torch.randn(64, 3)
        return (network(x) - x @ truth.T - 0.25).square().mean()

    *_, last = train_network(
        network, loss, Schedule(steps=400, rate=0.05, decay=0.0, averaging=0.9, warm_up=10)
    )
    assert (last.step, last.done) == (400, 1)
    torch.testing.assert_close(last.average.weight, truth, atol=1e-2, rtol=0)
    assert float(last.average.bias) == pytest.approx(0.25, abs=1e-2)
    assert not any(p.requires_grad for p in last.average.parameters())


def test_a_loop_without_steps_ends_with_its_time():
    network = nn.Linear(1, 1)
    steps = list(
        train_network(network, lambda: network(torch.ones(1, 1)).square().sum(), Schedule(minutes=1e-9))
    )
    assert [(step.step, step.done) for step in steps] == [(1, 1.0)]


@pytest.mark.parametrize("seed", range(6))
def test_an_example_shows_the_light_that_its_cracks_leave(seed):
    rng = np.random.default_rng(seed)
    white = np.full((cracks.SIZE, cracks.SIZE, 3), 255, np.uint8)
    lines = np.zeros((cracks.SIZE, cracks.SIZE), np.uint8)
    lines[::16] = lines[:, ::24] = 255
    seen, taken = cracks.example(white, lines, rng)
    assert seen.shape == (3, cracks.SIDE, cracks.SIDE)
    assert taken.shape == (1, cracks.SIDE, cracks.SIDE)
    assert float(taken.min()) >= 0
    torch.testing.assert_close(seen, (1 - taken).clamp(0, 1).expand_as(seen), atol=0.08, rtol=0)


def test_cracks_are_trained_and_written(tmp_path, monkeypatch):
    small = {"KEPT": 2, "KEPT_EXAMPLES": 2, "BATCH": 1, "SIZE": 96, "SIDE": 48}
    for name, value in small.items():
        monkeypatch.setattr(cracks, name, value)
    out = tmp_path / "cracks.safetensors"
    ((step, explained),) = cracks.train_cracks(out, steps=2, n_pictures=3, n_nets=3)
    assert step == 2
    assert explained == pytest.approx(0, abs=0.2)  # it begins silent, and has hardly learnt anything
    tensors, facts = load_tensors(out)
    assert (facts["method"], facts["steps"]) == ("cracks", 2)
    UNet(3, 1, blocks=1, stem=2, **facts["network"]).load_state_dict(expand(tensors))
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}


def test_reserved_photographs_are_left_out(tmp_path):
    reserved = sorted(reserved_photos())[0]
    for name in (reserved, "b.jpg", "a.jpg", "c.png"):
        (tmp_path / name).touch()
    assert [path.name for path in unreserved_photographs(tmp_path)] == ["a.jpg", "b.jpg"]
    assert unreserved_photographs(None) == []


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.0])
def test_the_loss_of_a_correction_is_the_logarithm_of_the_remaining_error(rate):
    target = torch.randn(2, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = math.log((1 - rate) ** 2 + guided_correction.FLOOR)
    assert float(guided_correction.log_error(rate * target, target)) == pytest.approx(expected, abs=1e-3)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    assert len(list(guided_panels.solve_panels(folder, count=2, size=64))) == 4
    return folder


def test_panels_hold_the_fit_and_the_truth(bank):
    assert sorted(path.name for path in bank.iterdir()) == [
        "00000_1.npz",
        "00000_2.npz",
        "00001_1.npz",
        "00001_2.npz",
    ]
    with np.load(bank / "00000_2.npz") as arrays:
        np.testing.assert_allclose(arrays["sources"].sum(axis=0), arrays["mixture"][0], atol=5e-3)
        assert arrays["colours"].shape == (2, 3, 64, 64)
    with np.load(bank / "00001_1.npz") as arrays:
        assert len(arrays["colours"]) == 1
    written = (bank / "00001_1.npz").stat().st_mtime_ns
    list(guided_panels.solve_panels(bank, count=2, size=64))
    assert (bank / "00001_1.npz").stat().st_mtime_ns == written


def test_corrections_are_trained_written_and_continued(bank, tmp_path, monkeypatch):
    monkeypatch.setattr(guided_correction, "SIDE", 48)
    monkeypatch.setattr(guided_correction, "BATCH", 2)
    out = tmp_path / "correction.safetensors"
    (report,) = guided_correction.train_correction(out, bank, steps=2, n_kept=1)
    assert (report.step, report.samples) == (2, 2)
    assert {guides: len(found) for guides, found in report.gains.items()} == {1: 1, 2: 1}
    assert all(abs(gain) < 1 for found in report.gains.values() for pair in found for gain in pair)
    list(guided_correction.train_correction(out, bank, steps=1, n_kept=1, weights=out))
    assert load_tensors(out)[1]["steps"] == 3


def test_a_bank_that_is_too_small_is_an_error(bank, tmp_path):
    with pytest.raises(
        ValueError, match=r"Expected fits of more than 16 panels in .*, got 2: run solve_panels"
    ):
        next(guided_correction.train_correction(tmp_path / "x.safetensors", bank))
