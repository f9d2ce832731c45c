"""A bar for the progress of a run, in terminals and notebooks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import TypeVar

from napari_bitsnet.core.problem import Iteration

R = TypeVar("R")

STAGES_ALONE = "{desc}{postfix} [{elapsed}]"
"""Format of tqdm in place of a bar, for runs of one iteration."""


def with_bar(
    run: Generator[Iteration, None, R], name: str, *, n_planes: int = 1, hidden: bool = False
) -> Generator[Iteration, None, R]:
    """Show the iterations of a run, and the stage it is at, on stderr or in a notebook.

    Of a run of one iteration, such as a closed form, only the stage and the time are shown, without a bar.

    Parameters
    ----------
    run : generator
        From `iter_run`.
    name : str
        Label of the bar.
    n_planes : int
        Slices of the stack; the bar counts over all of them.
    hidden : bool
        True shows nothing.

    Returns
    -------
    Result

    Yields
    ------
    Iteration
        Those of the run.
    """
    from tqdm.auto import tqdm

    with closing(run), tqdm(desc=name, unit="it", disable=hidden, dynamic_ncols=True) as bar:
        while True:
            try:
                step = next(run)
            except StopIteration as end:
                bar.bar_format = None
                bar.set_postfix_str("")
                result: R = end.value
                return result
            bar.total = step.total * n_planes
            bar.bar_format = STAGES_ALONE if bar.total == 1 else None
            bar.update(step.plane * step.total + step.step - bar.n)
            # a stage may take long: it is shown at once
            bar.set_postfix_str(step.stage.name if step.stage else "", refresh=step.stage is not None)
            yield step
