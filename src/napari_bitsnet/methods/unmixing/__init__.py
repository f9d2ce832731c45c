"""Several mixtures of the same sources with different weights, unmixed in closed form."""

__all__ = ["ica"]
