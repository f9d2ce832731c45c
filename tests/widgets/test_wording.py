"""Messages name settings, methods and tasks as the form shows them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import napari_bitsnet
from napari_bitsnet.api.wording import SETTING
from napari_bitsnet.cli.wording import in_flags
from napari_bitsnet.tasks import TASKS
from napari_bitsnet.widgets.run import control as run_control
from napari_bitsnet.widgets.wording import in_form

pytestmark = pytest.mark.gui

PACKAGE = Path(napari_bitsnet.__file__).parent
SPEAKING = [
    *(PACKAGE / "tasks").glob("*.py"),
    *(PACKAGE / "methods").rglob("*.py"),
    *(PACKAGE / "core" / f"{name}.py" for name in ("device", "exposure", "hints")),
    PACKAGE / "api" / "notices.py",
]


@pytest.mark.parametrize(
    ("text", "task", "said"),
    [
        ('with unexplained="apart".', "xray", 'with "Unexplained: apart" (under More options).'),
        ("or set n_sources=3.", "xray", 'or set "Sources: 3".'),
        (
            "size_limit=256 or device='cpu'.",
            "xray",
            '"Size limit (px): 256" (under More options) or "Device: cpu".',
        ),
        ('Use start="auto".', "xray", 'Use "Start: auto" (under Settings of the method).'),
        ("images: use sparse_gradients.", "separate", 'images: use "Sparse gradients".'),
        ('without (task "separate").', "xray", 'without (task "One superimposed image").'),
        ("in /data/seed=3/a.tif, or other=3", "separate", "in /data/seed=3/a.tif, or other=3"),
    ],
)
def test_settings_are_named_as_the_form_shows_them(text, task, said):
    assert in_form(text, task) == said


def messages(path: Path) -> list[str]:
    """Texts of several words in a file, but docstrings; what is filled in stands as 3."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            texts.append(
                "".join(str(part.value) if isinstance(part, ast.Constant) else "3" for part in node.values)
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            texts.append(node.value)
    return [text for text in texts if len(text.split()) > 3]


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: path.stem)
def test_nothing_that_can_be_shown_speaks_python(path):
    task = path.stem if path.parent.name == "tasks" and path.stem in TASKS.names() else "xray"
    for text in messages(path):
        assert SETTING.findall(in_form(text, task)) == [], text
        flags = in_flags(text, task)
        assert [name for name, *_ in SETTING.findall(flags) if f"--set {name}=" not in flags] == [], text


def test_the_dock_says_warnings_and_errors_in_its_own_words(undocked, fake_run, monkeypatch):
    shown = []
    monkeypatch.setattr(run_control, "show_error", shown.append)
    fake_run.warnings = ("Less memory with size_limit=64.",)
    undocked.widget.run()
    undocked.wait_idle()
    said = 'Less memory with "Size limit (px): 64" (under More options).'
    assert undocked.widget.notice.text == said
    fake_run.error = ValueError("Less memory with size_limit=64.")
    undocked.widget.run()
    undocked.wait_idle()
    assert undocked.widget.notice.text == said
    undocked.widget.control.complain("Less memory with size_limit=64.")
    assert shown == [said, said]


def test_greyed_methods_say_why_with_titles(undocked):
    undocked.widget.task.apply("multi_mixture", {})
    reasons = {entry.value: entry.reason for entry in undocked.widget.method.method._entries}
    assert 'use "Independent components"' in reasons["feedforward"]
