"""Registries: a new method, task or denoiser is one file, found by its name.

A file ``methods/bitsnet.py`` registers the name ``bitsnet``. Names are listed without importing anything,
so that listing stays free of torch; an entry is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Names and their entries, from one folder and one entry-point group.

    Parameters
    ----------
    kind : str
        What is registered, for messages: ``"method"``.
    package : str
        Dotted name of the folder that is scanned; its modules' names are the registered names.
        Modules whose name starts with an underscore and sub-packages are skipped.
    group : str
        Entry-point group through which other packages add theirs.
    """

    def __init__(self, kind: str, package: str, group: str) -> None:
        self.kind, self.package, self.group = kind, package, group
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorate a class or function with the name under which it is found."""

        def decorate(entry: T) -> T:
            self._entries[name] = entry
            return entry

        return decorate

    def names(self) -> list[str]:
        """Every known name, sorted, without importing the entries."""
        path = importlib.import_module(self.package).__path__
        found = {m.name for m in pkgutil.iter_modules(path) if not m.ispkg and m.name[0] != "_"}
        external = {point.name for point in entry_points(group=self.group)}
        return sorted(found | external | set(self._entries))

    def get(self, name: str) -> T:
        """Return the entry called `name`, importing it if needed.

        Raises
        ------
        ValueError
            If the name is unknown; the message lists the known ones.
        """
        if name not in self.names():
            raise ValueError(f"Unknown {self.kind} {name!r}. Known: {', '.join(self.names())}.")
        if name not in self._entries:
            external = {point.name: point for point in entry_points(group=self.group)}
            if name in external:
                self._entries[name] = external[name].load()
            else:
                importlib.import_module(f"{self.package}.{name}")
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())
