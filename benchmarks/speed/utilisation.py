"""Utilisation of a GPU during a stretch of work."""

from __future__ import annotations

import shutil
import subprocess
from types import TracebackType
from typing import Self

QUERY = "utilization.gpu,utilization.memory,memory.used,clocks.sm,power.draw"


class Utilisation:
    """Context manager that samples ``nvidia-smi`` five times a second, where there is one.

    Parameters
    ----------
    device : str
        As in `napari_bitsnet.run`; on others than CUDA nothing is sampled.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.samples: list[list[float]] = []
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        program = shutil.which("nvidia-smi")
        if self.device.startswith("cuda") and program:
            index = self.device.partition(":")[2] or "0"
            command = [program, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits", "-lms", "200"]
            self._process = subprocess.Popen(
                [*command, "-i", index], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        self._process.terminate()
        text, _ = self._process.communicate(timeout=10)
        for line in text.splitlines():
            try:
                self.samples.append([float(cell) for cell in line.split(",")])
            except ValueError:  # a line that was cut off, or "[N/A]"
                continue

    def summary(self) -> str:
        """Return the means over the samples, as a sentence."""
        samples = [s for s in self.samples if len(s) == len(QUERY.split(","))]
        if not samples:
            return "utilisation not sampled"
        gpu, memory, mib, clock, power = (sum(column) / len(samples) for column in zip(*samples, strict=True))
        return (
            f"GPU busy {gpu:.0f} %, its memory {memory:.0f} %, {mib:.0f} MiB in use, {clock:.0f} MHz, "
            f"{power:.0f} W (mean of {len(samples)} samples)"
        )
