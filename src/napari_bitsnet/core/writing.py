"""Files, and folders that stand for one, that are written whole or not at all, one by one or several
together."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

LOG = logging.getLogger(__name__)
_TEMPORARY = re.compile(r"\.napari-bitsnet\.([0-9a-f]{8})\.(\d+)\.\d+\.part")
_COUNT = itertools.count()
_CLOCK = 60.0
"""Seconds by which the clocks of disks and processes may differ."""
LONGEST = 24 * 3600.0
"""No writing takes as long, seconds: older temporary files are left over wherever their process runs or ran.
"""


class Together:
    """Files of one folder that take their places together.

    Each is written under a temporary name first. Where one cannot be written, none of them takes its place,
    so that a full disk leaves all that was there before.

    Parameters
    ----------
    folder : Path
        Must exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: list[tuple[Path, Path]] = []

    def part(self, name: str) -> Path:
        """Return the temporary path under which the file `name` is to be written; they take their places in
        this order."""
        temporary = temporary_path(self.folder)
        self._parts.append((temporary, self.folder / name))
        return temporary

    def written(self) -> int:
        """Bytes that lie under temporary names."""
        return sum(size_of(temporary) for temporary, _ in self._parts)

    def put_in_place(self) -> None:
        """Give every file its name, in the order in which they were asked for; this needs next to no
        space."""
        for temporary, path in self._parts:
            if path.is_dir() and not path.is_symlink():  # which no system call replaces: it makes room first
                before = temporary_path(self.folder)
                os.replace(path, before)
                os.replace(temporary, path)
                remove(before)
            else:
                os.replace(temporary, path)
            LOG.info("wrote %s", path)

    def discard(self) -> None:
        """Remove what still has a temporary name."""
        for temporary, _ in self._parts:
            with suppress(OSError):
                remove(temporary)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; 0 if there is none."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0


@contextmanager
def together(folder: Path) -> Iterator[Together]:
    """Write several files to a folder: all of them take their places at the end, or none if something fails.

    Temporary files that killed runs left there go first, whatever command wrote them.
    """
    remove_leftovers(folder)
    files = Together(folder)
    try:
        yield files
        files.put_in_place()
    finally:
        files.discard()


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; the file written there takes its place at the end, or goes."""
    with together(path.parent) as files:
        yield files.part(path.name)


def temporary_path(folder: Path) -> Path:
    """Return a new name in a folder that says whose it is; short, so that it fits wherever the final name
    does."""
    return folder / f".napari-bitsnet.{_machine()}.{os.getpid()}.{next(_COUNT)}.part"


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove temporary files of runs that were killed; those of processes that still run stay.

    Parameters
    ----------
    folder : Path
        Only this folder, without those inside it.

    Returns
    -------
    list of Path
        The files that were removed.
    """
    removed = []
    for path in folder.glob(".napari-bitsnet.*.part"):
        found = _TEMPORARY.fullmatch(path.name)
        if found is None:
            continue
        with suppress(OSError):
            written = path.stat().st_mtime
            is_old = time.time() - written > LONGEST
            if is_old or (found[1] == _machine() and not _runs(int(found[2]), since=written)):
                remove(path)
                removed.append(path)
    return removed


@cache
def _machine() -> str:
    """Which machine, or container, a process number belongs to: folders are shared over networks."""
    processes = Path("/proc/self/ns/pid")
    with suppress(OSError):
        return _short(f"{socket.gethostname()} {os.readlink(processes)}")
    return _short(socket.gethostname())


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _runs(process: int, since: float) -> bool:
    """Whether a process of this machine runs and did so at a time; on Windows, where asking would end it,
    always."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to somebody else
        return True
    ended, started = _state(process)
    return not ended and started <= since + _CLOCK  # numbers of processes are given again


def _state(process: int) -> tuple[bool, float]:
    """Whether a process has ended and waits for its parent only, and when it started; elsewhere than on Linux
    no and 0."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        lines = Path("/proc/stat").read_text().splitlines()
        booted = next(line for line in lines if line.startswith("btime "))
        return fields[0] == "Z", float(booted.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return False, 0.0
