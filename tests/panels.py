"""Simulated panels: each is made once in every process of the tests, and only read."""

from functools import cache

from napari_bitsnet.data.panel import Panel, simulate_panel


@cache
def shared_panel(seed: int, size: int | tuple[int, int], **settings) -> Panel:
    """Return what `simulate_panel` does, with arrays that cannot be written to."""
    made = simulate_panel(seed, size, **settings)
    for array in (made.mixture, *made.guides, made.truths, made.explained, made.displacements):
        array.flags.writeable = False
    return made
