"""What the viewer's tests share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _viewer_can_draw(_without_gl):
    """Every test here may add image layers."""
