"""What napari reads about the plugin is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from napari._app_model.constants import MenuId
from npe2 import PluginManifest
from npe2.manifest.utils import import_python_name

import napari_bitsnet
from napari_bitsnet.widgets.preferences import Preferences, preferences

MANIFEST = PluginManifest.from_file(Path(napari_bitsnet.__file__).with_name("napari.yaml"))


def commands():
    return MANIFEST.contributions.commands


@pytest.mark.parametrize("command", commands(), ids=lambda c: c.id)
def test_every_command_imports(command):
    assert callable(import_python_name(command.python_name))


def test_menus_are_ones_that_plugins_may_add_to():
    menus = [menu for menu in MANIFEST.contributions.menus if menu.startswith("napari/")]
    assert menus
    assert set(menus) <= {menu.value for menu in MenuId.contributables()}


def test_everything_offered_is_a_command():
    known = {command.id for command in commands()}
    offered = [w.command for w in MANIFEST.contributions.widgets]
    offered += [s.command for s in MANIFEST.contributions.sample_data]
    offered += [r.command for r in MANIFEST.contributions.readers]
    offered += [w.command for w in MANIFEST.contributions.writers]
    offered += [i.command for items in MANIFEST.contributions.menus.values() for i in items]
    assert set(offered) == known


def test_preferences_are_those_of_the_manifest(plugin_settings, npe2pm):
    from napari.settings import get_plugin_settings

    npe2pm.register(MANIFEST)
    assert preferences() == Preferences()
    get_plugin_settings("napari-bitsnet").defaults.preset = "quick"
    assert preferences() == Preferences(preset="quick")


def test_without_the_plugin_in_napari_preferences_are_the_defaults(plugin_settings, npe2pm):
    assert preferences() == Preferences()
