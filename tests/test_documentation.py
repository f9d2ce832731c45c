"""What is documented is what is there, and what is run."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_bitsnet
from napari_bitsnet.data import samples
from tests.presets import make_all_quick

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "src" / "napari_bitsnet"
README = (PROJECT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *PROJECT.glob("*.md"),
    *(p for p in (PROJECT / "docs").rglob("*.md") if p.parent.name != "generated"),
]
COMMANDS = {
    "demo": "python -m pip install -c constraints.txt . && napari-bitsnet demo",
    "tests": (
        'python -m pip install -c constraints.txt ".[test]" && '
        "python -m pytest --numprocesses=logical --dist=loadfile"
    ),
}
FUNCTIONS = [name for name in napari_bitsnet.__all__ if name[0].islower() and name != "metrics"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_command_is_the_one_that_the_checks_run(name: str):
    extracted = subprocess.run(
        [sys.executable, PROJECT / ".ci" / "readme_commands.py", name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert extracted == COMMANDS[name]
    assert f"\n```bash\n{extracted}\n```\n" in README
    assert "for name in demo tests; do\n    command=$(python .ci/readme_commands.py" in (
        PROJECT / ".ci" / "run"
    ).read_text(encoding="utf-8")


def test_a_readme_without_its_commands_is_an_error(tmp_path: Path):
    script = tmp_path / ".ci" / "readme_commands.py"
    script.parent.mkdir()
    script.write_text((PROJECT / ".ci" / "readme_commands.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "README.md").write_text("# Nothing here\n", encoding="utf-8")
    done = subprocess.run([sys.executable, script, "demo"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Expected <!-- command: name -->" in done.stderr


@pytest.mark.parametrize(
    "page",
    [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")],
    ids=lambda p: str(p.relative_to(PROJECT)),
)
def test_pictures_and_pages_that_a_page_names_are_there(page: Path):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"!?\[[^\]]*\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)", text)
    named += re.findall(r"```\{(?:image|figure|include|literalinclude)\} (\S+)", text)
    written = [target for target in named if "generated/" not in target]  # the others by the build
    missing = [target for target in written if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(PROJECT)))
def test_links_to_pages_that_the_build_makes_have_words(page: Path):
    # read in a checkout, such a page is not there, and an empty link would show nothing at all
    assert re.findall(r"\[\]\([^)]*generated/[^)]*\)", page.read_text(encoding="utf-8")) == []


@pytest.mark.filterwarnings("ignore::UserWarning")  # tiny images are hardly separable, and the run says so
def test_the_code_on_the_python_page_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    make_all_quick(monkeypatch)
    rng = np.random.default_rng(0)
    a, b = np.kron(rng.random((2, 8, 8)), np.ones((4, 4))) + 0.1 * rng.random((2, 32, 32))
    names = {"mixture": (a + b) / 2, "truths": np.stack([a, b]) / 2, "xray": (a + b) / 2}
    names |= {"front": a, "back": b, "first": 0.7 * a + 0.3 * b, "second": 0.4 * a + 0.6 * b}
    tifffile.imwrite("xray.tif", names["xray"])
    for side in ("front", "back"):
        Image.fromarray(np.uint8(255 * names[side] / names[side].max())).save(f"{side}.png")
    page = (PROJECT / "docs" / "getting-started-python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        exec(compile(block, "getting-started-python.md", "exec"), names)
    assert np.isfinite(names["scores"]["mean_gain"])
    assert names["panel"].mixture.shape == (256, 256)  # a sample to try it on
    assert names["xray"].shape == (32, 32)  # read from a file


def test_the_sample_that_the_python_page_names_is_a_mixture():
    page = (PROJECT / "docs" / "getting-started-python.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"`mixture = (samples\.[^`]+)`", page)
    mixture = eval(code, {"samples": samples})
    assert (mixture.ndim, mixture.shape[-1]) == (3, 3)


def test_an_environment_is_made_before_the_first_command():
    for page in ("README.md", "docs/getting-started-python.md"):
        text = (PROJECT / page).read_text(encoding="utf-8")
        assert "checkout" in text[: text.index("-m venv .venv")]
        assert text.index("-m venv .venv") < text.index("-m pip install")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_name_says_what_it_takes_and_returns(name: str):
    function = getattr(napari_bitsnet, name)
    text = inspect.getdoc(function) or ""
    parameters = inspect.signature(function).parameters
    documented = documented_parameters(text)
    assert set(parameters) == documented
    assert re.search(r"^(Returns|Yields)\n-+$", text, re.MULTILINE) or "Return" in text.splitlines()[0]


def documented_parameters(text: str) -> set[str]:
    """Names in the Parameters section of a numpydoc text."""
    found = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-{3,}$|\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        return set()
    heads = re.findall(r"^(\*{0,2}\w[\w, *]*?)(?: :.*)?$", found[1], re.MULTILINE)
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


CLASSES = {
    node.name: node
    for path in PACKAGE.rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
}


def described_above(owner: ast.ClassDef, name: str) -> bool:
    """Whether a class of ours, from which another one inherits, describes a function of that name."""
    names = [b.value if isinstance(b, ast.Subscript) else b for b in owner.bases]
    bases = [CLASSES[b.id] for b in names if isinstance(b, ast.Name) and b.id in CLASSES]
    return any(
        described_above(base, name)
        or any(isinstance(m, ast.FunctionDef) and m.name == name and ast.get_docstring(m) for m in base.body)
        for base in bases
    )


def definitions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Public definitions at the top and in public classes, but setters, overrides of torch's and Qt's, and
    those of ours that have nothing to add."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        setter = any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in node.decorator_list)
        if (
            isinstance(tree, ast.ClassDef)
            and not ast.get_docstring(node)
            and described_above(tree, node.name)
        ):
            continue
        if not setter and node.name != "forward" and not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", node.name):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node)


def complaints(node: ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
    """What is wrong with a definition's docstring."""
    text = ast.get_docstring(node)
    if not text:
        yield f"{node.name} has no docstring"
        return
    first = text.split("\n\n")[0].rstrip()
    if not first.endswith((".", ":", "?", "…", ")", "``")):
        yield f"{node.name} does not begin with a sentence: {first!r}"
    if isinstance(node, ast.FunctionDef):
        given = node.args
        names = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        stale = documented_parameters(text) - {a.arg for a in names if a is not None}
        if stale:
            yield f"{node.name} documents {sorted(stale)}, which it does not take"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_public_function_and_class_is_described(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [text for node in definitions(tree) for text in complaints(node)] == []
    assert ast.get_docstring(tree), "the file does not say what it is for"


def test_the_code_that_belongs_to_an_equation_is_where_the_pages_say():
    pages = [
        README,
        *((PROJECT / "docs/concepts" / name).read_text() for name in ("index.md", "notation.md")),
    ]
    named = [
        found for page in pages for found in re.findall(r"`([\w/]+\.py)`(?:: ((?:`\w+`(?:, )?)+))?", page)
    ]
    files = {file for file, _ in named}
    assert files >= {"core/losses/exclusion.py", "methods/dip/admm.py", "methods/guided/fit.py"}
    for file, functions in named:
        code = (PACKAGE / file).read_text(encoding="utf-8")
        for name in re.findall(r"\w+", functions):
            assert re.search(rf"^(def|class) {name}\b", code, re.MULTILINE), f"{name} is not in {file}"
