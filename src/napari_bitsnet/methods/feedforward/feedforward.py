"""Separate a mixture by trained networks in one pass, as a result or as the start of other methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.images import Scaling
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.methods.feedforward.motion_compensation import Carried
    from napari_bitsnet.methods.feedforward.network import SplitNetwork
    from napari_bitsnet.methods.feedforward.split import Evidence, Looked
SHIPPED = "feedforward.safetensors"
DOUBTFUL = 0.25
"""Mean confidence below which a result gets a notice; see the model card."""
MOST_FRAMES = 8
"""Largest weight of the motion-compensated past, in frames, relative to the current frame."""


class FeedforwardConfig(BaseConfig):
    """Settings of the method."""

    views: int = setting(
        2,
        "Number of mirror images whose estimates are averaged; disagreement lowers the confidence.",
        ge=1,
        le=4,
        step=1,
    )
    looks: int = setting(
        3, "Number of closer looks of the network, through smaller and smaller windows.", ge=0, le=3, step=1
    )
    weights: Path | None = setting(None, "File with trained weights; none takes the weights of the package.")


def shipped_weights() -> Path:
    """Return the path of the package's weights, whether the file exists or not."""
    return Path(str(files("napari_bitsnet").joinpath("weights", SHIPPED)))


def weights_available() -> bool:
    """Return True if the package carries weights, so that the method runs without a path; loads no torch."""
    return shipped_weights().is_file()


@dataclass(kw_only=True)
class FeedforwardState(State):
    """State of a run.

    Parameters
    ----------
    network : SplitNetwork
        Trained.
    before : Tensor of shape (K, C, H, W), optional
        Shares of the previous slice, on this slice's scale.
    carried : Carried, optional
        Motion-compensated shares of the previous slice.
    frames : int
        Number of earlier slices that they average.
    sources, confidence : Tensor of shape (K, C, H, W) and (1, 1, H, W), optional
        Result of the networks; None before they have run.
    evidence : Evidence, optional
        Evidence of the last split.
    rough : callable, optional
        Returns preliminary shares from the looks that are done.
    """

    network: SplitNetwork
    before: Tensor | None = None
    carried: Carried | None = None
    frames: int = 0
    sources: Tensor | None = None
    confidence: Tensor | None = None
    evidence: Evidence | None = None
    rough: Callable[[], Tensor] | None = None


@METHODS.register("feedforward")
class Feedforward(StagedMethod[FeedforwardState]):
    """Predict ``d = y1 - y2`` of ``I = y1 + y2`` and share exactly: ``y = (I ± d) / 2``."""

    name = "feedforward"
    title = "Trained networks"
    summary = "Separates one image without guides within a second, by networks trained on photographs."
    Config = FeedforwardConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": FeedforwardConfig(views=1, looks=0),
        "balanced": FeedforwardConfig(),
        "best": FeedforwardConfig(views=4),
    }
    cost = Cost(1.4, 6.7, 220)
    config: FeedforwardConfig
    reads_hints = True

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing != "linear" or traits.n_observations != 1:
            return "The networks separate one image whose sources add up; for several mixtures use ica."
        if traits.n_guides:
            return "The networks cannot use guides: use guided_regression."
        if traits.has_hints and traits.n_sources > 2:
            return "The networks can use hints for two sources only: use sparse_gradients."
        if self.config.weights is None and not weights_available():
            return "This installation has no trained weights: give weights=FILE or choose another method."
        return None

    def start(self, problem: Problem, *, device: str, seed: int) -> FeedforwardState:
        """See `Method.start`; nothing is random.

        Raises
        ------
        FileNotFoundError, ValueError
            If there are no weights, or the file holds weights of another method.
        """
        problem = problem.to(device)
        from napari_bitsnet.core.networks.origin import remember

        where = (self.config.weights, device)
        network = remember(_network_on(*where), _network_on, *where)
        return FeedforwardState(problem=problem, network=network)

    def warm_start(
        self, problem: Problem, previous: FeedforwardState, *, device: str, seed: int
    ) -> FeedforwardState:
        """See `Method.warm_start`: two sources are carried from slice to slice, more keep their order.

        Two motion-compensated sources (see `carry`) are averaged with a quick estimate of the networks for
        this slice. More sources keep their order of the previous slice.
        """
        state = FeedforwardState(problem=problem.to(device), network=previous.network.to(device))
        observed, earlier = state.problem.observations, previous.sources
        if earlier is None or earlier.shape[1:] != observed.shape[1:]:
            return state
        state.before = rescaled(earlier.to(device), previous.problem.scaling, problem.scaling)
        if len(earlier) == problem.n_sources == 2:
            from napari_bitsnet.methods.feedforward.motion_compensation import carry

            state.carried = carry(state.before.cpu().double().numpy(), observed[0].cpu().double().numpy())
            known = previous.carried is not None and previous.carried.enough
            state.frames = min(1 + previous.frames * known, MOST_FRAMES)
        return state

    def iterating(self, state: FeedforwardState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: one stage per look of the networks, with an estimate from the second
        on."""
        known = state.carried is not None and state.carried.enough
        shares, confidence, state.evidence = yield from self._separating(state, glance=known)
        if state.before is not None:
            shares = _in_order(shares, state.before)
        if state.carried is not None:
            shares = _averaged(shares, state.problem.observations, state.carried, state.frames)
        state.sources, state.confidence, state.rough = shares, confidence, None
        return {"doubt": 1 - confidence.mean()}

    def _separating(
        self, state: FeedforwardState, *, glance: bool
    ) -> Stages[tuple[Tensor, Tensor, Evidence | None]]:
        """Split the mixture, then repeatedly the share with the most edges, until there are K shares.

        With `glance`, mirror images and closer looks are omitted.
        """
        import torch

        from napari_bitsnet.methods.feedforward.split import splitting

        network, problem = state.network, state.problem
        shares = [problem.observations]
        confidence = torch.ones_like(shares[0][:, :1])
        evidence = None
        while len(shares) < problem.n_sources:
            mixed = shares.pop(max(range(len(shares)), key=lambda k: _edges(shares[k])))
            # a share is split like an image of its own
            low, high = (float(mixed.min()), float(mixed.max())) if shares else (0.0, 1.0)
            span = max(high - low, 1e-6)
            looks = splitting(
                network,
                (mixed - low) / span,
                problem.hints,
                views=1 if glance else self.config.views,
                looks=0 if glance else self.config.looks,
            )
            while True:
                try:
                    looked = next(looks)
                except StopIteration as end:
                    split = end.value
                    break
                if looked.difference is not None:
                    state.rough = partial(_roughly, looked, mixed, low, span, list(shares), problem.n_sources)
                    state.has_start = True
                which = f", source {len(shares) + 1}" if problem.n_sources > 2 else ""
                yield Stage(f"networks{which}, {looked.next}", better=looked.difference is not None)
            shares += [(mixed + sign * span * split.difference) / 2 for sign in (1, -1)]
            confidence, evidence = torch.minimum(confidence, split.confidence), split.evidence
        return torch.cat(shares), confidence, evidence

    def solution(self, state: FeedforwardState) -> Answer:
        """See `Method.solution`; also ``"confidence"`` (1, 1, H, W) in [0, 1]."""
        if state.sources is None or state.confidence is None:
            if state.rough is not None:
                shares = state.rough()
                return {"sources": shares if state.before is None else _in_order(shares, state.before)}
            shares = state.problem.observations / state.problem.n_sources
            return {"sources": shares.expand(state.problem.n_sources, -1, -1, -1)}
        return {"sources": state.sources, "confidence": state.confidence}

    def doubtful_below(self, state: FeedforwardState) -> float:
        return DOUBTFUL

    def alternatives(self, state: FeedforwardState) -> list[Tensor]:
        """See `Method`: up to three other splits; none without closer looks or with hints."""
        problem = state.problem
        if (
            state.evidence is None
            or problem.n_sources != 2
            or problem.hints is not None
            or state.before is not None
        ):
            return []
        import torch

        from napari_bitsnet.methods.feedforward.alternatives import other_splits

        mixture = problem.observations
        with torch.no_grad():
            others = other_splits(state.network, state.evidence, mixture)
        shares = [torch.cat([mixture + d, mixture - d]) / 2 for d in others]
        return shares if state.sources is None else [_in_order(each, state.sources) for each in shares]


def load_network(path: Path | None = None) -> SplitNetwork:
    """Build the networks with weights from a file, or from the package.

    Raises
    ------
    FileNotFoundError
        If the file does not exist, or the package carries no weights.
    ValueError
        If the file holds something else.
    """
    from napari_bitsnet.core.networks.weights import load_network as load
    from napari_bitsnet.methods.feedforward.network import SplitNetwork

    if path is None and not weights_available():
        raise FileNotFoundError(
            "Expected trained weights in the package, found none: train some "
            "(napari-bitsnet train feedforward DATA -o FILE) and give weights=FILE, or choose another method."
        )

    # the shipped weights come from an earlier development version and have its names
    def build(sizes: Mapping[str, Any]) -> SplitNetwork:
        return SplitNetwork(widths=sizes.get("widths") or sizes["coarse_widths"], trunk=sizes["trunk"])

    path = shipped_weights() if path is None else path
    network, _ = load(path, "feedforward", build, name_of=lambda name: name.removeprefix("coarse."))
    return network.eval().requires_grad_(False)


def _network_on(path: Path | None, device: str) -> SplitNetwork:
    return load_network(path).to(device)


def _in_order(shares: Tensor, before: Tensor) -> Tensor:
    """Return the shares in the order that matches the previous slice best, by their contrast."""
    from itertools import permutations

    def contrast(images: Tensor) -> Tensor:
        return images - images.mean(dim=(2, 3), keepdim=True)

    now, then = contrast(shares), contrast(before)
    orders = [list(order) for order in permutations(range(len(shares)))]
    return shares[max(orders, key=lambda order: float((now[order] * then).sum()))]


def _averaged(shares: Tensor, mixture: Tensor, carried: Carried, frames: int) -> Tensor:
    """Average the difference of two shares with the motion-compensated one, by trust and number of `frames`.

    The split of the brightness stays that of the previous slice: the networks cannot know it, and would make
    it flicker.
    """
    import torch

    trust = torch.as_tensor(carried.trust).to(shares)
    before = torch.as_tensor(carried.sources).to(shares)
    now, then = shares[:1] - shares[1:], before[:1] - before[1:]
    darker = ((then - now) * trust).sum(dim=(-2, -1), keepdim=True) / trust.sum().clamp(min=1e-6)
    weight = frames * trust / (1 + frames * trust)
    difference = now + darker + weight * (then - now - darker)
    return torch.cat([mixture + difference, mixture - difference]) / 2


def rescaled(shares: Tensor, old: Scaling, new: Scaling) -> Tensor:
    """Convert shares (K, C, H, W) from the [0, 1] scale of one mixture to that of another one."""
    return (shares * old.span + (old.lo - new.lo) / len(shares)) / new.span


def _roughly(
    looked: Looked, mixed: Tensor, low: float, span: float, others: list[Tensor], n_sources: int
) -> Tensor:
    """Return shares (K, C, H, W) from an unfinished split; a part that is not split yet is divided evenly."""
    import torch

    with torch.no_grad():
        difference = looked.enlarged((mixed - low) / span)
        assert difference is not None
        first, second = ((mixed + sign * span * difference) / 2 for sign in (1, -1))
        left = n_sources - len(others) - 1
        return torch.cat([*others, first, *[second / left] * left])


def _edges(share: Tensor) -> float:
    """Return the mean absolute difference of neighbours: the share with the larger one is split next."""
    return float(share.diff(dim=-1).abs().mean() + share.diff(dim=-2).abs().mean())
