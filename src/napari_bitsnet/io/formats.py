"""Names of formats that are not read, so that nobody is told that a good file is damaged."""

from __future__ import annotations

_BEGINNINGS = (
    (b"GIF8", "GIF"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"SIMPLE  =", "FITS"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"ZISRAWFILE", "Zeiss CZI"),
    (b"\xda\xce\xbe\x0a", "Nikon ND2"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"<svg", "SVG"),
)


def format_name(head: bytes) -> str:
    """Return the name of a format by a file's first bytes; empty if it is not known."""
    if head[4:8] == b"ftyp":
        return {b"avif": "AVIF"}.get(head[8:12], "HEIF")
    return next((name for beginning, name in _BEGINNINGS if head.startswith(beginning)), "")
