"""What a file of weights or a checkpoint says of itself; loads no torch."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

LONGEST = 10_000_000
"""Bytes of a header; a longer one belongs to no file of ours."""


def facts_of(path: Path) -> dict[str, Any]:
    """Return the record at the beginning of a safetensors file; empty if it is something else or missing.

    Notes
    -----
    The file begins with the length of its header, 8 bytes, and the header, JSON. The tensors are not read.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= LONGEST else {}
        facts = json.loads(header["__metadata__"]["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return facts if isinstance(facts, dict) else {}


def checksum_of(path: Path) -> str:
    """Return the SHA-256 of a file, which is read again only after it was changed."""
    status = path.stat()
    return _checksum(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _checksum(path: Path, _changed: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
