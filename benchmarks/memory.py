"""Peak memory of a stretch of work."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

STATM = Path("/proc/self/statm")


class PeakMemory:
    """Context manager; ``mib`` is the highest resident memory seen above that at the start, in MiB.

    On CUDA the allocator's own peak; on the CPU sampled every 10 ms where the system tells it (Linux), else
    None.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.mib: float | None = None

    def __enter__(self) -> Self:
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.reset_peak_memory_stats(self.device)
        elif STATM.exists():
            self._start = self._peak = self._resident()
            self._done = threading.Event()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.device.startswith("cuda"):
            import torch

            self.mib = torch.cuda.max_memory_allocated(self.device) / 2**20
        elif STATM.exists():
            self._done.set()
            self._thread.join()
            self.mib = (self._peak - self._start) / 2**20

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            self._peak = max(self._peak, self._resident())

    @staticmethod
    def _resident() -> int:
        import resource

        return int(STATM.read_text().split()[1]) * resource.getpagesize()
