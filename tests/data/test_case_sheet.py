"""Pictures of cases: each image has a name of its own."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.data import case_sheet
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.case_makers import WEIGHTS, two_mixtures

TRUTHS = np.random.default_rng(3).uniform(size=(2, 8, 9)).astype(np.float32)
COLOURS = np.ones((8, 9, 3))


def xray(*guides) -> Case:
    return Case("panel", "X-ray", "xray", TRUTHS.sum(axis=0), TRUTHS, guides=list(guides))


@pytest.mark.parametrize(
    ("case", "names"),
    [
        (xray(COLOURS, COLOURS), ["mixture", "guide 1", "guide 2", "truth 1", "truth 2"]),
        (xray(None, COLOURS), ["mixture", "guide 2", "truth 1", "truth 2"]),
        (
            two_mixtures("a + b", "Two", list(TRUTHS), WEIGHTS["easy"]),
            ["mixture 1", "mixture 2", "truth 1", "truth 2"],
        ),
    ],
)
def test_images_of_one_kind_are_numbered(case: Case, names: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(case_sheet, "contact_sheet", lambda rows, captions, title: (rows, captions))
    rows, captions = case_sheet.draw_case(case, [])
    assert captions == [names]
    assert [len(row) for row in rows] == [len(names)]
