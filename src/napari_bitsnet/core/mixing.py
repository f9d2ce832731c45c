"""Forward models that map sources to observations.

Every mixing maps sources (K, C, H, W) to observations (M, C, H, W), on the observations' [0, 1] scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Mixing(Protocol):
    """Forward model from sources to observations."""

    @property
    def name(self) -> str:
        """Name of the mixing in `Traits`."""

    def __call__(self, sources: Tensor) -> Tensor:
        """Return the observations (M, C, H, W) of `sources` (K, C, H, W)."""


@dataclass(frozen=True)
class Linear:
    """One observation that is the sum of shares: ``I = y_1 + … + y_K`` (BITS-Net eq. 1).

    A share is the contribution of a source: for two photographs superimposed with equal weights, half of
    each. Sources that attenuate add in the same way if the observation is an optical density.
    """

    name: str = "linear"

    def __call__(self, sources: Tensor) -> Tensor:
        return sources.sum(dim=0, keepdim=True)


@dataclass(frozen=True)
class Weighted:
    """Several observations that are weighted sums of whole images: ``I_m = sum_k W_mk t_k``.

    Parameters
    ----------
    weights : Tensor of shape (M, K), optional
        Dimensionless; None while they are unknown.
    rule : str
        ``"free"`` (sources are known up to a scale), ``"sum-to-one"`` (each row adds to one) or
        ``"given"``.
    clipped : Tensor of shape (1, 1, H, W), optional
        bool, True where a mixture is at the end of its range, so that it is no longer a weighted sum.
    """

    weights: Tensor | None = None
    rule: str = "free"
    clipped: Tensor | None = None
    name: str = "weighted"

    def unclipped(self, valid: Tensor | None) -> Tensor | None:
        """Return the valid pixels (1, 1, H, W) that are not clipped, or all valid ones if none would be left;
        None for all."""
        if self.clipped is None:
            return valid
        seen = ~self.clipped if valid is None else valid & ~self.clipped.to(valid.device)
        return seen if seen.any() else valid

    def __call__(self, sources: Tensor) -> Tensor:
        if self.weights is None:
            raise ValueError("Expected known weights to mix with, got none: estimate them first.")
        import torch

        return torch.einsum("mk,kchw->mchw", self.weights.to(sources), sources)


@dataclass(frozen=True)
class Noisy:
    """One observation of one image with noise of mean zero: ``I = J + n``, ``n ~ N(0, sigma**2)``.

    Parameters
    ----------
    sigma : float, optional
        Standard deviation on the observation's [0, 1] scale; None while it is unknown.
    """

    sigma: float | None = None
    name: str = "noisy"

    def __call__(self, sources: Tensor) -> Tensor:
        return sources


@dataclass(frozen=True)
class Masked:
    """One observation of an image with missing pixels: ``I = J`` where the problem's pixels are valid."""

    name: str = "masked"

    def __call__(self, sources: Tensor) -> Tensor:
        return sources


@dataclass(frozen=True)
class Haze:
    """One observation of a scene J behind haze of colour A: ``I = t J + (1 - t) A`` (Koschmieder).

    Parameters
    ----------
    airlight : tuple of float, optional
        A, one value per channel, on the observation's [0, 1] scale; None while it is unknown.
    transmission : Tensor of shape (1, 1, H, W), optional
        t in (0, 1]; None while it is unknown.
    """

    airlight: tuple[float, ...] | None = None
    transmission: Tensor | None = None
    name: str = "haze"

    def __call__(self, sources: Tensor) -> Tensor:
        if self.airlight is None or self.transmission is None:
            raise ValueError("Expected a known airlight and transmission, got none: estimate them first.")
        airlight = sources.new_tensor(self.airlight)[:, None, None]
        return self.transmission * sources + (1 - self.transmission) * airlight


@dataclass(frozen=True)
class Overlay:
    """Observations of M images under the same mark: ``I_m = (1 − a) C_m + a W``; sources are C_1 … C_M, W.

    Parameters
    ----------
    colour : tuple of float, optional
        W if it is one known colour: one value per channel, on the observations' [0, 1] scale.
    opacity : float, optional
        a inside the mark, if it is known, in (0, 1].
    cover : Tensor of shape (1, 1, H, W), optional
        a of every pixel; None while it is unknown.
    """

    colour: tuple[float, ...] | None = None
    opacity: float | None = None
    cover: Tensor | None = None
    name: str = "overlay"

    def __call__(self, sources: Tensor) -> Tensor:
        if self.cover is None:
            raise ValueError(
                "Expected a known opacity of every pixel to overlay with, got none: estimate it first."
            )
        return (1 - self.cover) * sources[:-1] + self.cover * sources[-1:]


@dataclass(frozen=True)
class Reflection:
    """One observation of a scene T through glass that reflects R: ``I = clip(T + R)``; sources are T, R,
    whole images.

    The sum is that of the published syntheses. Light adds up before a camera's tone curve, so that real
    photographs follow it only about.
    """

    name: str = "reflection"

    def __call__(self, sources: Tensor) -> Tensor:
        return sources.sum(dim=0, keepdim=True).clamp(0, 1)


@dataclass(frozen=True)
class Cutout:
    """One observation of a foreground before a background: ``I = m F + (1 − m) B``; sources are F, B.

    Parameters
    ----------
    mask : Tensor of shape (1, 1, H, W), optional
        m in [0, 1], almost everywhere 0 or 1; None while it is unknown.
    """

    mask: Tensor | None = None
    name: str = "cutout"

    def __call__(self, sources: Tensor) -> Tensor:
        if self.mask is None:
            raise ValueError("Expected a known mask to cut out with, got none: estimate it first.")
        return self.mask * sources[:1] + (1 - self.mask) * sources[1:]
