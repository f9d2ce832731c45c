"""Examples and losses of the networks for cracks and for corrections, and the panels that are fitted for
these."""

import math

import numpy as np
import pytest
import torch

from napari_bitsnet.training.guided import corrections, crack_examples, panels
from napari_bitsnet.training.protocol import TRAINERS

SIZE = 192


@pytest.mark.parametrize("seed", range(6))
def test_an_example_shows_the_light_that_its_cracks_leave(seed):
    rng = np.random.default_rng(seed)
    white = np.full((SIZE, SIZE, 3), 255, np.uint8)
    lines = np.zeros((SIZE, SIZE), np.uint8)
    lines[::16] = lines[:, ::24] = 255
    seen, taken = crack_examples.example(white, lines, rng)
    assert seen.shape == (3, crack_examples.SIDE, crack_examples.SIDE)
    assert taken.shape == (1, crack_examples.SIDE, crack_examples.SIDE)
    assert float(taken.min()) >= 0
    torch.testing.assert_close(seen, (1 - taken).clamp(0, 1).expand_as(seen), atol=0.08, rtol=0)


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.0])
def test_the_loss_of_a_correction_is_the_logarithm_of_the_remaining_error(rate):
    target = torch.randn(2, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = math.log((1 - rate) ** 2 + corrections.FLOOR)
    assert float(corrections.log_error(rate * target, target)) == pytest.approx(expected, abs=1e-3)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    assert len(list(panels.solve_panels(folder, count=2, size=64))) == 4
    return folder


def test_panels_hold_the_fit_and_the_truth(bank):
    assert sorted(path.name for path in bank.iterdir()) == [
        "64_00000_1.npz",
        "64_00000_2.npz",
        "64_00001_1.npz",
        "64_00001_2.npz",
    ]
    with np.load(bank / "64_00000_2.npz") as arrays:
        np.testing.assert_allclose(arrays["sources"].sum(axis=0), arrays["mixture"][0], atol=5e-3)
        assert arrays["colours"].shape == (2, 3, 64, 64)
    with np.load(bank / "64_00001_1.npz") as arrays:
        assert len(arrays["colours"]) == 1
    written = (bank / "64_00001_1.npz").stat().st_mtime_ns
    list(panels.solve_panels(bank, count=2, size=64))
    assert (bank / "64_00001_1.npz").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("cracks", {"kept": 20, "nets": 20}, "Expected more pictures and nets than the 20"),
        ("guided_correction", {"panels": 16}, "Expected more panels than the 16"),
        ("guided_correction", {"size": 64}, "panels of at least 144 pixels, got 100 panels of 64 pixels"),
    ],
)
def test_settings_that_leave_nothing_to_train_on_are_refused(name, settings, said, tmp_path):
    trainer = TRAINERS.get(name)
    with pytest.raises(ValueError, match=said):
        trainer(trainer.Config(**settings), {}, folder=tmp_path).check()
