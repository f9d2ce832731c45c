"""Find and remove a watermark over one image or several images."""

__all__ = ["watermark_matting"]
