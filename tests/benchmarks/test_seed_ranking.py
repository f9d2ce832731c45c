"""The study of seeds: its scores on answers that are known to be better."""

import numpy as np
import pytest

from benchmarks.studies import seed_ranking as ranking
from napari_bitsnet.data.case_makers import half_and_half
from napari_bitsnet.data.photographs import bundled_photograph


@pytest.fixture(scope="module")
def case():
    return half_and_half(
        "a + c", "blind", *(bundled_photograph(name, 64) for name in ("astronaut", "coffee"))
    )


def test_truths_score_above_the_mixture_as_every_source(case):
    hidden = np.random.default_rng(1).random((64, 64)) < 0.1
    beside = {"trained": case.truths, "others": case.truths[::-1]}
    true = ranking.scores_without_truth(case.truths, case.mixture, hidden, **beside)
    noise = 0.05 * np.random.default_rng(0).standard_normal(case.truths.shape).astype(np.float32)
    halves = np.stack([case.mixture / 2] * 2) + noise
    empty = ranking.scores_without_truth(halves, case.mixture, hidden, **beside)
    assert true["agreement with `feedforward`"] == pytest.approx(1, abs=1e-4)
    assert true["agreement with the other seeds' mean"] == pytest.approx(1, abs=1e-4)  # in whatever order
    assert empty["agreement with `feedforward`"] < 0.2
    for name in ("hidden pixels, as predicted (cross-validation)", "pixels that were fitted"):
        assert true[name] == pytest.approx(0, abs=1e-6)
        assert empty[name] < -0.03


def test_what_is_missing_is_shared_out(case):
    shared = ranking.share_out(0.5 * case.truths, case.mixture)
    np.testing.assert_allclose(shared.sum(axis=0), case.mixture, atol=1e-6)
    np.testing.assert_allclose(shared[0] - shared[1], 0.5 * (case.truths[0] - case.truths[1]), atol=1e-6)


def test_one_row_a_seed_and_one_of_their_mean(case):
    rows = ranking.measure(case, 2, 2)
    assert [row["seed"] for row in rows] == [0, 1, None]
    assert rows[0]["gain"] != rows[1]["gain"]
    assert all(np.isfinite(value) for row in rows[:2] for value in row["scores"].values())


def test_ranks_are_compared_within_pairs():
    rows = []
    for pair, offset in (("p", 0.0), ("q", 100.0)):  # across pairs, offsets would decide
        for seed, gain in enumerate((1.0, 3.0, 2.0)):
            scores = {"rises": gain - offset, "falls": -gain + offset, "flat": 5.0}
            rows.append({"pair": pair, "seed": seed, "gain": gain + offset, "scores": scores})
        rows.append({"pair": pair, "seed": None, "gain": 2.5 + offset})
    lines = ranking.table(rows).splitlines()
    assert lines[0] == "2 pairs, 6 runs"
    up, down = "+1.00 (+1.00 … +1.00)", "-1.00 (-1.00 … -1.00)"
    assert f"| rises | {up} | {up} | +0.50 (+0.50 … +0.50) |" in lines
    assert f"| falls | {down} | {down} | -1.50 (-1.50 … -1.50) |" in lines
    assert f"| flat | +0.00 (+0.00 … +0.00) | {down} | -1.50 (-1.50 … -1.50) |" in lines
    assert "| none: all averaged |  | +0.50 (+0.50 … +0.50) | +0.00 (+0.00 … +0.00) |" in lines
    assert lines[-1].startswith("offset-free gain: any seed +52.00 dB, all averaged +52.50 dB")
