"""Remember the file from which a network was loaded, so that other processes load it there themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
Origin: TypeAlias = "tuple[Callable[..., Any], tuple[Any, ...]]"
"""Function at the top of a module that loads a network, and its arguments."""

_ORIGINS: WeakKeyDictionary[Any, Origin] = WeakKeyDictionary()


def remember(network: T, load: Callable[..., Any], *arguments: Any) -> T:
    """Return a network, and remember how it was loaded; it is only read from here on.

    Parameters
    ----------
    network : object
        With its weights and on its device.
    load : callable
        Function at the top of a module that returns the same network.
    *arguments
        Of `load`, hashable: the file, the device.
    """
    _ORIGINS[network] = load, arguments
    return network


def origin_of(value: Any) -> Origin | None:
    """Return how a network was loaded (see `remember`); None for everything else."""
    try:
        return _ORIGINS.get(value)
    except TypeError:  # numbers, lists, arrays: things without a weak reference or a hash
        return None


@lru_cache(maxsize=4)
def load_again(load: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Load a network from its origin; once in each process, for all that are sent there."""
    return remember(load(*arguments), load, *arguments)
