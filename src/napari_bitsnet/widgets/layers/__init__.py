"""Layers as arrays: which part a run works on, where it lies, and in which unit."""
