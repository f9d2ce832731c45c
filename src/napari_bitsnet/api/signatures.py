"""Signatures of functions that take the arguments of a run, with every setting by name and default."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from napari_bitsnet.api.settings import RunSettings

F = TypeVar("F", bound=Callable[..., Any])


def spelled_out(function: F) -> F:
    """Show the fields of `RunSettings` in the signature of a function that takes them as ``**arguments``.

    The function's own parameters stand first. The task's settings are ``**options``.
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
    return function
