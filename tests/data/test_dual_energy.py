from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet import run
from napari_bitsnet.data.dual_energy import simulate_dual_energy


def test_without_noise_thicknesses_explain_the_densities():
    made = simulate_dual_energy(0, 64, noise=0)
    density = -np.log(made.radiographs / made.i0)
    told = np.tensordot(made.attenuation, made.thickness, axes=1)
    bright = made.radiographs > 1000  # grey levels are whole numbers
    assert np.abs(density - told)[bright].max() < 2e-3
    assert made.thickness.min() >= 0


def test_a_chest_follows_from_its_seed():
    first, again, other = (simulate_dual_energy(seed, (48, 40)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.radiographs, again.radiographs)
    assert (first.radiographs != other.radiographs).any()
    assert first.radiographs.shape == (2, 48, 40)


@pytest.mark.parametrize("rounds", [0, 1])
def test_given_coefficients_bring_back_centimetres(rounds):
    made = simulate_dual_energy(1, 64)
    result = run(
        "multi_mixture",
        made.radiographs,
        weights=made.attenuation,
        mixing="attenuation",
        i0=made.i0,
        settings={"rounds": rounds, "noise": 0.01},
        device="cpu",
    )
    error = np.sqrt(((result.sources - made.thickness) ** 2).mean(axis=(1, 2)))
    assert (error < ([0.6, 0.22], [0.45, 0.15])[rounds]).all()
