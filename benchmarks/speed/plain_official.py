"""The preset `official` executed plainly, as in the released code; only its speed is of interest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_bitsnet.core.losses.features import draw_channels
from napari_bitsnet.methods.dip.schedules import N_ORIENTATIONS, jitter_at, orient, orientation_at

if TYPE_CHECKING:
    from napari_bitsnet.core.networks.skip import SkipNetwork
    from napari_bitsnet.methods.dip.transparency import UntrainedState

SIGMA = 3 / 255
EVERY = 10


def skimage_nlm(plane: NDArray) -> NDArray:
    """Non-local means of one channel (Y, X) by scikit-image."""
    from skimage.restoration import denoise_nl_means

    return np.asarray(
        denoise_nl_means(plane, h=0.6 * SIGMA, sigma=SIGMA, patch_size=5, patch_distance=6, fast_mode=True)
    )


class PlainOfficial:
    """The same mathematics as `BitsNet`'s preset `official`, in the plainest order of execution.

    Parameters
    ----------
    state : UntrainedState
        Before its first step; weights, noise and the random generator are copied, so that both can run.
    denoise : callable (plane) -> plane
        f for one channel (Y, X), on the CPU.

    Notes
    -----
    Images in the order in which they come (no channels-last), padding, convolution, normalisation one after
    the other, one exclusion a pair of channels, an Adam that walks through parameters, all eight orientations
    of both sources denoised every ten steps on the host, outputs and features copied to the host and scored
    each step. Observation and ADMM variables are kept turned, one copy an orientation.
    """

    def __init__(
        self,
        state: UntrainedState,
        *,
        denoise: Callable[[NDArray], NDArray] = skimage_nlm,
        iterations: int = 8000,
    ) -> None:
        observed = state.problem.observations
        self.networks = [PlainSkip(cast("SkipNetwork", network)) for network in state.fit.networks]
        self.inputs = [fixed.clone() for fixed in state.fit.inputs]
        self.rng = torch.Generator(observed.device)
        self.rng.set_state(state.fit.rng.get_state())
        self.targets = [orient(observed, k).contiguous() for k in range(N_ORIENTATIONS)]
        self.z = [[torch.zeros_like(target) for target in self.targets] for _ in self.networks]
        self.u = [[torch.zeros_like(target) for target in self.targets] for _ in self.networks]
        self.denoised = [[torch.zeros_like(target) for target in self.targets] for _ in self.networks]
        parameters = [p for network in self.networks for p in network.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=0.008, foreach=False, fused=False)
        self.denoise, self.iterations, self.step = denoise, iterations, 0
        self.best: tuple[float, list[NDArray]] | None = None

    def advance(self) -> None:
        """One iteration: `refresh` where due, then `descend`."""
        self.refresh()
        self.descend()

    def refresh(self) -> None:
        """Every ten steps, denoise all copies on the host."""
        if self.step % EVERY:
            return
        copies = [(k, o) for k in range(len(self.networks)) for o in range(N_ORIENTATIONS)]
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for (k, o), planes in zip(copies, pool.map(lambda c: self._planes(*c), copies), strict=True):
                self.denoised[k][o] = torch.from_numpy(np.stack(planes))[None].to(self.z[k][o])

    def _planes(self, source: int, orientation: int) -> list[NDArray]:
        return [self.denoise(plane) for plane in self.z[source][orientation][0].cpu().numpy()]

    def descend(self) -> None:
        """The network step: forward, losses, backward, Adam, ADMM variables, copies to the host."""
        last = self.step == self.iterations - 1
        o, jitter = orientation_at(self.step, last=last), jitter_at(self.step, last=last)
        seen = []
        for fixed in self.inputs:
            view = orient(fixed, o)
            if jitter:
                noise = torch.randn(view.shape, generator=self.rng, dtype=view.dtype, device=view.device)
                view = view + jitter * noise
            seen.append(view.contiguous())
        ((first, second),) = draw_channels([8], 2, 3, self.rng)
        self.optimiser.zero_grad()
        images, features = zip(*(n(s) for n, s in zip(self.networks, seen, strict=True)), strict=True)
        remix = images[0] + images[1]
        maps = [torch.sigmoid(f)[:, drawn] for f, drawn in zip(features, (first, second), strict=True)]
        loss = (remix - self.targets[o]).abs().mean()
        loss = loss + 0.01 * plain_exclusion(*images) + 0.001 * plain_exclusion(*maps)
        for k, image in enumerate(images):  # a mean over both sources
            loss = loss + 0.5 * 0.5 * ((self.z[k][o] - image - self.u[k][o]) ** 2).mean()
        loss.backward()
        self.optimiser.step()
        for k, image in enumerate(images):
            y, u = image.detach().clamp(0, 1), self.u[k][o]
            z = (0.5 * self.denoised[k][o] + 0.5 * (y + u)).clamp(0, 1)
            self.u[k][o], self.z[k][o] = u + y - z, z
        on_host = [image.detach().cpu().numpy().copy() for image in (*images, *features)]
        mixed = np.clip(on_host[0] + on_host[1], 0, 1)
        error = float(((mixed - self.targets[0].cpu().numpy()) ** 2).mean()) if o == 0 else np.inf
        if self.best is None or error < self.best[0]:
            self.best = (error, on_host)
        self.step += 1


def plain_exclusion(a: Tensor, b: Tensor) -> Tensor:
    """The exclusion loss, one pair of channels after the other; images of the same number of channels."""
    terms = []
    for scale in range(3):
        if scale:
            a, b = nn.functional.avg_pool2d(a, 2), nn.functional.avg_pool2d(b, 2)
        across = [(x[..., 1:] - x[..., :-1]) for x in (a, b)]
        down = [(x[..., 1:, :] - x[..., :-1, :]) for x in (a, b)]
        for da, db in (across, down):
            squashed = [torch.sigmoid(d) * 2 - 1 for d in (da, db)]
            for i in range(a.shape[1]):
                for j in range(b.shape[1]):
                    mean = (squashed[0][:, i] ** 2 * squashed[1][:, j] ** 2).mean()
                    terms.append((mean + 1e-10) ** 0.25 - 1e-10**0.25)
    return torch.stack(terms).mean()


class PlainSkip(nn.Module):
    """`SkipNetwork` with its own copies of the weights, as a chain of PyTorch's modules; sides in multiples
    of 32."""

    def __init__(self, network: SkipNetwork) -> None:
        super().__init__()
        down = [nn.Sequential(*map(self._block, encoder.children())) for encoder in network.encoders]
        up = [nn.Sequential(*map(self._block, decoder.children())) for decoder in network.decoders]
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        skips = zip(network.skips, network.has_skip, strict=True)
        self.skips = nn.ModuleList([self._block(s) if has else nn.Identity() for s, has in skips])
        self.joins = nn.ModuleList([self._norm(join) for join in network.joins])
        self.head = nn.Conv2d(network.head.in_channels, network.head.out_channels, 1)
        self.head.load_state_dict(network.head.state_dict())
        self.has_skip = network.has_skip
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.to(next(network.parameters()))

    def _block(self, block: nn.Module) -> nn.Sequential:
        conv, norm, _ = block.children()
        assert isinstance(conv, nn.Conv2d)
        own = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride)  # type: ignore[arg-type]
        own.load_state_dict(conv.state_dict())
        return nn.Sequential(
            nn.ReflectionPad2d(conv.kernel_size[0] // 2),
            own,
            self._norm(norm),
            nn.LeakyReLU(0.2, inplace=True),
        )

    @staticmethod
    def _norm(norm: nn.Module) -> nn.BatchNorm2d:
        own = nn.BatchNorm2d(norm.num_features)  # type: ignore[arg-type]
        own.load_state_dict(norm.state_dict(), strict=False)
        return own

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the image and the features before the last convolution."""
        levels = [image]
        for encoder in self.down:
            levels.append(encoder(levels[-1]))
        x = levels.pop()
        for scale in reversed(range(len(levels))):
            x = self.upsample(x)
            if self.has_skip[scale]:
                x = torch.cat([self.skips[scale](levels[scale]), x], dim=1)
            x = self.up[scale](self.joins[scale](x))
        return torch.sigmoid(self.head(x)), x
