"""Write the reference pages of tasks, methods and denoisers from the registries, so that they cannot go
stale."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from sphinx.application import Sphinx

from napari_bitsnet.core.config import Config
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Sphinx, _config: Any) -> None:
    """Write ``reference/generated/tasks.md`` and ``methods.md``."""
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in {"tasks": task_lines(), "methods": method_lines()}.items():
        (folder / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def task_lines() -> Iterator[str]:
    """One section a task: what it takes and its settings."""
    yield "# Tasks\n"
    yield (
        'A task says what you want. Run it with `napari_bitsnet.run("<name>", …)`, or with '
        "`napari-bitsnet <name> …`, "
        "in which hyphens replace the underscores of the name. This page is generated from the registry.\n"
    )
    for name in TASKS:
        task = TASKS.get(name)
        yield f"## `{name}`: {task.title}\n\n{task.summary}\n"
        yield "| input | number | description |\n|---|---|---|"
        for declared in task.inputs:
            count = "one or more" if declared.many else "one"
            needed = count if declared.required else "optional"
            yield f"| `{declared.name}` | {needed} | {declared.description} |"
        yield ""
        yield from setting_lines(task.Config, {})
    yield "Next: [Methods](methods.md) with their settings and presets."


def method_lines() -> Iterator[str]:
    """One section a method: when to use it, its settings and presets."""
    yield "# Methods\n"
    yield (
        'A method says how a task is solved. Choose it with `method="<name>"` or `--method <name>`. '
        "The columns of the "
        "presets show the values that differ from the default. This page is generated from the registry.\n"
    )
    for name in METHODS:
        method = METHODS.get(name)
        yield f"## `{name}`: {method.title}\n\n{method.summary}\n"
        size = (
            "Works on images of any size"
            if method.full_resolution
            else "Works at the working size (`size_limit`)"
        )
        yield f"{size}. Presets: {', '.join(f'`{p}`' for p in method.presets)}.\n"
        yield from setting_lines(method.Config, method.presets)
    yield "Next: [Results](../../benchmarks/results.md) compares the methods."


def setting_lines(model: type[Config], presets: dict[str, Config]) -> Iterator[str]:
    """A table of settings: default, range, meaning, and what presets change."""
    if not model.model_fields:
        yield "No settings.\n"
        return
    yield "| setting | default | range | meaning |" + "".join(f" {p} |" for p in presets)
    yield "|---|---|---|---|" + "---|" * len(presets)
    default = model()
    for name, field in model.model_fields.items():
        unit = (field.json_schema_extra or {}).get("unit", "")
        value = getattr(default, name)
        cells = [
            f"`{name}`",
            f"{shown(value)} {unit}".rstrip(),
            allowed(field),
            str(field.description),
            *(shown(v) if (v := getattr(preset, name)) != value else "" for preset in presets.values()),
        ]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def allowed(field: Any) -> str:
    """The values that a setting may take."""
    kinds = get_args(field.annotation) if is_union(field.annotation) else (field.annotation,)
    texts = []
    for kind in kinds:
        if get_origin(kind) is Literal:
            texts += [f"`{value}`" for value in get_args(kind)]
        elif kind is type(None):
            texts.append("none")
        elif kind is bool:
            texts.append("true, false")
    low = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    if low is not None:
        texts.insert(0, f"{shown(low)} to {shown(high)}")
    return ", ".join(texts)


def is_union(annotation: Any) -> bool:
    """Whether the annotation is ``A | B``."""
    return get_origin(annotation) in (Union, types.UnionType)


def shown(value: Any) -> str:
    """A value as people write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(shown(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
