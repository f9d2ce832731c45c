"""Every registered task runs from the dock, with its layers, and nothing in the dock knows its name."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("name", TASKS.names())
def test_a_task_runs_from_the_dock(undocked, monkeypatch, image, name):
    for method in METHODS:
        for preset, config in METHODS.get(method).presets.items():
            if "iterations" in type(config).model_fields:
                monkeypatch.setitem(METHODS.get(method).presets, preset, config.updated({"iterations": 2}))
    viewer, widget = undocked.viewer, undocked.widget
    viewer.layers.clear()
    rng = np.random.default_rng(1)
    scene = (np.stack([image, image[::-1], image[:, ::-1]], axis=-1) * 120 + 100).astype(np.uint8)
    scene += rng.integers(0, 8, scene.shape, dtype=np.uint8)
    mixture = viewer.add_image(scene, name="scene", rgb=True)
    labels = np.zeros(image.shape, np.uint8)
    labels[4:8, 4:20], labels[14:20, 8:28] = 1, 2
    widget.task.apply(name, {})
    asked = {each.name: each for each in TASKS.get(name).inputs}
    mixtures = [mixture]
    if asked["mixture"].many:
        mixtures.append(viewer.add_image(scene[::-1] // 2 + scene // 2, name="other", rgb=True))
    widget.inputs.choose("mixture", mixtures)
    if "guides" in asked and asked["guides"].many:
        widget.inputs.choose(
            "guides", [viewer.add_image(scene[:, ::-1].copy(), name="front", rgb=True), None]
        )
    for marks in ("hints", "mask"):
        if marks in asked and (asked[marks].required or marks == "hints"):
            widget.inputs.choose(marks, [viewer.add_labels(labels, name=marks)])
    widget.method.preset.choose("quick")
    run = widget.run()
    assert run is not None, widget.notice.text
    undocked.wait_idle()
    assert run.result is not None, widget.notice.text
    assert run.layers, run.result
    assert any(layer.visible for layer in run.layers), [layer.name for layer in run.layers]
    assert widget.bar.line.startswith(("Done", "Stopped"))
    assert run.layers[0].metadata["napari-bitsnet"]["task"] == name
