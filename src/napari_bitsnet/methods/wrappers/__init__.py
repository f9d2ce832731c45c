"""Behaviour added around any method."""
