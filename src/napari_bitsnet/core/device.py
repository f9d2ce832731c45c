"""Which device a run uses, and what to say when its memory is full."""

from __future__ import annotations

import os
from collections.abc import Callable


class OutOfMemory(MemoryError):
    """The device's memory is full; the message names what would fit."""


def list_devices() -> list[str]:
    """Devices that this machine has, best first: ``["cuda:0", "mps", "cpu"]`` or a part of these."""
    import torch

    devices = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]


def resolve_device(device: str = "auto") -> str:
    """Return the device to run on.

    Parameters
    ----------
    device : str
        ``"auto"`` (the best there is), ``"cuda"``, ``"cuda:N"``, ``"mps"`` or ``"cpu"``.

    Raises
    ------
    ValueError
        If this machine does not have it; the message lists what it has.
    """
    available = list_devices()
    if device == "auto":
        return available[0]
    if device == "cuda" and "cuda:0" in available:
        return "cuda:0"
    if device not in available:
        raise ValueError(
            f"Expected a device of this machine ({', '.join(available)}) or auto, got {device!r}."
        )
    return device


def describe_device(device: str = "auto") -> str:
    """One line for people: ``"cuda:0 NVIDIA H200 (120.3 GiB free)"`` or ``"CPU (2 threads)"``."""
    import torch

    device = resolve_device(device)
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        return f"{device} {torch.cuda.get_device_name(device)} ({free / 2**30:.1f} GiB free)"
    if device == "mps":
        return "mps Apple GPU"
    return f"CPU ({torch.get_num_threads()} threads)"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that a device's memory is full, on the GPU or on the CPU."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def out_of_memory(pixels: int, device: str) -> OutOfMemory:
    """Return the error to raise, with advice.

    Parameters
    ----------
    pixels : int
        Working size of the run, height times width.
    device : str
        Where it ran.
    """
    side = int((pixels / 2) ** 0.5)
    return OutOfMemory(
        f"The memory of {device} is full at {pixels / 1e6:.2f} megapixels. What would fit: "
        f"size_limit={side} (half the pixels), fewer sources, preset='quick' or device='cpu'."
    )


def free_memory(*, thorough: bool = True) -> None:
    """Give unused memory back to the system.

    Parameters
    ----------
    thorough : bool
        Whether to look for unreachable objects first, as after a failure, and on the CPU as well; that halts
        all threads for a while.
    """
    import gc

    import torch

    if thorough:
        gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if thorough and (trim := _c_library("malloc_trim")) is not None:
        trim(0)


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, for the next step, instead of fetching it anew page by page.

    A fifth of an iteration's time on a CPU at 1024 x 1024, half at 2048 x 2048. It holds for the whole
    process, so only programs of our own call it. On glibc; elsewhere nothing happens.
    """
    mmap_max, trim_threshold = -4, -1  # names of glibc's mallopt
    if (mallopt := _c_library("mallopt")) is not None:
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


def wait_politely() -> None:
    """Let PyTorch's threads sleep while they wait for one another, unless the environment says otherwise.

    Where other programs want the same cores, threads that wait actively take them from those they wait for: a
    separation took 2.5 to 10 times the processor's time. To be called before torch is loaded; it holds for
    the whole process.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _c_library(name: str) -> Callable[..., int] | None:
    """A function of the C library, or None where it has none of that name."""
    import ctypes
    import sys

    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
