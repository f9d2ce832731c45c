"""The package's papers agree with one another, and with what the code needs."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
import zlib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from safetensors import safe_open

import napari_bitsnet
from napari_bitsnet.api import list_tasks

PROJECT = Path(__file__).resolve().parent.parent
TEXT = {
    name: (PROJECT / name).read_text(encoding="utf-8")
    for name in ("constraints.txt", "pyproject.toml", "CITATION.cff", "CHANGELOG.md")
}
PROJECT_TABLE = tomllib.loads(TEXT["pyproject.toml"])["project"]
HATCH = tomllib.loads(TEXT["pyproject.toml"])["tool"]["hatch"]
WHEEL = HATCH["build"]["targets"]["wheel"]
WEIGHTS = PROJECT / "src" / "napari_bitsnet" / "weights"
MAX_WHEEL = 17e6
"""Largest size of the wheel, in bytes."""

NOT_IMPORTED = {"imagecodecs"}  # tifffile and zarr find it themselves
PARTS = {"pydantic_core", "triton"}  # come with pydantic, and with PyTorch where there is CUDA
PINS = [line for line in TEXT["constraints.txt"].splitlines() if not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_constraint_is_one_exact_version():
    assert [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    names = [normal(line.split("==")[0]) for line in PINS]
    assert len(names) == len(set(names))


def test_torch_is_the_tested_one():
    assert "torch==2.13.0" in PINS


def name_of(requirement: str) -> str:
    """The normalised name of a requirement: ``"pydantic"`` of ``"pydantic>=2.8"``."""
    return normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0])


DEPENDENCIES = {name_of(requirement) for requirement in PROJECT_TABLE["dependencies"]}
EXTRAS = PROJECT_TABLE["optional-dependencies"]


def imported_packages() -> set[str]:
    """Names of the packages outside the standard library that some file of ``src`` imports, as the index
    knows them."""
    names: set[str] = set()
    for path in (PROJECT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").split(".")[0])
    known = packages_distributions()
    outside = names - set(sys.stdlib_module_names) - {"napari_bitsnet"} - PARTS
    return {normal(distribution) for name in outside for distribution in known.get(name, [name])}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    imported = imported_packages()
    optional = {name_of(requirement) for requirements in EXTRAS.values() for requirement in requirements}
    assert imported - DEPENDENCIES - optional == set()
    assert DEPENDENCIES - imported - NOT_IMPORTED == set()


def test_python_versions_are_the_same_in_classifiers_tox_and_workflow():
    versions = [c.split(" :: ")[-1] for c in PROJECT_TABLE["classifiers"] if re.search(r":: 3\.\d+$", c)]
    tox = re.search(r"py\{([\d,]+)\}", (PROJECT / "tox.ini").read_text(encoding="utf-8"))[1]
    assert [f"3.{v[1:]}" for v in tox.split(",")] == versions
    workflow = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == versions
    assert PROJECT_TABLE["requires-python"] == f">={versions[0]}"


def test_the_conda_recipe_needs_what_the_package_needs():
    recipe = yaml.safe_load((PROJECT / "recipe/recipe.yaml").read_text(encoding="utf-8"))
    wanted = {re.sub("^torch>", "pytorch>", requirement) for requirement in PROJECT_TABLE["dependencies"]}
    run = {requirement.replace(" ", "") for requirement in recipe["requirements"]["run"]}
    assert run == wanted | {"python>=${{python_min}}"}
    assert recipe["context"]["version"] == napari_bitsnet.__version__
    assert recipe["about"]["license"] == PROJECT_TABLE["license"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("![A](docs/a.png)", "![A](https://raw.githubusercontent.com/"),
        ('<img width="9" src="docs/a.png">', '<img width="9" src="https://raw.githubusercontent.com/'),
        ("[b](docs/b.md)", "[b](https://github.com/"),
        ("[![A](docs/a.png)](docs/b.md)", "[![A](https://raw.githubusercontent.com/"),
        ("[c](#use)", "[c](#use)"),
        ("[d](https://napari.org)", "[d](https://napari.org)"),
    ],
)
def test_links_on_the_index_are_absolute(written: str, shown: str):
    assert on_the_index(written).startswith(shown)


def test_no_link_of_the_readme_is_relative_on_the_index():
    text = on_the_index((PROJECT / "README.md").read_text(encoding="utf-8"))
    assert re.findall(r'(?:\]\(|src="|href=")(?!https?:|#|mailto:)[^)"]*', text) == []


def on_the_index(text: str) -> str:
    """Return Markdown with the substitutions that the build makes in the README."""
    for rule in HATCH["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    return text


def packaged(patterns: list[str]) -> set[Path]:
    """Return the files that patterns of the wheel's table name, those in folders included."""
    found = {path for pattern in patterns for path in PROJECT.glob(pattern)}
    found |= {path for folder in found if folder.is_dir() for path in folder.rglob("*")}
    return {path for path in found if path.is_file() and path.suffix != ".pyc"}


FILES = packaged(WHEEL["include"]) - packaged(WHEEL["exclude"])
PAGES = {path for path in FILES if path.suffix == ".md" and path.is_relative_to(PROJECT / "docs")}
PICTURES = {path for path in FILES if path.suffix == ".png"}


def test_pages_that_the_dock_opens_are_in_the_wheel():
    docs = PROJECT / "docs"
    named = {f"tutorials/{task}.md" for task in list_tasks()}
    for path in (PROJECT / "src/napari_bitsnet/widgets").rglob("*.py"):
        named |= set(re.findall(r'"([a-z_/-]+\.md)[#"]', path.read_text(encoding="utf-8")))
    opened = {docs / name for name in named if (docs / name).is_file() and "generated" not in name}
    assert docs / "getting-started-viewer.md" in opened
    assert opened - PAGES == set(), "name them in [tool.hatch.build.targets.wheel]"


def test_the_wheel_has_the_pictures_of_its_pages_and_no_others():
    shown = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    assert shown == PICTURES, "mend include and exclude in [tool.hatch.build.targets.wheel]"


def test_every_pattern_of_the_wheel_names_a_file():
    patterns = [*WHEEL["include"], *WHEEL["exclude"]]
    assert [pattern for pattern in patterns if not packaged([pattern])] == []


def test_the_wheel_stays_small():
    size = sum(len(zlib.compress(path.read_bytes(), 6)) for path in FILES)
    assert size < MAX_WHEEL, "quantise new pictures to 256 colours, or leave out what the dock never opens"


@pytest.mark.parametrize("weights", sorted(WEIGHTS.glob("*.safetensors")), ids=lambda p: p.stem)
def test_the_licence_of_weights_lies_beside_them(weights: Path):
    table = (WEIGHTS / "LICENSE.md").read_text(encoding="utf-8")
    row = next(line for line in table.splitlines() if line.startswith(f"| `{weights.name}` |"))
    with safe_open(weights, "np") as file:
        trunk = json.loads(file.metadata()["facts"]).get("settings", {}).get("trunk")
    assert ("Apache-2.0" in row) == bool(trunk)
    assert ("| random numbers |" in row) == (not trunk)
    assert "BSD-3-Clause" in row


def test_every_direct_dependency_is_constrained():
    extras = {k: v for k, v in EXTRAS.items() if k != "bm3d"}  # never installed here
    wanted = {name_of(r) for rs in extras.values() for r in rs} | DEPENDENCIES
    wanted -= {"napari-bitsnet"}
    assert wanted - {normal(line.split("==")[0]) for line in PINS} == set()


def test_non_commercial_packages_are_an_extra_of_their_own():
    assert [name for name, packages in EXTRAS.items() if any(p.startswith("bm3d") for p in packages)] == [
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
