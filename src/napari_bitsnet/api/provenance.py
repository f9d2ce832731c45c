"""Record of a run as JSON values."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_bitsnet._version import __version__
from napari_bitsnet.api.export.strict_json import finite
from napari_bitsnet.api.runner import Session
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.core.networks.facts import checksum_of, facts_of
from napari_bitsnet.core.notices import Notice


def record_provenance(
    settings: RunSettings, session: Session, seconds: float, notices: Sequence[Notice], device: str
) -> dict[str, Any]:
    """Return the record that every result carries; ``["settings"]`` and the images repeat the run."""
    import torch

    config = session.method.config
    given = settings.model_dump(mode="json")
    for name in given["settings"]:
        value = getattr(config, name, None)
        if isinstance(value, Path):  # absolute: the run may be repeated in another folder
            given["settings"][name] = str(value)
    record = {
        "software": {
            "napari-bitsnet": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "task": settings.task,
        "method": session.method.name,
        "preset": settings.preset,
        "settings": given,
        "task_settings": session.task.config.model_dump(mode="json"),
        "method_settings": config.model_dump(mode="json"),
        "i0": session.problem.density_of,
        "stored": str(session.inputs.dtype),
        "seed": settings.seed,
        "device": device,
        "threads": torch.get_num_threads(),
        "iterations": session.state.step,
        "stop_reason": session.stop_reason,
        "seconds": round(seconds, 3),
        "hints_taken_at": list(session.hints_taken_at),
        "losses": finite({name: float(value) for name, value in (session.losses or {}).items()}),
        "warnings": [str(notice) for notice in notices],
    }
    weights = getattr(config, "weights", None)
    return record | ({"weights": _weights(weights)} if isinstance(weights, Path) else {})


def _weights(path: Path) -> dict[str, Any]:
    """Return which file of weights a run used, and how good its training was on held-out images."""
    facts = facts_of(path)
    names = [name for name in ("steps", "held_out") if name in facts]
    known: dict[str, Any] = {name: facts[name] for name in names}
    try:
        return {"file": path.name, "sha256": checksum_of(path), **known}
    except OSError:  # the file was moved during the run, which keeps its result all the same
        return {"file": path.name}
