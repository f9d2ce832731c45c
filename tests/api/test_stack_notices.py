"""What is said of a stack is said once, for all slices that it holds for."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.api.stack_notices import StackNotices, in_ranges, with_ranges
from napari_bitsnet.data.photographs import photograph


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([3], "3"), ([0, 1], "0–1"), ([0, 1, 2, 5, 7, 8], "0–2, 5, 7–8"), ([2, 4], "2, 4")],
)
def test_numbers_in_ranges(numbers: list[int], text: str):
    assert in_ranges(numbers) == text


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["r 0.91, 3 left", "r 0.97, 3 left"], "r 0.91–0.97, 3 left"),
        (["9.5 %", "10.25 %", "8 %"], "8–10.25 %"),
        (["by -0.30, +1.00", "by +0.10, +1.50"], "by -0.30 to +0.10, +1.00 to +1.50"),
        (["guide 1 of 3e+4", "guide 1 of 5e+4"], "guide 1 of 3e+4–5e+4"),
        (["nothing to count"], "nothing to count"),
        (["0.35% of it", "1.20% of it"], "0.35–1.20% of it"),
    ],
)
def test_figures_become_ranges(texts: list[str], expected: str):
    assert with_ranges(texts) == expected


def test_numbers_that_are_names_are_not_put_together():
    notices = StackNotices()
    for index, text in enumerate(
        ["guide 1 is off by 3.0 px", "guide 2 is off by 4.0 px", "guide 1 is off by 5.0 px"]
    ):
        notices.add(index, text)
    assert notices.texts() == [
        "guide 1 is off by 3.0–5.0 px (slices 0, 2)",
        "guide 2 is off by 4.0 px (slice 1)",
    ]


def test_a_stack_says_a_thing_once():
    stack = np.stack([photograph(k, 32).mean(axis=-1) for k in range(5)])
    stack[3:] = 7
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = nb.run("denoise", stack, axes="ZYX", method="nl_bayes", preset="quick", device="cpu")
    told = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    assert told == list(result.warnings)
    assert len(told) == 1
    assert told[0].startswith("Slices 3–4 were left out: Expected an image with contrast")
    assert np.isnan(result.outputs["clean"][3:]).all()


def test_figures_of_a_stack_have_ranges():
    first, second = photograph(0, 48).mean(axis=-1), photograph(1, 48).mean(axis=-1)
    xrays = np.stack([1000 * np.exp(-(0.5 + k / 4) * first - 0.5 * second) for k in range(3)])
    for k in range(3):
        xrays[k].flat[: 20 * (k + 1)] = 0
    with pytest.warns(UserWarning, match="carry no optical density") as caught:
        nb.run(
            "xray",
            xrays,
            guides=[first, None],
            axes="ZYX",
            mixing="attenuation",
            blank=1000.0,
            preset="quick",
            device="cpu",
        )
    told = [str(w.message) for w in caught if "carry no optical density" in str(w.message)]
    assert len(told) == 1
    assert "0.87–2.60% of the pixels" in told[0]
    assert "20–60 without signal" in told[0]
    assert told[0].endswith("(slices 0–2)")


def test_nothing_to_work_on_says_why_once():
    with pytest.raises(ValueError, match="Expected at least one slice that can be worked on") as caught:
        nb.run("denoise", np.ones((4, 16, 16)), axes="ZYX", device="cpu")
    assert str(caught.value).count("Expected an image with contrast") == 1
