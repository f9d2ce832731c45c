"""Complete the signatures of functions that take the arguments of a run, with each setting and its
default."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

from napari_bitsnet.api.settings import RunSettings

F = TypeVar("F", bound=Callable[..., Any])


def spelled_out(function: F) -> F:
    """Show the fields of `RunSettings` in the signature and the docstring of a function that takes
    ``**arguments``.

    The function's own parameters come first. The settings of the task are ``**options``.
    """
    *own, _ = inspect.signature(function).parameters.values()
    named = {parameter.name for parameter in own} | {"task", "options"}
    settings = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.get_default(call_default_factory=True),
            annotation=field.annotation,
        )
        for name, field in RunSettings.model_fields.items()
        if name not in named
    ]
    options = inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD, annotation=Any)
    signature = inspect.signature(function).replace(parameters=[*own, *settings, options])
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__doc__ = _documented(function.__doc__ or "", [p.name for p in settings])
    return function


def _documented(text: str, names: list[str]) -> str:
    """Replace ``**arguments`` in the docstring by an entry for each setting and one for the options."""
    entries = []
    for name in names:
        field = RunSettings.model_fields[name]
        kind = re.sub(r"<class '(\w+)'>", r"\1", str(field.annotation)).replace("typing.", "")
        entries += [f"    {name} : {kind}", f"        {field.description}"]
    entries += ["    **options", "        Settings of the task, as in `run`."]
    return re.sub(r"^    \*\*arguments\n(?: {8}.*\n)+", "\n".join(entries) + "\n", text, flags=re.MULTILINE)
