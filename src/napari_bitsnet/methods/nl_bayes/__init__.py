"""Denoising and inpainting from groups of similar patches (NL-Bayes)."""

__all__ = ["nl_bayes"]
