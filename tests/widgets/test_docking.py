"""The docks of this package share one place in the window, and the grid shows one run with its names."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QDockWidget, QMainWindow

pytestmark = pytest.mark.gui


def dock_of(widget):
    native = widget.native
    while not isinstance(native, QDockWidget):
        native = native.parentWidget()
    return native


def test_the_training_dock_is_a_tab_beside_the_first(dock, monkeypatch):
    _, training = dock.viewer.window.add_plugin_dock_widget("napari-bitsnet", "Train networks…")
    first, second = dock_of(dock.widget), dock_of(training)
    window = first.parentWidget()
    assert isinstance(window, QMainWindow)
    dock.wait(lambda: second in window.tabifiedDockWidgets(first))


def test_a_larger_font_makes_the_dock_wider(dock):
    area = dock.widget._area
    before = area.minimumWidth()
    dock.widget.native.setStyleSheet("* { font-size: 16pt; }")
    dock.wait(lambda: area.minimumWidth() > 1.2 * before)


def test_the_grid_shows_names_and_only_the_last_run(dock, fake_run):
    first = dock.widget.run()
    dock.wait_idle()
    assert dock.widget.view.side_by_side.value
    assert [layer.name_overlay.visible for layer in dock.viewer.layers] == [True] * 3
    second = dock.widget.run()
    dock.wait_idle()
    assert [layer.visible for layer in first.layers] == [False, False]
    assert [layer.visible for layer in second.layers] == [True, True]
    dock.widget.view.alone.choose(second.layers[0])
    dock.widget.view.alone.choose("all")
    assert all(layer.visible for layer in dock.viewer.layers)
    dock.widget.view.side_by_side.value = False
    assert not any(layer.name_overlay.visible for layer in dock.viewer.layers)
