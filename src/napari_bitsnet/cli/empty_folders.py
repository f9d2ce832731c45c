"""Commands that end without having written anything leave no folder behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from napari_bitsnet.api.export.folders import without_empty


def leaves_no_empty_folder(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that removes the folder of its outputs if it made it and wrote nothing there.

    Parameters
    ----------
    command : callable
        Called by name, with the path of a ``folder``, or of a file ``out``; None is neither.
    """

    @wraps(command)
    def run(**values: Any) -> None:
        out = values.get("out")
        folder = values.get("folder") if out is None else out.parent
        if folder is None:
            command(**values)
            return
        with without_empty(folder):
            command(**values)

    return run
