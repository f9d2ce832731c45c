"""Tell regions apart by mixtures of colours and a minimum cut."""

__all__ = ["grabcut"]
