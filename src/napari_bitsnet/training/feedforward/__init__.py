"""Trains the method `feedforward` on pairs of images that are mixed during the training."""

__all__ = ["feedforward"]
