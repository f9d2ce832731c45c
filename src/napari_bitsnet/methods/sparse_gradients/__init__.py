"""Separation from hints: every edge of the mixture belongs to few sources."""

__all__ = ["sparse_gradients"]
