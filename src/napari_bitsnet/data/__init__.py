"""Samples and simulated mixtures whose sources are known."""
