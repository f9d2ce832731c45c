"""Layers as arrays: the part that a run works on, its place and its units."""
