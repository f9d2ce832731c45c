"""The layout holds: imports point down, names are where they are looked for, listing loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

import napari_bitsnet
from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

PACKAGE = Path(napari_bitsnet.__file__).parent
PROJECT = Path(__file__).resolve().parent.parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("torch", "napari", "qtpy", "PyQt6", "magicgui", "superqt", "skimage", "sklearn")

LISTING = f"""
import sys
import napari_bitsnet as nb

dir(nb)
nb.list_tasks()
nb.list_methods()

from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

for name in TASKS:
    task = TASKS.get(name)(TASKS.get(name).Config())
    traits = task.traits(n_observations=2, n_guides=2, has_hints=True)
    task.default_method(traits)
    nb.list_methods(name)
    for method in METHODS:
        entry = METHODS.get(method)
        for config in [entry.Config(), *entry.presets.values()]:
            entry(config).unsupported_reason(traits)
            config.model_json_schema()
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, f"listing loaded {{loaded}}"
"""


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=PROJECT, timeout=120
    )


def test_importing_listing_and_building_settings_load_nothing_heavy():
    done = run_python(LISTING)
    assert done.returncode == 0, done.stderr


def test_imports_point_down():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_imports_go_in_a_circle():
    graph = grimp.build_graph("napari_bitsnet", cache_dir=None)  # with lazy imports and those of types
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert imported["napari_bitsnet.training.loop"] >= {"napari_bitsnet.training.records"}
    TopologicalSorter(imported).prepare()  # raises CycleError, which names the modules


def test_no_file_is_called_utils():
    assert [str(p) for p in SOURCES if p.stem.strip("_") in {"utils", "util", "helpers", "misc"}] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_is_long(path: Path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400, f"{path} has {lines} lines: split it by idea."


@pytest.mark.parametrize("registry", [TASKS, METHODS, DENOISERS], ids=lambda r: r.kind)
def test_an_entry_is_found_under_its_file_name(registry):
    assert registry.names()
    folder = PACKAGE.joinpath(*registry.package.split(".")[1:])
    for name in registry.names():
        entry = registry.get(name)
        if entry.__module__.startswith(registry.package):
            *family, last = entry.__module__.removeprefix(f"{registry.package}.").split(".")
            assert (last, len(family)) == (name, int(registry.families))
            assert folder.joinpath(*family, f"{name}.py").is_file()
        assert getattr(entry, "name", name) == name


@pytest.mark.parametrize("registry", [TASKS, METHODS, DENOISERS], ids=lambda r: r.kind)
def test_an_unknown_name_lists_the_known_ones(registry):
    with pytest.raises(ValueError, match=f"Unknown {registry.kind} 'no_such'") as caught:
        registry.get("no_such")
    assert all(name in str(caught.value) for name in registry.names())


def test_the_public_names_are_there():
    for name in napari_bitsnet.__all__:
        assert getattr(napari_bitsnet, name) is not None
    assert set(napari_bitsnet.__all__) <= set(dir(napari_bitsnet))


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        napari_bitsnet.no_such  # noqa: B018
