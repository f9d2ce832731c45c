"""Training of networks for known kinds of images, and for reflections."""

__all__ = ["ytmt"]
