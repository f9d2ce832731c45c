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
def test_the_code_on_the_viewers_page_runs(make_napari_viewer_proxy, monkeypatch, tmp_path, image):
    for name in METHODS:  # a few iterations show that the calls are right
        for preset, config in METHODS.get(name).presets.items():
            if "iterations" in type(config).model_fields:
                monkeypatch.setitem(METHODS.get(name).presets, preset, config.updated({"iterations": 2}))
    monkeypatch.setattr(napari, "Viewer", make_napari_viewer_proxy)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    monkeypatch.chdir(tmp_path)
    names = {"mixture": image}
    exec(compile(blocks[0], PAGE.name, "exec"), names)
    viewer = names["viewer"]
    assert [layer.name for layer in names["layers"]][:2] == ["mixture source 1", "mixture source 2"]
    colours = (np.stack([image, image[::-1], image[:, ::-1]], axis=-1) * 255).astype(np.uint8)
    names["front"], names["back"] = (viewer.add_image(c, rgb=True) for c in (colours, colours[::-1].copy()))
    for block in blocks[1:3]:
        exec(compile(block, PAGE.name, "exec"), names)
    dock, run = names["dock"], names["run"]
    assert run.result is not None, dock.notice.text
    exec(compile(blocks[3], PAGE.name, "exec"), names)
    settings = run.request.settings
    assert (settings.task, settings.preset) == ("xray", "quick")
    np.testing.assert_array_equal(names["first"], run.layers[0].data)
    assert run.layer_of("unexplained") in viewer.layers
    saved = {path.name for path in names["files"]}
    assert {"mixture_source_1.tif", "mixture_source_2.tif", "mixture_run.json"} <= saved
    assert all((tmp_path / "out" / name).is_file() for name in saved)
