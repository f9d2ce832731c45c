"""Trains the small networks of guided separation: cracks in photographs, and corrections of a fit."""

__all__ = ["cracks", "guided_correction"]
