"""Segment foreground and background from scribbles by a random walk."""

__all__ = ["random_walker"]
