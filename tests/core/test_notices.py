"""Notices become text where they are shown; those of a stack's slices are one."""

from __future__ import annotations

import pytest

from napari_bitsnet.core.notices import Notice, merge_slices, slices_in_words


@pytest.mark.parametrize(
    ("slices", "text"),
    [
        ([3], "slice 3"),
        ([0, 1], "slices 0–1"),
        ([0, 1, 2, 5, 7, 8], "slices 0–2, 5, 7–8"),
        ([2, 4], "slices 2, 4"),
    ],
)
def test_slices_in_words(slices: list[int], text: str):
    assert slices_in_words(slices) == text


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("r {x:.2f}, 3 left", [0.91, 0.97], "r 0.91–0.97, 3 left"),
        ("r {x:.2f}, 3 left", [0.91, 0.911], "r 0.91, 3 left"),
        ("{x:.1f} %", [9.5, 10.25, 8], "8.0–10.2 %"),
        ("by {x:+.2f}", [-0.3, 0.1], "by -0.30 to +0.10"),
        ("{x:.0%} of it", [0.0035, 0.12], "0–12% of it"),
        ("{{braces}} {x}", [3], "{braces} 3"),
    ],
)
def test_numbers_of_several_slices_become_ranges(template: str, values: list[float], text: str):
    found = [(0, Notice("range", template, numbers={"x": value})) for value in values]
    (one,) = merge_slices(found)
    assert str(one) == f"{text} (slice 0)"


def test_what_is_not_the_same_thing_is_not_put_together():
    far = "Guide {guide} is off by {{x:.1f}} px."
    found = [
        (index, Notice(category, far.format(guide=guide), "Register it.", numbers={"x": x}))
        for index, category, guide, x in [
            (0, "registration", 1, 3.0),
            (1, "registration", 2, 4.0),
            (2, "registration", 1, 5.0),
            (3, "guides", 1, 6.0),
        ]
    ]
    merged = merge_slices(found)
    assert [str(notice) for notice in merged] == [
        "Guide 1 is off by 3.0–5.0 px. Register it. (slices 0, 2)",
        "Guide 2 is off by 4.0 px. Register it. (slice 1)",
        "Guide 1 is off by 6.0 px. Register it. (slice 3)",
    ]
    assert [notice.slices for notice in merged] == [(0, 2), (1,), (3,)]
    assert merged[0].numbers == {"x": [3.0, 5.0]}


def test_text_without_numbers_is_said_as_it_is():
    assert str(Notice("left_out", "a file named {x}.tif")) == "a file named {x}.tif"
