"""Registries: a new method, task or denoiser is one file, found by its name.

A file ``methods/dip/bitsnet.py`` registers the name ``bitsnet``. Names are listed without importing anything,
so that listing stays free of torch; an entry is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from napari_bitsnet.core.spelling import unknown

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
    families : bool
        Whether entries stand in sub-packages instead, one a family: those modules that its ``__all__`` names.
    """

    def __init__(self, kind: str, package: str, group: str, *, families: bool = False) -> None:
        self.kind, self.package, self.group, self.families = kind, package, group, families
        self._entries: dict[str, T] = {}
        self._found: dict[str, str] | None = None
        self._external: dict[str, EntryPoint] | None = None

    def register(self, name: str) -> Callable[[T], T]:
        """Decorate a class or function with the name under which it is found."""

        def decorate(entry: T) -> T:
            self._entries[name] = entry
            return entry

        return decorate

    def names(self) -> list[str]:
        """Every known name, sorted, without importing the entries."""
        return sorted(set(self._modules()) | set(self._points()) | set(self._entries))

    def get(self, name: str) -> T:
        """Return the entry called `name`, importing it if needed.

        Raises
        ------
        ValueError
            If the name is unknown; the message lists the known ones.
        """
        if name not in self.names():
            raise ValueError(unknown(self.kind, name, self.names()))
        if name not in self._entries:
            point = self._points().get(name)
            if point is not None:
                self._entries[name] = point.load()
            else:
                importlib.import_module(self._modules()[name])
        return self._entries[name]

    def _modules(self) -> dict[str, str]:
        """Dotted name of each entry's module, by the entry's name."""
        if self._found is None:
            path = importlib.import_module(self.package).__path__
            folder = [m for m in pkgutil.iter_modules(path) if m.name[0] != "_" and m.ispkg == self.families]
            self._found = {}
            for module in folder:
                dotted = f"{self.package}.{module.name}"
                if not self.families:
                    self._found[module.name] = dotted
                    continue
                for name in getattr(importlib.import_module(dotted), "__all__", ()):
                    self._found[name] = f"{dotted}.{name}"
        return self._found

    def _points(self) -> dict[str, EntryPoint]:
        """Entry points of other packages; read once, since that reads the records of all installed
        packages."""
        if self._external is None:
            self._external = {point.name: point for point in entry_points(group=self.group)}
        return self._external

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())
