"""Networks that learn from unpaired folders which kinds of images are superimposed (Liu & Lu, AAAI 2020)."""

__all__ = ["sils"]
