"""Fits the weights of trained methods."""
