"""Measurements of quality and speed; they are not part of the installed package."""
