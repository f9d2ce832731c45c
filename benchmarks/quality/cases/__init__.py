"""Cases with known sources, made when they are wanted."""

from __future__ import annotations

from collections.abc import Callable

from napari_bitsnet.data.case import Case

Maker = tuple[str, Callable[[], Case]]
"""A case's group, and the function that makes the case: groups that are not wanted cost nothing."""
