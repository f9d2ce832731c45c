"""Remove haze with the dark channel prior."""

__all__ = ["dark_channel"]
