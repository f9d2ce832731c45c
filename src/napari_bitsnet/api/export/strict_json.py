"""JSON that every reader accepts: no NaN, no infinity, nothing that only Python knows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np


def strict_json(content: Any, *, indent: int | None = None) -> str:
    """Return `content` as JSON (RFC 8259), in ASCII.

    Parameters
    ----------
    content : mapping, list or value
        May hold paths, and arrays and numbers of NumPy. Numbers that are not finite become null: JSON cannot
        say them, and Python's own spelling (``NaN``) stops other readers.
    indent : int, optional
        Spaces for each level; none writes one line.

    Raises
    ------
    TypeError
        If something in it has no counterpart in JSON.
    """
    return json.dumps(finite(content), indent=indent, allow_nan=False)


def finite(value: Any) -> Any:
    """Return `value` of Python's own types, with None for numbers that are not finite."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return value
