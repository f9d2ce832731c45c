"""Write the tables of a run, with the conditions under which it was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.quality.paired import differences
from benchmarks.quality.tables import Row, markdown, to_csv
from napari_bitsnet._version import __version__


def conditions(device: str) -> dict[str, Any]:
    """Return versions, device, number of cores and date."""
    import torch

    from napari_bitsnet.core.device import describe_device

    return {
        "napari-bitsnet": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": describe_device(device),
        "cores": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def write_tables(rows: Sequence[Row], folder: Path, *, command: str, device: str) -> None:
    """Write ``quality.md``, ``quality.csv`` and, for two contenders or more, ``paired.csv``, each under a
    temporary name first."""
    where = "; ".join(f"{name} {value}" for name, value in conditions(device).items())
    text = (
        "# Quality\n\n"
        f"Measured with `{command}`.\n\nConditions: {where}.\n\n"
        "Decibels are means over sources after joint assignment, then over cases. *gain* is PSNR minus that "
        "of the mixture taken as every source; *offset-free* is after the best constant a channel and "
        "source. Nulls separate nothing; a ceiling knows what a method has to estimate. Paired differences "
        "are of the offset-free gain, one contender minus another on the cases that both solved, seeds "
        "averaged first; the interval is a "
        "bootstrap over cases.\n\n" + markdown(rows)
    )
    files = {"quality.md": text, "quality.csv": to_csv(rows)}
    if compared := differences(rows):
        files["paired.csv"] = to_csv(compared)
    else:
        (folder / "paired.csv").unlink(missing_ok=True)
    for name, content in files.items():
        temporary = folder / f".{name}.part"
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(folder / name)
