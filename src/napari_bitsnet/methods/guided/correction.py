"""What a small trained network adds to a guided fit: it sees the fit beside the photographs, and mends what
they can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bitsnet.core.stages import Stage, Stages, exhaust

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.displacement import Window
    from napari_bitsnet.core.networks.unet import UNet
    from napari_bitsnet.core.problem import Problem
    from napari_bitsnet.methods.guided.model import GuidedModel, GuideTerm

SHIPPED = "correction.safetensors"
CHANNELS_IN, CHANNELS_OUT = 12, 2
SMOOTH = 16
"""Radius, in pixels, of the windows whose mean is taken off corrections: twice, so that what is wider than
about 40 pixels stays as it was fitted. How brightness is divided on that scale is hardly to be seen, and a
network only guesses it."""
TILE, MARGIN = 768, 128
"""Side of the tiles in which large images are looked at, and what is seen around them, pixels."""


@dataclass(frozen=True)
class Correction:
    """Changes of a guided fit's answer, on the observation's [0, 1] scale.

    Parameters
    ----------
    explained : Tensor of shape (K, C, H, W)
        To be added to what the guides explain; zero where a source has no guide.
    sources : Tensor of shape (K, C, H, W)
        To be added to the sources; they add up to zero.
    """

    explained: Tensor
    sources: Tensor

    def share_of(self, observation: Tensor) -> Tensor:
        """Root mean square change of a source over the observation's standard deviation, shape ()."""
        return self.sources[0].square().mean().sqrt() / observation.std().clamp_min(1e-6)


def correction_weights() -> Path:
    """Where the package keeps the network's weights, whether they are there or not."""
    return Path(str(files("napari_bitsnet").joinpath("weights", SHIPPED)))


@cache
def correction_network() -> UNet | None:
    """The trained network, or None where the package carries no weights."""
    from napari_bitsnet.core.networks.shipped import shipped_unet

    return shipped_unet(correction_weights(), CHANNELS_IN, CHANNELS_OUT)


def view(
    observation: Tensor, explained: Sequence[Tensor | None], photographs: Sequence[Tensor | None], source: int
) -> Tensor:
    """What the network sees when it is asked about a source.

    Parameters
    ----------
    observation : Tensor of shape (C, 1, H, W)
        Its channels one by one, in [0, 1].
    explained : two Tensors of shape (C, 1, H, W), or None
        What each source's guide explains.
    photographs : two Tensors of shape (1, 4, H, W), or None
        The guides' colours as they lie on the observation, in [0, 1], and the part of the light that cracks
        took.
    source : int
        The one that is asked about, which has a guide.

    Returns
    -------
    Tensor of shape (C, CHANNELS_IN, H, W)
        What this source's guide explains, what the other one's does, what is left (in standard deviations of
        the observation, around zero); this source's photograph and cracks, then the other one's; whether
        there is another one.
    """
    import torch

    own, other = explained[source], explained[1 - source]
    assert own is not None
    if other is None:
        other = torch.zeros_like(own)
    levels = torch.cat([own, other, observation - own - other], dim=1)
    levels = levels - levels.mean(dim=(2, 3), keepdim=True)
    levels = levels / observation.std(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
    pictures = []
    for picture in (photographs[source], photographs[1 - source]):
        if picture is None:
            pictures.append(observation.new_zeros(1, 4, *observation.shape[-2:]))
        else:
            pictures.append(torch.cat([picture[:, :3] - 0.5, picture[:, 3:]], dim=1))
    has_other = torch.full_like(observation[:1], float(photographs[1 - source] is not None))
    seen = torch.cat([*pictures, has_other], dim=1)
    return torch.cat([levels, seen.expand(len(levels), -1, -1, -1)], dim=1)


def detail(correction: Tensor) -> Tensor:
    """A correction (N, C, H, W) without its smooth part; see `SMOOTH`."""
    from napari_bitsnet.core.guided_filter import box_mean

    return correction - box_mean(box_mean(correction, SMOOTH), SMOOTH)


def _photograph(model: GuidedModel, term: GuideTerm, strip: Window) -> Tensor:
    """Colours and cracks (4, h, w) of a guide as they lie on the observation."""
    import torch

    colours = model.aligned(term, strip)
    cracks = torch.zeros_like(colours[:1]) if term.cracks is None else model.cracks(term, strip)
    return torch.cat([colours, cracks])


def correct(problem: Problem, model: GuidedModel) -> Correction | None:
    """Ask the network what the fit missed.

    Parameters
    ----------
    problem : Problem
        The one that was fitted, at the size at which it was.
    model : GuidedModel
        After the fit.

    Returns
    -------
    Correction or None
        At that size. None where the network was not trained for: other than two sources, guides that are not
        colour photographs; or where there are no weights.

    Notes
    -----
    Asked about source k, the network g says how its explained part and the source itself are to be changed.
    With two guides it is asked about both, and the sources change by ``± (g_1 - g_2) / 2``, so that they add
    up to the observation as before, and the order of the guides does not matter. Of what it says only the
    detail is taken.
    """
    return exhaust(correcting(problem, model))


def correcting(
    problem: Problem, model: GuidedModel, parts: Tensor | None = None
) -> Stages[Correction | None]:
    """Do what `correct` does, and tell each look of the network before it is taken; `parts` (K, C, H, W) are
    what each source's guide explains, if that is known."""
    import torch
    from torch.nn import functional as F

    from napari_bitsnet.core.tiling import solve_in_tiles

    guided = {term.source: term for term in model.terms}
    colour = all(term.image.shape[1] == 3 for term in model.terms)
    network = correction_network() if problem.n_sources == 2 and colour else None
    if network is None:
        return None
    network = network.to(problem.observations.device)
    observation = problem.observations.transpose(0, 1)  # (C, 1, H, W)
    explained: list[Tensor | None] = [None, None]
    photographs: list[Tensor | None] = [None, None]
    for k, term in guided.items():
        strips = list(model.strips())
        if parts is None:
            explained[k] = torch.cat([model.explain(term, strip) for strip in strips], dim=1)[:, None]
        else:
            explained[k] = parts[k][:, None]
        photographs[k] = torch.cat([_photograph(model, term, strip) for strip in strips], dim=1)[None]

    def look(seen: Tensor) -> Tensor:
        height, width = seen.shape[-2:]
        down, right = -height % network.multiple, -width % network.multiple
        return network(F.pad(seen, (0, right, 0, down), mode="replicate"))[..., :height, :width]

    scale = observation.std(dim=(1, 2, 3), keepdim=True)
    changes = observation.new_zeros(
        (2, CHANNELS_OUT, *problem.observations.shape[1:])
    )  # (source, kind, C, H, W)
    for k in guided:
        seen = view(observation, explained, photographs, k)
        for c, channel in enumerate(seen):
            channels = f", channel {c + 1} of {len(seen)}" if len(seen) > 1 else ""
            yield Stage(f"correction, source {k + 1}{channels}")
            said = solve_in_tiles(look, [channel[None]], side=TILE, margin=MARGIN)[0]
            changes[k, :, c] = scale[c, 0] * said
    flat = detail(changes.flatten(0, 1))
    changes = (flat - mean_of(flat, problem.valid)).view_as(changes)
    first = (changes[0, 1] - changes[1, 1]) / len(guided)
    return Correction(changes[:, 0], torch.stack([first, -first]))


def mean_of(images: Tensor, valid: Tensor | None) -> Tensor:
    """Return the mean of the valid pixels of each image and channel, (N, C, 1, 1)."""
    if valid is None:
        return images.mean(dim=(2, 3), keepdim=True)
    return (images * valid).sum(dim=(2, 3), keepdim=True) / valid.sum()
