"""Guided separation: the part of a mixture that registered photographs of its sources predict."""

__all__ = ["guided_network", "guided_regression"]
