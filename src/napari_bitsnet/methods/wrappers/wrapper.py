"""What every wrapper hands on: the wrapped method's name, settings and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.methods import Method

if TYPE_CHECKING:
    from napari_bitsnet.methods.stopping import StoppingRule


class Wrapper:
    """A method with behaviour around it; has on the instance what a method has on the class.

    Parameters
    ----------
    method : Method
        The one that is wrapped.
    """

    def __init__(self, method: Method[Any]) -> None:
        self.method = method
        self.name, self.title, self.summary = method.name, method.title, method.summary
        self.Config, self.presets = method.Config, method.presets
        self.full_resolution = method.full_resolution

    @property
    def config(self) -> BaseConfig:
        """The wrapped method's settings."""
        return self.method.config

    @property
    def iterations(self) -> int:
        """See `Method.iterations`."""
        return self.method.iterations

    def supports(self, traits: Traits) -> str | None:
        """See `Method.supports`."""
        return self.method.supports(traits)

    def stopping(self) -> StoppingRule | None:
        """See `Method.stopping`."""
        return self.method.stopping()
