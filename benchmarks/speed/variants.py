"""Ways to execute a step of BITS-Net that are compared with each other in one run."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.methods.dip.adam import DipFit
    from napari_bitsnet.methods.dip.transparency import UntrainedState


def plain(state: UntrainedState) -> None:
    """Launch one kernel after the other: no recording, one stream."""
    state.calls = None
    one_by_one(state)


def recorded(state: UntrainedState) -> None:
    """Change nothing: the default."""


def channels_last(state: UntrainedState) -> None:
    """Put channels innermost in memory."""
    import torch

    state.fit.lay_out(torch.channels_last)


def one_by_one(state: UntrainedState) -> None:
    """Run generators one after the other, on one stream."""
    state.fit.streams = []


def single_precision(state: UntrainedState) -> None:
    """Multiply in full float32, without TF32."""
    import torch

    torch.backends.cudnn.allow_tf32 = False


def half_precision(state: UntrainedState) -> None:
    """Run networks in bfloat16 where autocast allows it."""
    import torch

    for network in state.fit.networks:
        forward = network.forward

        def cast(image: Tensor, forward: Callable[..., Any] = forward) -> Any:
            with torch.autocast(image.device.type, torch.bfloat16, cache_enabled=False):
                output, features = forward(image)
            return output.float(), [f.float() for f in features]

        network.forward = cast


def grouped(state: UntrainedState) -> None:
    """Run all generators as one, with grouped convolutions."""
    import torch
    from torch.func import functional_call, stack_module_state

    from napari_bitsnet.methods.dip.schedules import unorient

    fit: DipFit = state.fit
    parameters, _ = stack_module_state(list(fit.networks))
    shape = deepcopy(fit.networks[0]).to("meta")

    def one(values: dict[str, Tensor], seen: Tensor) -> Any:
        return functional_call(shape, values, (seen,))

    def draw(*, orientation: int = 0) -> tuple[Tensor, list[list[Tensor]]]:
        images, features = torch.vmap(one)(parameters, torch.stack(fit.seen))
        maps = [[level[k] for level in features] for k in range(len(images))]
        return unorient(images[:, 0], orientation), maps

    options = {key: fit.optimiser.defaults[key] for key in ("lr", "fused", "capturable")}
    fit.optimiser = torch.optim.Adam(parameters.values(), **options)
    fit.draw = draw  # type: ignore[method-assign]


def compiled(state: UntrainedState) -> None:
    """Compile generators, which fuses the operations between convolutions."""
    for network in state.fit.networks:
        network.compile(dynamic=False)


Change = Callable[["UntrainedState"], None]

VARIANTS: dict[str, tuple[Change, ...]] = {
    "as it ships": (recorded,),
    "plain (no CUDA graph, one stream)": (plain,),
    "generators one by one": (one_by_one,),
    "channels last": (channels_last,),
    "channels last, one by one": (channels_last, one_by_one),
    "float32 without TF32": (single_precision,),
    "bfloat16": (half_precision,),
    "bfloat16, channels last": (half_precision, channels_last),
    "grouped convolutions": (grouped,),
}
"""Changes of a state before its first step, by name."""

COMPILED: dict[str, tuple[Change, ...]] = {
    "as it ships": (recorded,),
    "torch.compile": (compiled,),
    "torch.compile, channels last": (channels_last, compiled),
}
"""The same with a compiler, which takes longer than all others together."""
