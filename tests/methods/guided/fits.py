"""Fits of gradients in one call."""

from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods.guided.gradient_fit import GradientFit, fitting_gradients


def fit_gradients(*arguments, **settings) -> GradientFit:
    """Return what `fitting_gradients` finds."""
    return exhaust(fitting_gradients(*arguments, **settings))
