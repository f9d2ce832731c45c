"""Trained networks that separate a mixture of two photographs in one pass."""

__all__ = ["feedforward"]
