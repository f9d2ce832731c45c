"""Measures methods against each other, honestly: nulls and ceilings in every table, losses shown too."""
