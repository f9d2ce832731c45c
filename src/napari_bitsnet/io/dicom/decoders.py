"""imagecodecs as pydicom's decoder of those compressed transfer syntaxes that it does not decode by
itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

_LABEL = "napari-bitsnet"
_CODECS = {  # UIDs of DICOM PS3.5, annex A.4, and functions of imagecodecs
    "1.2.840.10008.1.2.4.51": "jpeg_decode",  # extended, 12 bits
    "1.2.840.10008.1.2.4.57": "jpeg_decode",  # lossless
    "1.2.840.10008.1.2.4.70": "jpeg_decode",
    "1.2.840.10008.1.2.4.80": "jpegls_decode",
    "1.2.840.10008.1.2.4.81": "jpegls_decode",
    "1.2.840.10008.1.2.4.90": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.91": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.201": "jpeg2k_decode",  # high throughput, which OpenJPEG decodes as well
    "1.2.840.10008.1.2.4.202": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.203": "jpeg2k_decode",
}
DECODER_DEPENDENCIES = dict.fromkeys(_CODECS, ("imagecodecs",))
"""As pydicom asks of its plugins."""


def register_decoders() -> None:
    """Add imagecodecs behind pydicom's own decoders, once."""
    from pydicom.pixels import get_decoder

    for uid in _CODECS:
        decoder = get_decoder(uid)
        if _LABEL not in decoder.available_plugins:
            decoder.add_plugin(_LABEL, (__name__, "decode_frame"))


def is_available(uid: str) -> bool:
    """As pydicom asks of its plugins."""
    return uid in _CODECS


def decode_frame(contents: bytes, runner: DecodeRunner) -> bytearray:
    """Return the pixels of one frame, channels last, in as many bytes as `runner` is told."""
    import imagecodecs

    array = getattr(imagecodecs, _CODECS[str(runner.transfer_syntax)])(contents)
    runner.set_option("bits_allocated", 8 * array.dtype.itemsize)
    if array.ndim == 3:
        runner.set_option("planar_configuration", 0)
    return bytearray(np.ascontiguousarray(array).tobytes())
