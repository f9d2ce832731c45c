"""Choose the device of a run, and explain errors when its memory is full."""

from __future__ import annotations

from collections.abc import Callable


class OutOfMemory(MemoryError):
    """Raised if the device's memory is full; the message names settings that fit."""


def list_devices() -> list[str]:
    """Return the devices of this machine, best first: ``["cuda:0", "mps", "cpu"]`` or a part of these."""
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
        ``"auto"`` (the best available), ``"cuda"``, ``"cuda:N"``, ``"mps"`` or ``"cpu"``.

    Raises
    ------
    ValueError
        If this machine does not have the device; the message lists the available ones.
    """
    available = list_devices()
    if device == "auto":
        return available[0]
    if device == "cuda" and "cuda:0" in available:
        return "cuda:0"
    if device not in available:
        lacks_gpu = available == ["cpu"] and device.partition(":")[0] in ("cuda", "mps")
        why = ": PyTorch finds no GPU here that it can use; see the page Installation" if lacks_gpu else ""
        raise ValueError(
            f"Expected a device of this machine ({', '.join(available)}) or auto, got {device!r}{why}."
        )
    return device


def describe_device(device: str = "auto") -> str:
    """Describe a device in one line: ``"cuda:0 NVIDIA H200 (120.3 GiB free)"`` or ``"CPU (2 threads)"``."""
    import torch

    device = resolve_device(device)
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        return f"{device} {torch.cuda.get_device_name(device)} ({free / 2**30:.1f} GiB free)"
    if device == "mps":
        return "mps Apple GPU"
    threads = torch.get_num_threads()
    return f"CPU ({threads} thread{'s' if threads > 1 else ''})"


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if `error` means that a device's memory is full, on the GPU or on the CPU."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def out_of_memory(pixels: int, device: str) -> OutOfMemory:
    """Return the `MemoryFull` error to raise, with advice.

    Parameters
    ----------
    pixels : int
        Working size of the run, height times width.
    device : str
        Device of the run.
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
        True also collects unreachable objects, as needed after a failure, and works on the CPU too; it stops
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
    """Let the C library keep freed memory for the next step, instead of returning it to the system.

    This saves a fifth of an iteration's time on a CPU at 1024 x 1024 pixels, and half at 2048 x 2048. The
    setting holds for the whole process, so only our own programs call it. Without glibc nothing happens.
    """
    mmap_max, trim_threshold = -4, -1  # names of glibc's mallopt
    if (mallopt := _c_library("mallopt")) is not None:
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


def _c_library(name: str) -> Callable[..., int] | None:
    """Return a function of the C library, or None if it does not exist."""
    import ctypes
    import sys

    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
