"""Every entry takes the settings of a run by the same names, with the same defaults."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.api import RunSettings

ENTRIES = [nb.run, nb.separate, nb.iter_separate, nb.run_lazily, nb.check, nb.separate_layer]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.__name__)
def test_signatures_name_every_setting_of_a_run(entry):
    shown = inspect.signature(entry).parameters
    assert list(shown)[-1] == "options"
    own = {"task", "options"} | ({"axes"} if entry is nb.separate_layer else set())
    for name, field in RunSettings.model_fields.items():
        if name in own:
            continue
        default = field.get_default(call_default_factory=True)
        assert shown[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert (shown[name].default or None) == (default or None), name


def test_settings_come_from_the_arguments_of_run():
    settings = RunSettings.of("multi-mixture", seed=3, settings=None, given=np.eye(2), n_sources=2)
    assert settings.task == "multi-mixture"
    assert settings.seed == 3
    assert settings.settings == {}
    assert settings.options == {"given": [[1.0, 0.0], [0.0, 1.0]], "n_sources": 2}
    assert settings.method == RunSettings().method


@pytest.mark.parametrize("entry", [nb.check, nb.run, nb.run_lazily], ids=lambda entry: entry.__name__)
def test_every_entry_refuses_what_it_does_not_know(entry):
    image = np.random.default_rng(0).random((24, 24))
    with pytest.raises(ValueError, match=r"mixng.*mixing"):
        entry("separate", image, mixng="linear")
    with pytest.raises(ValueError, match="seed"):
        entry("separate", image, seed=-1)
