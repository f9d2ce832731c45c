"""What is said of a stack is said once, for all slices that it holds for."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.api.stack_notices import StackNotices
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.data.photographs import photograph


def failure(text: str, *, elsewhere: bool = False) -> ValueError:
    """An error as it comes from one of two lines."""
    try:
        if elsewhere:
            raise ValueError(text)
        raise ValueError(text)
    except ValueError as error:
        return error


def test_slices_are_left_out_for_one_reason_where_one_line_refuses_them():
    notices = StackNotices()
    for index, error in enumerate(
        [
            failure("got 7"),
            failure("got 7"),
            failure("got 3", elsewhere=True),
            failure("got 4", elsewhere=True),
        ]
    ):
        notices.leave_out(index, error)
    assert [str(notice) for notice in notices.merged()] == [
        "Slices 0–1 were left out: got 7",
        "Slices 2–3 were left out: got 3 (slice 2; the others differ in figures alone)",
    ]
    assert [notice.slices for notice in notices.merged()] == [(0, 1), (2, 3)]


def test_an_image_that_is_no_stack_has_its_notices_as_they_are():
    notices, far = StackNotices(), Notice("registration", "Off by {x:.1f} px.", numbers={"x": 3})
    notices.add(0, [far])
    assert notices.plain() == [far]


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
    assert [(notice.category, notice.slices) for notice in result.notices] == [("left_out", (3, 4))]
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
            i0=1000.0,
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
