"""The code on the viewer's page runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import napari
import numpy as np
import pytest

from napari_bitsnet.methods import METHODS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "getting-started-viewer.md"


@pytest.mark.gui
@pytest.mark.filterwarnings("ignore::napari_bitsnet.api.notices.NotSeparatedWarning")
def test_the_code_on_the_viewers_page_runs(make_napari_viewer_proxy, monkeypatch, qtbot, image):
    for name in METHODS:  # a few iterations show that the calls are right
        for preset, config in METHODS.get(name).presets.items():
            if "iterations" in type(config).model_fields:
                monkeypatch.setitem(METHODS.get(name).presets, preset, config.updated({"iterations": 2}))
    monkeypatch.setattr(napari, "Viewer", make_napari_viewer_proxy)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    names = {"mixture": image}
    exec(compile(blocks[0], PAGE.name, "exec"), names)
    viewer = names["viewer"]
    assert [layer.name for layer in names["layers"]][:2] == ["mixture source 1", "mixture source 2"]
    colours = (np.stack([image, image[::-1], image[:, ::-1]], axis=-1) * 255).astype(np.uint8)
    names["front"], names["back"] = (viewer.add_image(c, rgb=True) for c in (colours, colours[::-1].copy()))
    exec(compile(blocks[1], PAGE.name, "exec"), names)
    dock = names["dock"]
    qtbot.waitUntil(lambda: not dock.busy, timeout=90_000)
    assert dock.separation.result is not None, dock.notice.text
    assert dock.separation.request.settings.task == "xray"
