"""Patterns that repeat on a lattice (tiles, weave, screens), separated by their periods."""

__all__ = ["periodic"]
