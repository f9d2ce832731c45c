"""Take superimposed images apart: in Python, in napari and on the command line.

Names are loaded when they are first used, so that importing the package, listing tasks and methods and
opening the widget load neither torch, napari nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_bitsnet._version import __version__
from napari_bitsnet.core.threads import wait_politely

if TYPE_CHECKING:
    from napari_bitsnet.api import (
        Result,
        check,
        iter_separate,
        list_methods,
        list_tasks,
        resume,
        run,
        run_lazily,
        separate,
        spike_in,
    )
    from napari_bitsnet.api.files import read, save
    from napari_bitsnet.api.tiles import run_in_tiles
    from napari_bitsnet.core import metrics
    from napari_bitsnet.core.exposure import intensity_to_density
    from napari_bitsnet.core.registration.register import register
    from napari_bitsnet.widgets import separate_layer

__all__ = [
    "Result",
    "__version__",
    "check",
    "intensity_to_density",
    "iter_separate",
    "list_methods",
    "list_tasks",
    "metrics",
    "read",
    "register",
    "resume",
    "run",
    "run_in_tiles",
    "run_lazily",
    "save",
    "separate",
    "separate_layer",
    "spike_in",
]

wait_politely()  # whichever of our modules loads PyTorch, this comes before

_HOMES = {
    "Result": "napari_bitsnet.api",
    "check": "napari_bitsnet.api",
    "intensity_to_density": "napari_bitsnet.core.exposure",
    "iter_separate": "napari_bitsnet.api",
    "list_methods": "napari_bitsnet.api",
    "list_tasks": "napari_bitsnet.api",
    "read": "napari_bitsnet.api.files",
    "register": "napari_bitsnet.core.registration.register",
    "resume": "napari_bitsnet.api",
    "run": "napari_bitsnet.api",
    "run_in_tiles": "napari_bitsnet.api.tiles",
    "run_lazily": "napari_bitsnet.api",
    "save": "napari_bitsnet.api.files",
    "separate": "napari_bitsnet.api",
    "separate_layer": "napari_bitsnet.widgets",
    "spike_in": "napari_bitsnet.api",
}


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("napari_bitsnet.core.metrics")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
