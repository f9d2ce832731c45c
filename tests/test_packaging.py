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
from urllib.parse import unquote

import pytest
import yaml
from safetensors import safe_open

import napari_bitsnet
from napari_bitsnet.api import list_tasks
from napari_bitsnet.data.photographs import BUNDLED, BUNDLED_GREY

PROJECT = Path(__file__).resolve().parent.parent
TEXT = {
    name: (PROJECT / name).read_text(encoding="utf-8")
    for name in ("constraints.txt", "pyproject.toml", "CITATION.cff", "CHANGELOG.md")
}
PROJECT_TABLE = tomllib.loads(TEXT["pyproject.toml"])["project"]
HATCH = tomllib.loads(TEXT["pyproject.toml"])["tool"]["hatch"]
WHEEL = HATCH["build"]["targets"]["wheel"]
PACKAGE = PROJECT / "src" / "napari_bitsnet"
WEIGHTS, DATA = PACKAGE / "weights", PACKAGE / "data"
MAX_WHEEL, MAX_WITHOUT_WEIGHTS = 15e6, 2e6
"""Largest size of the wheel in bytes, and without the networks."""

OVERHEAD = 220
"""Bytes of a file in the wheel beside its contents: headers, and its line in RECORD."""

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


def sources() -> list[Path]:
    """Code and pages that may tell how to install an extra."""
    return [*PACKAGE.rglob("*.py"), *(PROJECT / "docs").rglob("*.md"), PROJECT / "README.md"]


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


def test_the_public_checks_try_the_lowest_and_the_newest_dependencies_on_each_system():
    workflow = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    matrix = workflow["jobs"]["tests"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    tried = {(row["os"], row["python"], row["dependencies"]) for row in matrix["include"]}
    ends = ((matrix["python"][0], "lowest"), (matrix["python"][-1], "newest"))
    assert tried == {(system, *end) for system in matrix["os"] for end in ends}


def test_the_conda_recipe_says_what_the_package_says():
    recipe = yaml.safe_load((PROJECT / "recipe/recipe.yaml").read_text(encoding="utf-8"))
    wanted = {re.sub("^torch>", "pytorch>", requirement) for requirement in PROJECT_TABLE["dependencies"]}
    run, host = (
        {requirement.replace(" ", "") for requirement in recipe["requirements"][part]}
        for part in ("run", "host")
    )
    assert run == wanted | {"python>=${{python_min}}"}
    build = tomllib.loads(TEXT["pyproject.toml"])["build-system"]
    assert host == {*build["requires"], "pip", "python${{python_min}}.*"}
    assert recipe["package"]["name"] == PROJECT_TABLE["name"]
    assert recipe["context"]["version"] == napari_bitsnet.__version__
    assert f">={recipe['context']['python_min']}" == PROJECT_TABLE["requires-python"]
    scripts = [f"{name} = {place}" for name, place in PROJECT_TABLE["scripts"].items()]
    assert recipe["build"]["python"]["entry_points"] == scripts
    about, urls = recipe["about"], PROJECT_TABLE["urls"]
    assert about["license"] == PROJECT_TABLE["license"]
    assert [about["repository"], about["documentation"]] == [urls["Source Code"], urls["Documentation"]]
    assert recipe["source"]["url"].startswith(urls["Source Code"] + "/")
    packaged = {path for pattern in PROJECT_TABLE["license-files"] for path in PROJECT.glob(pattern)}
    assert {PROJECT / name for name in about["license_file"]} == packaged


def test_the_image_for_containers_installs_as_the_readme_does():
    lines = (PROJECT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = " ".join(lines).replace("\\", "")
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    python = re.search(r"FROM python:(3\.\d+)-slim", text)[1]
    assert f"Programming Language :: Python :: {python}" in PROJECT_TABLE["classifiers"]
    assert "pip install -c constraints.txt ." in readme
    assert re.search(r"pip install --system[^&]* -c constraints\.txt \.(?= )", text)
    libraries = re.search(r"--no-install-recommends (.*?) &&", text)[1].split()
    assert set(libraries) <= set(re.findall(r"lib[\w.-]+", (PROJECT / ".ci/run").read_text(encoding="utf-8")))
    command = next(iter(PROJECT_TABLE["scripts"]))
    assert f'ENTRYPOINT ["{command}"]' in lines
    task, *options = re.search(rf"/images {command} ([\w-]+) (.*)", "\n".join(lines)).groups()
    shown = re.search(rf"{command} {task} (.*)", readme)[1]
    assert set(re.findall(r" (--?\w+)", options[0])) <= set(re.findall(r" (--?\w+)", shown))
    assert len(lines) < 25


def test_the_image_for_containers_is_given_what_the_build_needs():
    ignored = [line for line in (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line]
    assert "COPY . ." in (PROJECT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    needed = {PROJECT / name for name in ("pyproject.toml", "README.md", "constraints.txt")}
    needed |= packaged([*WHEEL["include"], *PROJECT_TABLE["license-files"]])
    parts = {pattern.removeprefix("**/") for pattern in ignored}
    left_out = [path for path in needed if any(p.match(q) for p in _above(path) for q in parts)]
    assert left_out == []


def _above(path: Path) -> list[Path]:
    """Return a file and its folders up to the checkout, relative to it."""
    inner = path.relative_to(PROJECT)
    return [inner, *inner.parents[:-1]]


def test_links_on_the_index_name_the_places_that_the_index_and_the_hub_know():
    urls = PROJECT_TABLE["urls"]
    assert {"Documentation", "Source Code", "Bug Tracker", "User Support", "Changelog"} == set(urls)
    assert urls["User Support"] == urls["Documentation"] + "troubleshooting.html"
    assert (PROJECT / "docs/troubleshooting.md").is_file()
    assert all(urls[name].startswith(urls["Source Code"]) for name in ("Bug Tracker", "Changelog"))


def test_badges_tell_the_versions_of_python_and_the_licence():
    badges = re.findall(
        r"^\[!\[.*?\]\((\S+?)\)\]\((\S+)\)$", (PROJECT / "README.md").read_text("utf-8"), re.M
    )
    pictures = {unquote(picture.split("?")[0]) for picture, _ in badges}
    versions = [c.split(" :: ")[-1] for c in PROJECT_TABLE["classifiers"] if re.search(r":: 3\.\d+$", c)]
    shields = "https://img.shields.io"
    assert f"{shields}/badge/python-{versions[0]} to {versions[-1]}-blue" in pictures
    assert f"{shields}/badge/licence-{PROJECT_TABLE['license'].replace('-', '--')}-blue" in pictures
    assert f"{shields}/pypi/v/{PROJECT_TABLE['name']}" in pictures
    workflows = [picture for picture in pictures if "/actions/workflows/" in picture]
    assert all(picture.startswith(PROJECT_TABLE["urls"]["Source Code"]) for picture in workflows)
    names = {picture.split("/")[-2] for picture in workflows}
    assert names == {"ci.yml", "docs.yml"}
    assert all((PROJECT / ".github/workflows" / name).is_file() for name in names)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("![A](docs/a.png)", "![A](https://raw.githubusercontent.com/"),
        ('<img width="9" src="docs/a.png">', '<img width="9" src="https://raw.githubusercontent.com/'),
        ("[b](docs/b.md)", "[b](https://github.com/"),
        ("[![A](docs/a.png)](docs/b.md)", "[![A](https://raw.githubusercontent.com/"),
        ("[![A](https://a.org/a.png)](docs/b.md)", "[![A](https://a.org/a.png)](https://github.com/"),
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
PICTURES = {path for path in FILES if path.suffix == ".webp"}


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
    sizes = {path: OVERHEAD + len(zlib.compress(path.read_bytes(), 6)) for path in FILES}
    networks = sum(size for path, size in sizes.items() if path.suffix == ".safetensors")
    advice = "save pictures with docs.pictures.saving, or leave out what the dock never opens"
    assert sum(sizes.values()) < MAX_WHEEL, advice
    assert sum(sizes.values()) - networks < MAX_WITHOUT_WEIGHTS, advice


TEXTS_OF_THE_PACKAGE = {".py", ".md", ".yaml", ".jinja", ".typed"}
CARGO = sorted(p for p in FILES if p.is_relative_to(PACKAGE) and p.suffix not in TEXTS_OF_THE_PACKAGE)
"""Weights and data: whatever is neither code, nor a template, nor documentation."""


@pytest.mark.parametrize("path", [p for p in CARGO if not p.name.startswith("LICENSE")], ids=lambda p: p.name)
def test_weights_and_data_have_licence_and_source_beside_them(path: Path):
    _, licence, *source = licence_row(path.parent, path.name)
    assert "BSD-3-Clause" in licence
    assert all(source)


@pytest.mark.parametrize("name", BUNDLED + BUNDLED_GREY)
def test_photographs_of_the_samples_have_licence_and_source(name: str):
    _, licence, source = licence_row(DATA, name)
    assert licence
    assert source


def test_all_licences_are_in_the_metadata():
    named = {path for pattern in PROJECT_TABLE["license-files"] for path in PROJECT.glob(pattern)}
    assert named == {path for path in FILES if path.name.startswith("LICENSE")} | {PROJECT / "LICENSE"}
    assert {path.parent for path in CARGO} <= {path.parent for path in named}


def licence_row(folder: Path, name: str) -> list[str]:
    """Return the cells of a file's or a photograph's row in the licences of its folder."""
    table = (folder / "LICENSE.md").read_text(encoding="utf-8")
    row = next(line for line in table.splitlines() if line.startswith(f"| `{name}` |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.parametrize("weights", sorted(WEIGHTS.glob("*.safetensors")), ids=lambda p: p.stem)
def test_the_licence_of_weights_tells_of_their_trunk(weights: Path):
    _, licence, start, _ = licence_row(WEIGHTS, weights.name)
    with safe_open(weights, "np") as file:
        trunk = json.loads(file.metadata()["facts"]).get("settings", {}).get("trunk")
    assert ("Apache-2.0" in licence) == bool(trunk)
    assert (start == "random numbers") == (not trunk)


def test_every_direct_dependency_is_constrained():
    extras = {k: v for k, v in EXTRAS.items() if k != "bm3d"}  # never installed here
    wanted = {name_of(r) for rs in extras.values() for r in rs} | DEPENDENCIES
    wanted -= {"napari-bitsnet"}
    assert wanted - {normal(line.split("==")[0]) for line in PINS} == set()


def test_the_page_on_installation_says_what_each_extra_is_for():
    page = (PROJECT / "docs" / "installation.md").read_text(encoding="utf-8")
    table = page.split("| extra | what it adds |\n|---|---|\n")[1].split("\n\n")[0]
    rows = [re.fullmatch(r"\| ([^|]+) \| ([^|]+) \|", line) for line in table.splitlines()]
    told = {name: row[2] for row in rows for name in re.findall("`(.+?)`", row[1])}
    assert set(told) == set(EXTRAS)
    for name, packages in EXTRAS.items():  # users' extras that contain others name them
        contained = [one for each in packages for one in re.findall(r"^napari-bitsnet\[(.*)\]", each)]
        parts = {part for one in contained for part in one.split(",")}
        assert name in ("test", "dev") or all(f"`{part}`" in told[name] for part in parts)
    said = {
        path: set(re.findall(r"napari-bitsnet\[([\w,]+)\]", path.read_text("utf-8"))) for path in sources()
    }
    assert {
        path: names for path, names in said.items() if set(",".join(names).split(",")) - {"", *EXTRAS}
    } == {}


def test_non_commercial_packages_are_an_extra_of_their_own():
    assert [name for name, packages in EXTRAS.items() if any(p.startswith("bm3d") for p in packages)] == [
        "bm3d"
    ]


def test_the_version_is_told_the_same_everywhere():
    version = napari_bitsnet.__version__
    citation = yaml.safe_load(TEXT["CITATION.cff"])
    assert citation["version"] == version
    assert f"\n## {version} - {citation['date-released']:%Y-%m-%d}\n" in TEXT["CHANGELOG.md"]


def test_the_manifest_at_the_root_is_the_one_in_the_package():
    packaged = PROJECT / "src" / "napari_bitsnet" / "napari.yaml"
    assert (PROJECT / "napari.yaml").resolve() == packaged
    installed = Path(napari_bitsnet.__file__).parent / "napari.yaml"
    assert installed.read_bytes() == packaged.read_bytes()


def test_type_checkers_are_told_that_the_package_is_typed():
    assert (Path(napari_bitsnet.__file__).parent / "py.typed").is_file()
