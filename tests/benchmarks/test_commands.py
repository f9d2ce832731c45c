"""``python -m benchmarks`` and the studies: commands and the options that the documentation writes."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import benchmarks
from benchmarks.__main__ import app
from benchmarks.quality.cases.builtin import builtin_cases
from benchmarks.quality.measure import parse_contender
from benchmarks.studies.large_image import block_means, seams
from benchmarks.studies.support_found import likeness
from napari_bitsnet.methods import METHODS

PROJECT = Path(benchmarks.__file__).parents[1]
PAGES = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"), *(PROJECT / "benchmarks").rglob("*.md")]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
WRITTEN = sorted(
    {
        line
        for text in TEXTS.values()
        for line in re.findall(r"python -m benchmarks (?:quality|speed|table)[^\n`]*", text)
    }
)
STUDIES = sorted(path.stem for path in (PROJECT / "benchmarks" / "studies").glob("[a-z]*.py"))


def test_quality_measures_and_table_prints_the_same_again(tmp_path):
    arguments = [
        "quality",
        "-o",
        str(tmp_path),
        "--methods",
        "ica",
        "--size",
        "48",
        "--n",
        "1",
        "--no-sheets",
    ]
    done = CliRunner().invoke(
        app, [*arguments, "--group", "two mixtures, easy weights, 16", "--case", "coffee + chelsea"]
    )
    assert done.exit_code == 0, done.output
    again = CliRunner().invoke(app, ["table", str(tmp_path / "rows.jsonl")])
    tables = again.output[again.output.index("### ") :].strip()
    assert tables in done.output
    assert "| ica | 1 |" in tables
    assert not (tmp_path / "sheets").exists()


def test_speed_writes_the_chosen_tables(tmp_path):
    done = CliRunner().invoke(app, ["speed", "-o", str(tmp_path), "--tables", "opening,x"])
    assert isinstance(done.exception, ValueError)
    assert "got x" in str(done.exception)


@pytest.mark.parametrize("line", WRITTEN)
def test_a_command_in_the_documentation_has_options_that_exist(line):
    _, _, _, name, *words = shlex.split(line, comments=True)
    known = {option for parameter in commands()[name].params for option in parameter.opts}
    assert {word for word in words if re.match("-[-a-z]", word)} <= known


@pytest.mark.parametrize("line", [line for line in WRITTEN if "--methods" in line])
def test_a_command_in_the_documentation_names_contenders_that_exist(line):
    words = shlex.split(line, comments=True)
    for text in words[words.index("--methods") + 1].split(","):
        contender = parse_contender(text)
        if contender["method"] == "auto":
            continue
        config = METHODS.get(contender["method"]).presets[contender["preset"]]
        config.updated(contender["settings"])


@pytest.mark.parametrize("line", [line for line in WRITTEN if "--group" in line and "DIR" not in line])
def test_a_command_in_the_documentation_chooses_cases_that_exist(line):
    words = shlex.split(line, comments=True)
    groups = {group for group, _ in builtin_cases(64, 12)}
    wanted = [words[k + 1] for k, word in enumerate(words) if word == "--group"]
    assert [part for part in wanted if not any(part in group for group in groups)] == []


def commands():
    from typer.main import get_command

    return get_command(app).commands


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_question_data_command_and_answer(name):
    text = import_module(f"benchmarks.studies.{name}").__doc__ if name != "viewer_latency" else doc(name)
    assert text.split("\n")[0].endswith("?")
    for part in ("\nData: ", "\nAnswer: ", f"python -m benchmarks.studies.{name}"):
        assert part in text
    for page in re.findall(r"``([\w/]+\.md)``", text):
        assert (PROJECT / page).is_file(), page


def doc(name):
    """Read a docstring without importing napari."""
    import ast

    return ast.get_docstring(
        ast.parse((PROJECT / "benchmarks" / "studies" / f"{name}.py").read_text("utf-8"))
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_studies_and_scripts_that_a_page_names_exist(page):
    modules = re.findall(r"python -m ((?:benchmarks|docs)\.[\w.]+)", TEXTS[page])
    assert [name for name in modules if not (PROJECT / (name.replace(".", "/") + ".py")).is_file()] == []
    assert "docs/scripts" not in TEXTS[page]
    assert "napari-bitsnet benchmark" not in TEXTS[page]


def test_seams_are_jumps_between_strips():
    smooth = np.add.outer(np.arange(64.0), np.zeros(8))
    assert seams(smooth, 16) == pytest.approx(1)
    stepped = smooth + 2 * (np.arange(64) // 16)[:, None]
    assert seams(stepped, 16) == pytest.approx(3)


def test_block_means_and_likeness():
    image = np.kron(np.arange(6.0).reshape(2, 3), np.ones((4, 4)))
    np.testing.assert_array_equal(block_means(image, 4), np.arange(6.0).reshape(2, 3))
    assert likeness(image, 3 - 2 * image) == pytest.approx(-1)
