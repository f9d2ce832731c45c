"""The package's papers agree with one another."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import napari_bitsnet

PROJECT = Path(__file__).resolve().parent.parent
TEXT = {
    name: (PROJECT / name).read_text(encoding="utf-8")
    for name in ("constraints.txt", "pyproject.toml", "CITATION.cff", "CHANGELOG.md")
}
PINS = [line for line in TEXT["constraints.txt"].splitlines() if not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_constraint_is_one_exact_version():
    assert [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    names = [normal(line.split("==")[0]) for line in PINS]
    assert len(names) == len(set(names))


def test_torch_is_the_tested_one():
    assert "torch==2.13.0" in PINS


def test_every_direct_dependency_is_constrained():
    project = tomllib.loads(TEXT["pyproject.toml"])["project"]
    extras = {
        k: v for k, v in project["optional-dependencies"].items() if k != "bm3d"
    }  # never installed here
    wanted = {
        normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0])
        for requirement in [*project["dependencies"], *(r for rs in extras.values() for r in rs)]
    } - {"napari-bitsnet"}
    assert wanted - {normal(line.split("==")[0]) for line in PINS} == set()


def test_non_commercial_packages_are_an_extra_of_their_own():
    extras = tomllib.loads(TEXT["pyproject.toml"])["project"]["optional-dependencies"]
    assert [name for name, packages in extras.items() if any(p.startswith("bm3d") for p in packages)] == [
        "bm3d"
    ]


def test_the_version_is_told_the_same_everywhere():
    version = napari_bitsnet.__version__
    assert f"\nversion: {version}\n" in TEXT["CITATION.cff"]
    assert f"## {version}" in TEXT["CHANGELOG.md"]


def test_the_manifest_at_the_root_is_the_one_in_the_package():
    packaged = PROJECT / "src" / "napari_bitsnet" / "napari.yaml"
    assert (PROJECT / "napari.yaml").resolve() == packaged
    installed = Path(napari_bitsnet.__file__).parent / "napari.yaml"
    assert installed.read_bytes() == packaged.read_bytes()


def test_type_checkers_are_told_that_the_package_is_typed():
    assert (Path(napari_bitsnet.__file__).parent / "py.typed").is_file()
