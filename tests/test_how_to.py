"""The recipes of the how-to guides run, make the scripts that they promise, and name options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import zarr
from typer.main import get_command

import napari_bitsnet as nb
from napari_bitsnet.cli.app import build_app
from napari_bitsnet.data.panel import simulate_panel
from napari_bitsnet.io.read import read_image

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "how-to" / "cluster.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_recipe_for_a_local_cluster_runs(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    make = distributed.LocalCluster
    monkeypatch.setattr(  # in threads, which start at once
        distributed, "LocalCluster", lambda **given: make(**given, processes=False, dashboard_address=None)
    )
    panel = simulate_panel(2, 32)
    stack = zarr.open_array("mixed.zarr", mode="w", shape=(2, 32, 32), chunks=(1, 32, 32), dtype="u2")
    stack[:] = np.stack([panel.mixture, panel.mixture[::-1]]).clip(0, 65535).astype(np.uint16)
    names = {"__name__": "__main__", "upper": panel.guides[0], "lower": panel.guides[1]}
    exec(compile(RECIPES[0], "cluster.md", "exec"), names)
    assert Path(tmp_path / "out" / "mixed_source_1.ome.zarr") in names["paths"]
    assert np.isfinite(read_image(names["paths"][0]).array).all()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_recipe_for_a_large_image_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("napari_bitsnet.api.tiles.REDUCED", 32**2)
    panel = simulate_panel(2, 64)
    for name, image in zip(("mosaic", "front", "back"), (panel.mixture, *panel.guides), strict=True):
        nb.save(f"{name}.ome.zarr", image)
    exec(compile(RECIPES[1], "cluster.md", "exec"), {})
    sources = [read_image(Path("out") / f"mosaic_source_{k}.ome.zarr").array for k in (1, 2)]
    np.testing.assert_allclose(sources[0] + sources[1], panel.mixture, atol=0.1)


def test_the_recipe_for_slurm_makes_a_script():
    pytest.importorskip("dask_jobqueue")
    names = {}
    exec(compile(RECIPES[2], "cluster.md", "exec"), names)
    with names["cluster"] as cluster:
        script = cluster.job_script()
    for line in ("#SBATCH -p short", "#SBATCH --cpus-per-task=4", "#SBATCH --mem=15G", "#SBATCH -t 02:00:00"):
        assert line in script
    for option in ("distributed.cli.dask_worker ", " --nthreads 1 ", " --nworkers 4 "):
        assert option in script


def test_the_rule_for_snakemake_has_options_that_exist():
    (line,) = re.findall(r'"OMP_NUM_THREADS=\{threads\} (napari-bitsnet .*)"', PAGE)
    _, task, *words = shlex.split(line)
    known = {option for each in get_command(build_app()).commands[task].params for option in each.opts}
    assert {word for word in words if word.startswith("-")} <= known
    assert re.findall(r"--guide (\S+)", line) == ["{input.front}", "none"]
