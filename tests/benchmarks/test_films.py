"""Films in the benchmark: what flicker means, and both ways to run them."""

import numpy as np
import pytest

from benchmarks.quality.cases.films import film_case, flicker
from benchmarks.quality.measure import measure
from benchmarks.quality.tables import markdown
from napari_bitsnet.data.case import frames_as_channels
from napari_bitsnet.data.films import passing
from napari_bitsnet.methods.feedforward.feedforward import weights_available

RNG = np.random.default_rng(0)


def test_neither_motion_nor_an_error_that_stays_is_flicker():
    truths = RNG.random((2, 5, 6, 7, 3))
    assert flicker(truths, truths) == 0
    assert flicker(truths + RNG.random((2, 1, 6, 7, 3)), truths) == pytest.approx(0, abs=1e-12)
    restless = truths + 0.1 * (-1.0) ** np.arange(5)[:, None, None, None]
    assert flicker(restless, truths) == pytest.approx(0.2)


def test_a_window_moves_over_a_photograph():
    film = passing("coffee", 48, (1.0, 2.0))
    assert film.shape == (8, 48, 48, 3)
    np.testing.assert_array_equal(film[1][1:, 2:], film[0][:-1, :-2])
    with pytest.raises(
        ValueError, match=r"Expected a size that fits 8 frames with a motion of \(9.0, 9.0\) pixels"
    ):
        passing("coffee", 48, (9.0, 9.0))


def test_frames_become_channels():
    film = RNG.random((2, 4, 5, 6, 3))
    image = frames_as_channels(film)
    assert image.shape == (2, 5, 6, 12)
    np.testing.assert_array_equal(image[..., 3:6], film[:, 1])


@pytest.mark.skipif(not weights_available(), reason="needs trained weights")
def test_a_film_is_run_as_a_stack_or_frame_by_frame(tmp_path):
    cases = [
        film_case("coffee", "chelsea", 48, group, apart=apart)
        for group, apart in (("film", False), ("frame by frame", True))
    ]
    rows = [row for row, _, _ in measure(cases, ["feedforward:quick"], tmp_path / "rows.jsonl", device="cpu")]
    together, alone = (row for row in rows if row["contender"] == "feedforward:quick")
    assert 0 < together["flicker"] < alone["flicker"]
    assert "**flicker** |" in markdown(rows)
    assert "IoU" not in markdown(rows)
