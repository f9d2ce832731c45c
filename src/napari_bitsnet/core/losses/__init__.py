"""Loss terms, one per file; all are means over pixels, not sums."""
