"""Write a result on another thread, and say when it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari.qt.threading import create_worker
from napari.utils.notifications import show_info

from napari_bitsnet.widgets.results.saving import SaveOptions, save_separation
from napari_bitsnet.widgets.run.separation import Separation


def save_aside(
    run: Separation, folder: str | Path, options: SaveOptions, complain: Callable[[str], object]
) -> None:
    """Write a result to a folder on another thread.

    Parameters
    ----------
    run : Separation
        Finished.
    folder : str or Path
        Where to.
    options : SaveOptions
        How images are written.
    complain : callable
        Takes a sentence if it fails.
    """
    create_worker(
        save_separation,
        run,
        folder,
        options,
        _connect={
            "returned": lambda files: show_info(f"{len(files)} files written to {folder}."),
            "errored": lambda error: complain(f"The result could not be written: {error}"),
        },
    )
