"""Generators fitted with Adam: the deep image prior."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import torch
from torch import Tensor, nn

from napari_bitsnet.methods.dip.schedules import orient, unorient


class DipFit:
    """One generator a source, their fixed inputs, and the optimiser that fits them.

    Parameters
    ----------
    networks : sequence of K nn.Module
        Each maps (1, C_k, H, W) to an image (1, C, H, W) and a list of feature maps.
    inputs : sequence of K Tensor (1, C_k, H, W)
        Noise or a guide.
    learning_rate : float
        Of Adam.
    rng : torch.Generator
        Generator of the noise that is added to the inputs, on their device.
    unknowns : sequence of Tensor
        Further parameters to fit, such as mixing weights.

    Notes
    -----
    ``y_k = DIP_k(z_k; Theta_k)``, Theta fitted by Adam (BITS-Net section 3.1 and eq. 9). On a CPU the
    generators run one after the other, with pixels in channels-last order; on CUDA each on its own stream.
    One grouped stack of all of them was slower on both (docs/benchmarks/speed.md).

    References
    ----------
    Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, arXiv:1412.6980.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        inputs: Sequence[Tensor],
        *,
        learning_rate: float,
        rng: torch.Generator,
        unknowns: Sequence[Tensor] = (),
    ) -> None:
        device = inputs[0].device
        self.networks = nn.ModuleList(networks).to(device)
        self.inputs, self.rng = list(inputs), rng
        self.slices = 0  # that went before this one
        self.steady = device.type == "cuda"
        self.seen: list[Tensor] = []
        self.streams = [torch.cuda.Stream(device) for _ in networks] if self.steady else []
        self._held: dict[int, list[Tensor]] = {}
        self.lay_out(torch.channels_last if device.type == "cpu" else torch.contiguous_format)
        self.fitted = [*self.networks.parameters(), *unknowns]
        fused = device.type in ("cpu", "cuda")
        self.optimiser = torch.optim.Adam(self.fitted, lr=learning_rate, fused=fused, capturable=self.steady)

    def lay_out(self, layout: torch.memory_format) -> None:
        """Set the memory layout of the tensors."""
        self.layout = layout
        self.networks.to(memory_format=layout)  # type: ignore[call-overload]

    def follow(self, earlier: DipFit, drifting: Sequence[int], *, drift: float, seed: int) -> None:
        """Continue from another fit of the same kind: its weights, Adam's moments and its slightly changed
        noise.

        Parameters
        ----------
        earlier : DipFit
            Fit of the previous slice, with generators and inputs of the same sizes.
        drifting : sequence of int
            Indices of the noise inputs. Other inputs (guides, the image itself) stay those of this slice.
        drift : float
            Half width of the uniform noise that is added to these inputs.
        seed : int
            Seed of that noise, different for every slice.

        Notes
        -----
        Inputs that change little give images that change little. The released Double-DIP code has such
        drifting inputs for video, but no script that uses them.
        """
        with torch.no_grad():
            for own, other in zip(self.fitted, earlier.fitted, strict=True):
                own.copy_(other)
        self.optimiser.load_state_dict(earlier.optimiser.state_dict())
        self.slices = earlier.slices + 1
        rng = torch.Generator().manual_seed(seed + self.slices)
        for k in drifting:
            own = self.inputs[k]
            size = (own.shape[-2], own.shape[-1])
            self.inputs[k] = earlier.inputs[k].to(own) + uniform_noise(
                own.shape[1], size, drift, rng, str(own.device)
            )

    def alike(self, other: DipFit) -> bool:
        """Return True if another fit has generators and inputs of the same sizes."""

        mine, others = ([tuple(t.shape) for t in (*fit.inputs, *fit.fitted)] for fit in (self, other))
        return mine == others

    def look(self, *, orientation: int = 0, jitter: float = 0.0) -> None:
        """Prepare the next inputs of the generators, ``seen``.

        Parameters
        ----------
        orientation : int
            0 to 7: orientation in which the generators see their inputs.
        jitter : float
            Standard deviation of the noise added to the inputs.

        Notes
        -----
        On CUDA the tensors of an orientation keep their memory from call to call, as recorded steps need.
        """
        seen = []
        for fixed in self.inputs:
            view = orient(fixed, orientation)
            if jitter:
                noise = torch.randn(view.shape, generator=self.rng, device=view.device, dtype=view.dtype)
                view = view + jitter * noise
            seen.append(view.contiguous(memory_format=self.layout))
        if self.steady:
            if orientation not in self._held:
                self._held[orientation] = [view.clone() for view in seen]
            for held, view in zip(self._held[orientation], seen, strict=True):
                held.copy_(view)
            seen = self._held[orientation]
        self.seen = seen

    def draw(self, *, orientation: int = 0) -> tuple[Tensor, list[list[Tensor]]]:
        """Return the images (K, C, H, W) of the generators for the prepared inputs, upright, and the feature
        maps of each, in the orientation in which it sees its input.

        Notes
        -----
        The released code turns the observation and the ADMM variables instead of turning the images back.
        Losses and denoisers do not depend on the orientation, so this is equal up to rounding and border
        pixels.
        """
        made = []
        for network, seen, stream in zip_longest(self.networks, self.seen, self.streams):
            if stream is None:
                made.append(network(seen))
                continue
            stream.wait_stream(torch.cuda.current_stream(stream.device))
            with torch.cuda.stream(stream):
                made.append(network(seen))
        for stream in self.streams:
            torch.cuda.current_stream(stream.device).wait_stream(stream)
        images = [unorient(image, orientation) for image, _ in made]
        features = [maps for _, maps in made]
        return torch.cat(images), features

    def descend(self, loss: Tensor) -> None:
        """Take one Adam step down `loss`."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()


def uniform_noise(
    channels: int, size: tuple[int, int], scale: float, rng: torch.Generator, device: str
) -> Tensor:
    """Return the fixed input of a generator, (1, channels, H, W), uniform within ± `scale`; drawn on the CPU
    for any device."""
    return (torch.rand(1, channels, *size, generator=rng) * 2 - 1).mul(scale).to(device)
