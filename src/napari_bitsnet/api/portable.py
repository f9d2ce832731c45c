"""Send the session of a slice to other processes, without the weights that these can read from a file."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_bitsnet.api.runner import Session
from napari_bitsnet.core.networks.origin import Origin, load_again, origin_of


@dataclass(frozen=True)
class Portable:
    """Session that is pickled with the origin of its trained networks in place of their weights.

    Networks that were fitted to the image have no origin and are pickled as they are.
    """

    session: Session

    def __reduce__(self) -> tuple[Callable[[bytes], Portable], tuple[bytes]]:
        return _restored, (_pickled(self.session),)


def _pickled(session: Session) -> bytes:
    import cloudpickle  # a dependency of dask

    class Pickler(cloudpickle.Pickler):
        def persistent_id(self, value: Any) -> Origin | None:
            return origin_of(value)

    file = io.BytesIO()
    Pickler(file).dump(session)
    return file.getvalue()


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, origin: Origin) -> Any:
        return load_again(*origin)


def _restored(content: bytes) -> Portable:
    return Portable(_Unpickler(io.BytesIO(content)).load())
