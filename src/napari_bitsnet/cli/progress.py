"""Progress of a run on stderr, with the time left."""

from __future__ import annotations

from napari_bitsnet.api import Result
from napari_bitsnet.api.running import Run


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
    from tqdm import tqdm

    with tqdm(desc=name, unit="it", disable=quiet, dynamic_ncols=True) as bar:
        while True:
            try:
                step = next(run)
            except StopIteration as end:
                result: Result = end.value
                return result
            bar.total = step.total * n_planes
            bar.update(step.plane * step.total + step.step - bar.n)
