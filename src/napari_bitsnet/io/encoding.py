"""How a file's values grow with light: the transfer curve that ICC profiles, EXIF and PNG state."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["srgb", "linear", "other"]
"""Transfer curve of the values: that of sRGB (also Display P3 and others that share it), none, or another one
(Adobe RGB). Only the curve counts, not the primaries."""

COLOUR_SPACE = 40961  # EXIF
_EXIF_SRGB = 1
_CURVE_TAGS = (b"gTRC", b"rTRC", b"kTRC")  # of green, red and grey
_CLOSE = 0.004
"""Largest difference of two curves that count as one, as a part of white: gamma 2.2 differs from sRGB by
0.008."""
_PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}  # of ICC's parametric curves, by their type
_PNG_GAMMA = 100_000
_CICP = {8: "linear", 13: "srgb"}  # ITU-T H.273, transfer characteristics


def encoding_of_profile(profile: bytes | None) -> Encoding | None:
    """Return what an ICC profile says.

    Parameters
    ----------
    profile : bytes or None
        Of RGB or grey values.

    Returns
    -------
    str or None
        None without a profile, or with one that cannot be parsed; ``"other"`` for one that has no curves but
        tables of colours.
    """
    if not profile:
        return None
    try:
        curve = _curve(profile)
    except (struct.error, ValueError, IndexError, KeyError, OverflowError):
        return None
    return "other" if curve is None else _named(curve)


def encoding_of_exif(tags: Mapping[int, Any]) -> Encoding | None:
    """Return what EXIF's ColorSpace says: sRGB, or (uncalibrated, Adobe RGB) another one."""
    space = tags.get(COLOUR_SPACE)
    if space is None:
        return None
    return "srgb" if space == _EXIF_SRGB else "other"


def encoding_of_png(chunks: Mapping[str, bytes]) -> Encoding | None:
    """Return what a PNG's chunks say, in the order in which the standard ranks them: cICP, iCCP, sRGB,
    gAMA."""
    import zlib

    if len(chunks.get("cICP", b"")) == 4:
        return _CICP.get(chunks["cICP"][1], "other")  # type: ignore[return-value]
    if "iCCP" in chunks:
        packed = chunks["iCCP"].partition(b"\0")[2][1:]
        try:
            return encoding_of_profile(zlib.decompress(packed))
        except zlib.error:
            return None
    if "sRGB" in chunks:
        return "srgb"
    if len(chunks.get("gAMA", b"")) == 4:
        (gamma,) = struct.unpack(">I", chunks["gAMA"])
        # 1/2.2 is what the standard asks programs to write for sRGB
        return {_PNG_GAMMA: "linear", 45455: "srgb"}.get(gamma, "other")  # type: ignore[return-value]
    return None


def light_of_srgb(values: NDArray) -> NDArray:
    """Return the light of values in sRGB, both in [0, 1] (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _named(curve: Callable[[NDArray], NDArray]) -> Encoding:
    values = np.linspace(0, 1, 256)
    light = curve(values)
    if np.abs(light - values).max() < _CLOSE:
        return "linear"
    return "srgb" if np.abs(light - light_of_srgb(values)).max() < _CLOSE else "other"


def _curve(profile: bytes) -> Callable[[NDArray], NDArray] | None:
    """The function from values to light of a profile; None where it has no curve."""
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for k in range(min(count, 100)):
        name, at, size = struct.unpack_from(">4sII", profile, 132 + 12 * k)
        tags[name] = profile[at : at + size]
    contents = next((tags[name] for name in _CURVE_TAGS if name in tags), None)
    if contents is None:
        return None
    return _parametric(contents) if contents.startswith(b"para") else _sampled(contents)


def _sampled(contents: bytes) -> Callable[[NDArray], NDArray]:
    """ICC's curveType: nothing for the identity, one gamma, or a table."""
    (count,) = struct.unpack_from(">I", contents, 8)
    numbers = np.frombuffer(contents, ">u2", count, 12).astype(float)
    if count == 0:
        return lambda values: values
    if count == 1:
        return lambda values: values ** (numbers[0] / 256)
    return lambda values: np.interp(values, np.linspace(0, 1, count), numbers / 65535)


def _parametric(contents: bytes) -> Callable[[NDArray], NDArray]:
    """ICC's parametricCurveType: ``(a x + b)^g + e`` from d on, and ``c x + f`` below."""
    (kind,) = struct.unpack_from(">H", contents, 8)
    given: list[float] = [n / 65536 for n in struct.unpack_from(f">{_PARAMETERS[kind]}i", contents, 12)]
    rest = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0][len(given) :]
    g, a, b, c, d, e, f = given + rest
    if kind in (1, 2):  # below -b / a it is constant
        if kind == 2:
            e = f = given[3]
        c, d = 0.0, -b / a

    def curve(values: NDArray) -> NDArray:
        above = np.maximum(a * values + b, 0) ** g + e
        return np.where(values >= d, above, c * values + f)

    return curve
