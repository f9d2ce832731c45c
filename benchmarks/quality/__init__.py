"""Scores of methods on cases with known sources, beside nulls and ceilings."""
