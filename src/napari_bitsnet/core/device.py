"""Which device a run uses, and what to say when its memory is full."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

from contextlib import contextmanager


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


@contextmanager
def memory_guard(pixels: int, device: str) -> Iterator[None]:
    """Turn the device's out-of-memory error into `OutOfMemory`, with advice, and free what can be freed.

    Parameters
    ----------
    pixels : int
        Working size of the run, height times width.
    device : str
        Where it runs.
    """
    import torch

    message = ""
    try:
        yield
    except torch.OutOfMemoryError:
        side = int((pixels / 2) ** 0.5)
        message = (
            f"The memory of {device} is full at {pixels / 1e6:.2f} megapixels. "
            f"What would fit: size_limit={side} (half the pixels), fewer sources, preset='quick' or device='cpu'."
        )
    if message:  # raised here, outside the except block, so that no frame keeps tensors alive
        free_memory()
        raise OutOfMemory(message)


def free_memory() -> None:
    """Give unused memory back to the system."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
