from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from napari_bitsnet.core import registry as registry_module
from napari_bitsnet.core.registry import Registry


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A registry of a package made for the test: a folder with entries, helpers and a sub-package."""
    folder = tmp_path / "shelf_for_tests"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("SHELF = None\n")
    (folder / "inner" / "__init__.py").write_text("")
    for name in ("apple", "pear", "_basket"):
        (folder / f"{name}.py").write_text(
            f"from shelf_for_tests import SHELF\n\n@SHELF.register({name!r})\ndef {name}():\n    return "
            f"{name!r}\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    import shelf_for_tests

    shelf_for_tests.SHELF = Registry("fruit", "shelf_for_tests", "tests.fruit")
    yield shelf_for_tests.SHELF
    for name in [n for n in sys.modules if n.startswith("shelf_for_tests")]:
        del sys.modules[name]


def test_names_are_those_of_files_without_importing_them(shelf):
    assert shelf.names() == ["apple", "pear"]
    assert list(shelf) == ["apple", "pear"]
    assert "shelf_for_tests.apple" not in sys.modules


def test_an_entry_is_imported_when_asked_for(shelf):
    assert shelf.get("apple")() == "apple"
    assert "shelf_for_tests.apple" in sys.modules
    assert "shelf_for_tests.pear" not in sys.modules
    assert shelf.get("apple") is shelf.get("apple")


def test_unknown_names_list_the_known_ones(shelf):
    with pytest.raises(ValueError, match=r"Unknown fruit 'plum'\. Known: apple, pear\."):
        shelf.get("plum")
    with pytest.raises(ValueError, match="Unknown fruit '_basket'"):
        shelf.get("_basket")


def test_registering_returns_the_entry_itself(shelf):
    def cherry() -> str:
        return "cherry"

    assert shelf.register("cherry")(cherry) is cherry
    assert shelf.names() == ["apple", "cherry", "pear"]
    assert shelf.get("cherry") is cherry


def test_other_packages_add_theirs_by_entry_points(shelf, monkeypatch):
    point = EntryPoint("fig", "math:floor", "tests.fruit")
    monkeypatch.setattr(
        registry_module, "entry_points", lambda group: [point] if group == point.group else []
    )
    assert shelf.names() == ["apple", "fig", "pear"]
    assert shelf.get("fig")(2.7) == 2
