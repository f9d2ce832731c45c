"""Watermarks: one mark over one image or several, found and removed."""

__all__ = ["watermark_matting"]
