"""How problems are solved: the `Method` contract and its registry. A new method is one file in its family's
folder."""

from __future__ import annotations

from typing import Any

from napari_bitsnet.core.registry import Registry
from napari_bitsnet.methods.protocol import (
    Answer,
    BaseMethod,
    Cost,
    Method,
    StagedMethod,
    StagedStart,
    StoppingRule,
)

__all__ = ["METHODS", "Answer", "BaseMethod", "Cost", "Method", "StagedMethod", "StagedStart", "StoppingRule"]

METHODS: Registry[type[BaseMethod[Any]]] = Registry(
    "method", __name__, "napari_bitsnet.methods", families=True
)
