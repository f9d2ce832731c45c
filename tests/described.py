"""Arrays as the outputs of a task, for tests that need no run."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from napari_bitsnet.core.outputs import Output, describe
from napari_bitsnet.tasks import TASKS


def described(
    task: str, arrays: Mapping[str, np.ndarray], axes: str | None = None, **options
) -> dict[str, Output]:
    """Return arrays as a task with these options would; those that it does not declare, as another task does.

    Parameters
    ----------
    task : str
        Name of the task.
    arrays : mapping of str to ndarray
        By the names of the outputs.
    axes : str, optional
        Axes of all arrays, where they are stacks or their channels do not come last.
    **options
        Settings of the task.
    """
    kind = TASKS.get(task)
    specs = [spec for name in (*TASKS, task) for spec in TASKS.get(name).output_specs]
    units = kind(kind.Config().updated(options)).units
    if axes is None:
        return describe(arrays, specs, units)
    planes = describe({name: np.zeros((1, 1)) for name in arrays}, specs, units)
    return {name: replace(output, array=arrays[name], axes=axes) for name, output in planes.items()}
