"""Settings in the wrong place are sent to the right one, before any work."""

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.cli.options import read_assignments
from napari_bitsnet.core.config import UnknownSetting
from napari_bitsnet.methods import METHODS

IMAGE = np.arange(64.0).reshape(8, 8)


def test_a_methods_setting_among_the_tasks_options():
    with pytest.raises(ValueError, match=r"'alpha_exclusion' is a setting of the method bitsnet: settings="):
        nb.separate(IMAGE, alpha_exclusion=0.1)
    with pytest.raises(ValueError, match="'kernel_size' is a setting of the method double_dip"):
        nb.separate(IMAGE, method="double_dip", kernel_size=3)


def test_a_tasks_option_among_the_methods_settings():
    with pytest.raises(ValueError, match=r"'n_sources' is an option of the task separate: n_sources="):
        nb.separate(IMAGE, method="bitsnet", settings={"n_sources": 3})


def test_an_argument_of_the_run_among_the_methods_settings():
    with pytest.raises(ValueError, match=r"'seed' belongs to the run, not to the method: seed=…, or --seed"):
        nb.separate(IMAGE, method="bitsnet", settings={"seed": 3})


def test_presets_that_are_mistyped():
    with pytest.raises(ValueError, match=r"of bitsnet\. Did you mean 'balanced'\? Known: quick"):
        nb.separate(IMAGE, method="bitsnet", preset="balance")


@pytest.mark.parametrize(
    ("given", "meant"),
    [("guide", "guides"), ("hint", "hints"), ("masks", "mask"), ("seeds", "seed"), ("mixng", "mixing")],
)
def test_arguments_of_the_run_are_suggested_among_the_tasks_options(given, meant):
    with pytest.raises(ValueError, match=rf"^Unknown setting '{given}'\. Did you mean '{meant}'\? Known: "):
        nb.run("xray", IMAGE, **{given: [IMAGE]})


def test_assignments_of_the_command_line_keep_the_names():
    with pytest.raises(UnknownSetting, match=r"Did you mean 'iterations'\?") as caught:
        read_assignments(["iteration=3"], METHODS.get("bitsnet").Config)
    assert caught.value.names == ["iteration"]
