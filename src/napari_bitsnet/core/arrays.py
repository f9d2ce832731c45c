"""NumPy arrays from what people have: tensors, masked arrays, and numbers that NumPy has no type of its own
for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_array(values: Any, what: str = "the image", *, labels: bool = False) -> NDArray:
    """Return anything that holds numbers as a NumPy array, without a copy where there need be none.

    Parameters
    ----------
    values : array-like
        NumPy arrays, nested lists, lazily computed arrays (which are computed), torch tensors of any device
        and type, with or without gradients.
    what : str
        What it is, for error messages.
    labels : bool
        Whether it holds labels or a mask: masked places of a `numpy.ma` array become 0, "nothing is said".
        Those of an image become NaN, and its integers floats that hold them exactly.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError
        If NumPy cannot read it.
    """
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = _of_tensor(values, what)
    if hasattr(values, "compute") and hasattr(
        values, "dtype"
    ):  # dask would lose a mask on its own way to NumPy
        values = values.compute()
    try:
        array = np.asanyarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = f"{type(values).__module__}.{type(values).__name__}"
        raise TypeError(
            f"Expected an array that NumPy can read for {what}, got {kind} ({error}): copy it to the "
            "processor's memory, and give all rows the same length."
        ) from None
    if np.ma.isMaskedArray(array):
        array = _unmasked(array, labels)
    array = np.asarray(array)
    if array.dtype.kind == "V" and array.dtype.names is None:  # bfloat16 and its kin, of other packages
        try:
            return array.astype(np.float32)
        except (TypeError, ValueError):
            return array
    return array


def _of_tensor(tensor: Any, what: str) -> NDArray:
    """A torch tensor's values; types that NumPy lacks as float32."""
    if str(tensor.layout) != "torch.strided" or tensor.is_quantized:
        raise TypeError(
            f"Expected a dense tensor for {what}, got one that is {tensor.layout}: call to_dense()."
        )
    values = tensor.detach().cpu().resolve_conj().resolve_neg()
    try:
        return values.numpy()
    except TypeError:
        return values.float().numpy()


def _unmasked(array: np.ma.MaskedArray, labels: bool) -> NDArray:
    if array.mask is np.ma.nomask or not np.any(array.mask):
        return array.data
    if labels:
        return array.filled(0)
    if array.dtype.kind not in "iuf":
        return array.data  # refused later, with its type
    return np.ma.filled(array.astype(np.result_type(array.dtype, np.float32)), np.nan)
