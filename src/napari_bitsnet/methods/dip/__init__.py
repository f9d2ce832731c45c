"""Untrained networks (deep image priors) fitted to one problem: BITS-Net, Double-DIP and DIP."""

__all__ = ["bitsnet", "dip", "double_dip", "double_dip_haze", "double_dip_layers"]
