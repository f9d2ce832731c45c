"""Trained networks of interacting streams for known kinds of images (Hu & Guo 2021, arXiv:2110.10546)."""

__all__ = ["ytmt"]
