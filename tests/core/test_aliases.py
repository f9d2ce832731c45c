"""Former names of tasks, methods and settings mean the present ones."""

import pytest

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.core import aliases
from napari_bitsnet.core.config import UnknownSetting
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

CONFIGS = [METHODS.get(name).Config for name in METHODS] + [TASKS.get(name).Config for name in TASKS]


def test_former_names_lead_to_names_that_exist():
    assert set(aliases.METHODS.values()) <= set(METHODS.names())
    assert set(aliases.TASKS.values()) <= set(TASKS.names())
    assert set(aliases.SETTINGS.values()) <= {name for config in CONFIGS for name in config.model_fields}


@pytest.mark.parametrize(("former", "present"), aliases.SETTINGS.items())
def test_former_settings_are_read(former: str, present: str):
    for config in CONFIGS:
        if present in config.model_fields and former not in config.model_fields:
            value = config.model_fields[present].default
            assert config().updated({former: value}) == config()


def test_a_present_name_is_never_taken_for_a_former_one():
    ica, regression = METHODS.get("ica").Config(), METHODS.get("guided_regression").Config()
    assert ica.updated({"rounds": 3}).rounds == 3
    assert regression.updated({"rounds": 3}).n_reweightings == 3
    with pytest.raises(UnknownSetting, match="'centres'"):
        ica.updated({"centres": 3})


@pytest.mark.parametrize(("former", "present"), aliases.METHODS.items())
def test_former_methods_are_read(former: str, present: str):
    assert RunSettings(method=former).method == present
    assert RunSettings().updated({"method": former}).method == present


def test_former_tasks_and_starts_are_read():
    for former, present in aliases.TASKS.items():
        assert RunSettings.of(former).task == present
    bitsnet = METHODS.get("bitsnet").Config()
    assert bitsnet.updated({"start": "regression"}).start == "guided_regression"
