"""Loss terms, one a file; means over pixels, never sums."""
