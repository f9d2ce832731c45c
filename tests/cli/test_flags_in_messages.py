"""Messages name settings by their flags."""

import numpy as np
import pytest
import tifffile

from napari_bitsnet.cli.batch import SUCCESS
from napari_bitsnet.cli.wording import in_cells, in_flags
from napari_bitsnet.data.panel import simulate_panel


@pytest.mark.parametrize(
    ("text", "task", "said"),
    [
        ('keep it with unexplained="apart".', "xray", "keep it with --unexplained apart."),
        ("or set n_sources=3.", "multi-mixture", "or set --n-sources 3."),
        ("preset='quick' or device='cpu'.", "separate", "--preset quick or --device cpu."),
        ('Use start="auto".', "separate", "Use --set start=auto."),
        ("write format='imagej'.", "separate", "write --format imagej."),
        ("leave them with maps=False", "xray", "leave them with --no-maps"),
        ("in /data/seed=3/a.tif, or other=3", "separate", "in /data/seed=3/a.tif, or other=3"),
    ],
)
def test_settings_become_flags(text, task, said):
    assert in_flags(text, task) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('keep it with unexplained="apart".', "keep it with unexplained=apart."),
        ("preset='quick' or n_sources=3.", "preset=quick or n_sources=3."),
        ('Use start="auto" or maps=False.', "Use start=auto or maps=False."),
        ("write format='imagej'.", "write --format imagej."),  # the command's, for all rows
        ("in /data/seed=3/a.tif", "in /data/seed=3/a.tif"),
    ],
)
def test_settings_become_cells(text, said):
    assert in_cells(text) == said


def test_warnings_and_errors_of_a_run_name_flags(call, tmp_path):
    panel = simulate_panel(2, 64)
    tifffile.imwrite(tmp_path / "scan.tif", panel.mixture)
    guides = []
    for k, guide in enumerate([*panel.guides, 255 - np.asarray(panel.guides[0])]):
        tifffile.imwrite(tmp_path / f"{k}.tif", guide)
        guides += ["--guide", tmp_path / f"{k}.tif"]
    files = [tmp_path / "scan.tif", "-o", tmp_path / "out", "--preset", "quick"]
    code, text = call("xray", *files, *guides[:4])
    assert code == SUCCESS, text
    assert "keep it out of the sources with --unexplained apart." in text
    code, text = call("xray", *files, "--overwrite", *guides)
    assert code != SUCCESS
    assert "set --n-sources 3." in text
