"""A result that costs nothing."""

import numpy as np
import pytest

from napari_bitsnet.api import Result, RunSettings
from tests.described import described


def make(mixture, *, task="separate", axes=None, outputs=None, **task_settings):
    """A result as a run would return it: two halves, which are exact in float32 for integers of 16 bits."""
    half = (np.asarray(mixture, dtype=np.float64) / 2).astype(np.float32)
    provenance = {
        "task": task,
        "method": "toy",
        "preset": "quick",
        "settings": RunSettings(task=task, axes=axes).model_dump(mode="json"),
        "task_settings": task_settings,
        "iterations": 3,
        "stop_reason": "iterations",
        "seconds": 0.1,
    }
    outputs = {"source_1": half, "source_2": half} if outputs is None else outputs
    return Result(described(task, outputs, axes, **task_settings), provenance, mixture=mixture)


@pytest.fixture
def result_of():
    """Make results of images."""
    return make


@pytest.fixture
def toy_result():
    """A result of an image of 20 x 30 pixels."""
    return make(np.random.default_rng(0).random((20, 30)).astype(np.float32))
