"""Names of formats that are not read, so that nobody is told that a good file is damaged."""

from __future__ import annotations

_BEGINNINGS = (
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"SIMPLE  =", "FITS"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x93NUMPY", "NumPy"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"ZISRAWFILE", "Zeiss CZI"),
    (b"\xda\xce\xbe\x0a", "Nikon ND2"),
    (b"\x00\x00\x00\x0cjp2c", "JPEG 2000"),
    (b"IIRO", "Olympus camera raw"),
    (b"IIRS", "Olympus camera raw"),
    (b"IIU\x00", "Panasonic camera raw"),
    (b"FUJIFILMCCD-RAW", "Fuji camera raw"),
    (b"\x5c\x01\x00\x00", "NIfTI"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"<svg", "SVG"),
)
_DICOM_AT, _NIFTI_AT = 128, 344


def format_name(head: bytes) -> str:
    """Return the name of a format by a file's first bytes; empty if it is not known."""
    if head[_DICOM_AT : _DICOM_AT + 4] == b"DICM":
        return "DICOM"
    if head[_NIFTI_AT : _NIFTI_AT + 4] in (b"n+1\0", b"ni1\0"):
        return "NIfTI"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return {b"avif": "AVIF", b"crx ": "Canon camera raw"}.get(head[8:12], "HEIF")
    return next((name for beginning, name in _BEGINNINGS if head.startswith(beginning)), "")
