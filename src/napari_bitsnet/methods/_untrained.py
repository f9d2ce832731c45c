"""What methods share that fit untrained generators to one problem: BITS-Net and Double-DIP.

The sources are the generators' images, or a start plus the generators' corrections to it. The losses compare their
remix with the observations and keep their edges apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.methods._starts import StartName, choose_start, run_start

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_bitsnet.core.solvers.adam import DipFit
    from napari_bitsnet.core.solvers.admm import RedAdmm
    from napari_bitsnet.core.solvers.keeping import BestRemix, RunningAverage
    from napari_bitsnet.core.solvers.stopping import StoppingRule


class UntrainedConfig(BaseConfig):
    """Settings of generators that are fitted to one problem."""

    iterations: int = setting(1000, "Steps of Adam.", ge=1, le=100_000, step=100)
    learning_rate: float = setting(0.008, "Step size of Adam.", ge=1e-5, le=0.1, step=0.001)
    start: StartName = setting(
        "auto", "What goes first, for the generators to refine: a closed form, trained weights, or nothing."
    )
    correction: float = setting(
        0.1,
        "Size of the generators' corrections to the start; 0 lets them draw the sources themselves.",
        ge=0,
        le=1,
        step=0.01,
    )
    anchor: float = setting(
        0.1, "Weight that keeps sources near the start, as a mean square.", ge=0, le=1000, step=0.1
    )
    exact: bool = setting(
        True, "Shares add up to the mixture exactly and stay within their possible range (linear mixing)."
    )
    alpha_exclusion: float = setting(
        0.01, "Weight of the exclusion loss between sources (alpha 1).", ge=0, le=10, step=0.001
    )
    balanced_exclusion: bool = setting(
        False, "Scale gradients to the same mean before excluding, as Zhang et al. do."
    )
    alpha_hint: float = setting(
        1.0, "Weight of hints: the other sources have no edges there.", ge=0, le=100, step=0.1
    )
    kernel_size: int = setting(3, "Side of the generators' kernels, odd.", ge=1, le=9, step=2, unit="px")
    channels: tuple[float, ...] = setting(
        (8, 16, 32, 64, 128), "Width of each of the generators' scales, finest first."
    )
    skip_channels: tuple[float, ...] = setting(
        (0, 0, 0, 4, 4), "Width of each scale's skip connection, finest first; 0 for none."
    )
    input_channels: int = setting(3, "Channels of a generator's noise input.", ge=1, le=64, step=1)
    input_scale: float = setting(
        0.005, "A generator's noise input is uniform within plus or minus this.", ge=1e-4, le=1, step=0.001
    )
    jitter: bool = setting(True, "Add a little new noise to the generators' inputs in each step.")
    orientations: bool = setting(
        True, "Show the generators their inputs flipped and turned every other step."
    )
    keep: Literal["average", "best", "last"] = setting(
        "average",
        "Which answer is kept: the running average, the one whose remix is nearest to the mixture, the last.",
    )
    decay: float = setting(0.99, "Of the running average, from step to step.", ge=0, le=0.9999, step=0.01)
    early_stopping: bool = setting(
        True, "Stop once the answers' running variance has passed its lowest value."
    )
    window: int = setting(100, "Steps over which that variance is taken.", ge=2, le=1000, step=10)
    patience: int = setting(
        300, "Steps without a new lowest variance before stopping.", ge=1, le=10_000, step=50
    )
    features: bool = setting(False, "Return the generators' second-to-last feature maps as well.")

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"expected an odd kernel_size, got {self.kernel_size}")
        if len(self.channels) != len(self.skip_channels):
            raise ValueError(
                f"expected as many skip_channels as channels, got {len(self.skip_channels)} for {len(self.channels)}"
            )
        if any(c != int(c) or c < 1 for c in self.channels) or any(
            c != int(c) or c < 0 for c in self.skip_channels
        ):
            raise ValueError("expected whole numbers of channels, at least 1 a scale and 0 a skip connection")
        return self


@dataclass(kw_only=True)
class UntrainedState(State):
    """A run of fitted generators.

    Parameters
    ----------
    first : Tensor of shape (K, C, H, W)
        The sources before the first step: the start's, or the mixture split evenly.
    start_answer : dict
        The whole answer of the method that went first, empty if none did.
    fit : DipFit
        Generators and optimiser.
    admm : RedAdmm, optional
        Split and dual variables where there is regularisation by denoising.
    weights, weight_change : Tensor of shape (M, K), optional
        Under `Weighted` mixing: the first weights and the fitted change to them.
    kept : RunningAverage or BestRemix
        The answer so far.
    feature_maps : Tensor of shape (K, C_f, H, W), optional
        Second-to-last feature maps of the last upright step.
    """

    first: Tensor
    start_answer: dict[str, Tensor]
    fit: DipFit
    kept: RunningAverage | BestRemix
    admm: RedAdmm | None = None
    weights: Tensor | None = None
    weight_change: Tensor | None = None
    feature_maps: Tensor | None = None


class UntrainedMethod(ABC):
    """Fit one generator a source; what a method adds are its presets, loss terms and what follows a step."""

    Config: ClassVar[type[BaseConfig]]
    presets: ClassVar[dict[str, BaseConfig]]
    full_resolution: ClassVar[bool] = False

    def __init__(self, config: UntrainedConfig) -> None:
        self.config = config

    @property
    def iterations(self) -> int:
        """Steps of Adam."""
        return self.config.iterations

    @abstractmethod
    def supports(self, traits: Traits) -> str | None:
        """See `Method.supports`."""

    def stopping(self) -> StoppingRule | None:
        """See `Method.stopping`: the running-variance rule, if wanted."""
        from napari_bitsnet.core.solvers.stopping import RunningVariance

        if not self.config.early_stopping:
            return None
        return RunningVariance(window=self.config.window, patience=self.config.patience)

    def start(self, problem: Problem, *, device: str, seed: int) -> UntrainedState:
        """See `Method.start`."""
        import torch

        from napari_bitsnet.core.solvers.keeping import BestRemix, RunningAverage

        config, name = self.config, choose_start(self.config.start, problem.traits)
        answer = {} if name == "none" else run_start(name, problem, device=device, seed=seed)
        problem = problem.to(device)
        rng = torch.Generator().manual_seed(seed)
        weights, change = _first_weights(problem, answer, rng)
        first = answer["sources"].to(device) if answer else _even_split(problem)
        return UntrainedState(
            problem=problem,
            has_start=bool(answer),
            first=first,
            start_answer=answer,
            admm=self.split_variables(first),
            fit=self._generators(
                problem, [] if change is None else [change], rng, seed, refining=bool(answer)
            ),
            kept=BestRemix() if config.keep == "best" else RunningAverage(_decay(config)),
            weights=weights,
            weight_change=change,
        )

    def advance(self, state: UntrainedState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`."""
        while True:
            yield self._step(state)

    def answer(self, state: UntrainedState) -> dict[str, Tensor]:
        """See `Method.answer`: before the first step what went first, then what `keep` names."""
        sources = state.first if state.kept.value is None else state.kept.value
        answer = {**state.start_answer, "sources": sources}
        if state.weights is not None:
            answer["weights"] = mixing_weights(state).detach()
        if self.config.features and state.feature_maps is not None:
            answer["features"] = state.feature_maps
        return answer

    def split_variables(self, first: Tensor) -> RedAdmm | None:
        """The variables of ADMM for a run from the sources `first`, where the method has a denoiser."""
        return None

    def own_terms(
        self, state: UntrainedState, sources: Tensor, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """Loss terms that the method adds, weighted."""
        return {}

    def after_step(self, state: UntrainedState, sources: Tensor, orientation: int) -> None:  # noqa: B027
        """What follows the generators' step, with the sources from before it."""

    def _generators(
        self, problem: Problem, unknowns: list[Tensor], rng: torch.Generator, seed: int, *, refining: bool
    ) -> DipFit:
        """One network a source, on its guide where it has one, else on noise."""
        import torch

        from napari_bitsnet.core.networks.skip import SkipNetwork, initialise
        from napari_bitsnet.core.solvers.adam import DipFit, uniform_noise

        config, observed = self.config, problem.observations
        device, size = str(observed.device), (observed.shape[-2], observed.shape[-1])
        networks, inputs = [], []
        for guide in problem.guides or (None,) * problem.n_sources:
            seen = guide
            if seen is None:
                seen = uniform_noise(config.input_channels, size, config.input_scale, rng, device)
            network = SkipNetwork(
                seen.shape[1],
                observed.shape[1],
                channels=[int(c) for c in config.channels],
                skip_channels=[int(c) for c in config.skip_channels],
                kernel_size=config.kernel_size,
                output="linear" if config.correction else "sigmoid",
            )
            initialise(network, rng)
            if config.correction and refining:  # the first correction is none
                for parameter in network.head.parameters():
                    torch.nn.init.zeros_(parameter)
            networks.append(network)
            inputs.append(seen)
        noise = torch.Generator(device=device).manual_seed(seed)
        return DipFit(networks, inputs, learning_rate=config.learning_rate, rng=noise, unknowns=unknowns)

    def _step(self, state: UntrainedState) -> dict[str, Tensor]:
        """One step of Adam; everything but the generators' view is upright."""
        import torch

        from napari_bitsnet.core.losses.exclusion import pairwise_exclusion
        from napari_bitsnet.core.losses.hint import hint_loss
        from napari_bitsnet.core.losses.reconstruction import l1_loss, l2_loss
        from napari_bitsnet.core.solvers.keeping import BestRemix
        from napari_bitsnet.core.solvers.schedules import jitter_at, orientation_at

        config, problem = self.config, state.problem
        last = state.step == config.iterations - 1
        orientation = orientation_at(state.step, last=last) if config.orientations else 0
        jitter = jitter_at(state.step, last=last) if config.jitter else 0.0
        images, features = state.fit.generate(orientation=orientation, jitter=jitter)
        sources = self._sources(state, images)
        remix = _remix(state, sources)

        terms = {"reconstruction": l1_loss(remix, problem.observations, problem.valid)}
        if config.alpha_exclusion:
            terms["exclusion"] = config.alpha_exclusion * pairwise_exclusion(
                sources, balanced=config.balanced_exclusion, valid=problem.valid
            )
        if config.alpha_hint and problem.hints is not None:
            terms["hints"] = config.alpha_hint * hint_loss(sources, problem.hints)
        if config.anchor and (config.correction or state.has_start):
            terms["anchor"] = config.anchor * l2_loss(sources, state.first, problem.valid)
        terms |= self.own_terms(state, sources, features, orientation)
        total = torch.stack(list(terms.values())).sum()
        state.fit.descend(total)

        self.after_step(state, sources.detach(), orientation)
        if orientation == 0:
            if isinstance(state.kept, BestRemix):
                state.kept.update(sources, remix, problem.observations, problem.valid)
            else:
                state.kept.update(sources)
            if config.features:
                state.feature_maps = torch.cat([maps[0].detach() for maps in features])
        state.step += 1
        return {**{name: term.detach() for name, term in terms.items()}, "total": total.detach()}

    def _sources(self, state: UntrainedState, images: Tensor) -> Tensor:
        """What the generators' images mean: sources, or corrections; shares are projected if `exact`."""
        from napari_bitsnet.core.solvers.projection import project_shares

        config, problem, first = self.config, state.problem, state.first
        sources = first + config.correction * images if config.correction else images
        linear = problem.mixing.name == "linear"
        # guided or absorbing sources may hold all of the mixture, parts of a photograph's only one in K
        whole = not linear or problem.density_of is not None or bool(problem.guides)
        lower, upper = first.clamp(max=0), first.clamp(min=1.0 if whole else 1 / problem.n_sources)
        if config.exact and linear:
            return project_shares(sources, problem.observations, lower, upper)
        return sources.clamp(lower, first.clamp(min=1.0)) if config.correction else sources


def mixing_weights(state: UntrainedState) -> Tensor:
    """The mixing weights (M, K) so far, >= 0; rows keep adding to one under the rule ``"sum-to-one"``."""
    assert state.weights is not None
    change = state.weight_change
    if change is None:
        return state.weights
    if getattr(state.problem.mixing, "rule", "free") == "sum-to-one":
        change = change - change.mean(dim=1, keepdim=True)
    return (state.weights + change).clamp(min=0)


def _remix(state: UntrainedState, sources: Tensor) -> Tensor:
    import torch

    if state.weights is None:
        return state.problem.mixing(sources)
    return torch.einsum("mk,kchw->mchw", mixing_weights(state), sources)


def _first_weights(
    problem: Problem, answer: dict[str, Tensor], rng: torch.Generator
) -> tuple[Tensor | None, Tensor | None]:
    """Known weights, the start's, or random ones near 1 / K that add up to one; and the change to fit."""
    import torch

    mixing = problem.mixing
    if mixing.name != "weighted":
        return None, None
    device, shape = problem.observations.device, (len(problem.observations), problem.n_sources)
    given = getattr(mixing, "weights", None)
    if given is not None:
        return given.to(device), None
    if "weights" in answer:
        weights = answer["weights"].to(device)
    else:
        weights = (1 + torch.rand(shape, generator=rng)).to(device)
        weights = weights / weights.sum(dim=1, keepdim=True)
    return weights, torch.zeros(shape, device=device, requires_grad=True)


def _even_split(problem: Problem) -> Tensor:
    """Every source the same: the observation's K-th part, or the observations' mean as a whole image."""
    image = problem.observations.mean(dim=0, keepdim=True)
    share = image / problem.n_sources if problem.mixing.name == "linear" else image
    return share.repeat(problem.n_sources, 1, 1, 1)


def _decay(config: UntrainedConfig) -> float:
    return config.decay if config.keep == "average" else 0.0
