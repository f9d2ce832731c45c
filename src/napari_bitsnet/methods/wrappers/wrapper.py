"""What every wrapper hands on: the wrapped method's name, settings, limits and abilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.problem import Traits
from napari_bitsnet.core.stages import without_stages
from napari_bitsnet.methods import Method, StagedStart, StoppingRule
from napari_bitsnet.methods.protocol import S

if TYPE_CHECKING:
    from torch import Tensor


class Wrapper(StagedStart[S]):
    """A method with behaviour around it; has on the instance what a method has on the class. It defines
    `starting` and `stages`.

    Parameters
    ----------
    method : Method
        The one that is wrapped.
    """

    def __init__(self, method: Method[Any]) -> None:
        self.method, self.config = method, method.config
        self.name, self.title, self.summary = method.name, method.title, method.summary
        self.Config, self.presets, self.cost = method.Config, method.presets, method.cost
        self.full_resolution, self.seeded = method.full_resolution, method.seeded
        self.reads_hints, self.updates_hints = method.reads_hints, method.updates_hints

    @property
    def iterations(self) -> int:
        return self.method.iterations

    def unsupported_reason(self, traits: Traits) -> str | None:
        return self.method.unsupported_reason(traits)

    def stopping(self) -> StoppingRule | None:
        return self.method.stopping()

    def advance(self, state: S) -> Iterator[dict[str, Tensor]]:
        return without_stages(self.stages(state))
