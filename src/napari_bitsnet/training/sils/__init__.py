"""Training of networks that separate kinds of images from unpaired folders."""

__all__ = ["sils"]
