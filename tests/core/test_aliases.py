"""Former names of tasks, methods and settings mean the present ones."""

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_bitsnet as nb
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.cli.app import build_app
from napari_bitsnet.cli.options import read_assignments
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


def test_functions_take_former_names():
    image = np.random.default_rng(0).uniform(1, 100, (8, 8))
    present = nb.intensity_to_density(image, i0=200.0)
    np.testing.assert_array_equal(nb.intensity_to_density(image, blank=200.0), present)
    assert not np.array_equal(present, nb.intensity_to_density(image), equal_nan=True)
    with pytest.raises(TypeError, match="empty"):
        nb.intensity_to_density(image, empty=200.0)


def test_spike_in_takes_former_names():
    guide = np.random.default_rng(1).uniform(size=(48, 48, 3))
    intensity = 500 * np.exp(-guide.mean(axis=-1))
    one, other = (
        nb.spike_in(intensity, [guide, None], mixing="attenuation", preset="quick", **{name: 900.0})
        for name in ("i0", "blank")
    )
    assert one.transfer == other.transfer
    assert one.amplitude == other.amplitude


def test_commands_take_former_names():
    config = METHODS.get("guided_regression").Config
    assert read_assignments(["rounds=3"], config) == {"n_reweightings": 3}
    for command in ("separate", "xray", "check", "spike-in"):
        for flag in (
            ["--blank", "0.0"],
            ["--blank=0.0"],
        ):  # out of range, so that the command ends before any work
            guide = [] if command == "separate" else ["--guide", "none"]
            told = CliRunner().invoke(build_app(), [command, "image.tif", *guide, *flag])
            assert told.exit_code == 2
            assert "greater than" in told.output
            assert "No such option" not in told.output
