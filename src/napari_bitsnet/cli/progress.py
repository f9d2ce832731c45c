"""Progress of a run on stderr, with the time left."""

from __future__ import annotations

from napari_bitsnet.api import Result
from napari_bitsnet.api.progress import with_bar
from napari_bitsnet.api.running import Run
from napari_bitsnet.core.stages import exhaust


def follow(run: Run, name: str, *, n_planes: int = 1, quiet: bool = False) -> Result:
    """Complete a run with a progress bar and return its result.

    Parameters
    ----------
    run : generator
        From `iter_run`.
    name : str
        Label before the bar.
    n_planes : int
        Slices of the stack; the bar counts over all of them.
    quiet : bool
        True hides the bar.
    """
    return exhaust(with_bar(run, name, n_planes=n_planes, hidden=quiet))
