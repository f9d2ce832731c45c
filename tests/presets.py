"""Presets that take a moment, for code of the documentation, which shows that its calls are right."""

import pytest

from napari_bitsnet.methods import METHODS


def make_all_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every preset of every method the quick one, with two iterations."""
    for name in METHODS:
        presets = METHODS.get(name).presets
        quick = presets["quick"]
        if "iterations" in type(quick).model_fields:
            quick = quick.updated({"iterations": 2})
        for preset in presets:
            monkeypatch.setitem(presets, preset, quick)
