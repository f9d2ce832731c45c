"""What methods share that fit untrained generators to one problem: BITS-Net and Double-DIP.

The sources are the generators' images, or a start plus the generators' corrections to it. The losses compare their
remix with the observations and keep their edges apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from napari_bitsnet.core.problem import Problem, State
from napari_bitsnet.methods import Answer, BaseMethod, StoppingRule
from napari_bitsnet.methods.dip.generators import build_generator, stopping_rule
from napari_bitsnet.methods.dip.settings import UntrainedConfig
from napari_bitsnet.methods.dip.starts import Started, choose_start, go_on, run_start
from napari_bitsnet.methods.dip.weights import FittedWeights, first_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_bitsnet.methods.dip.adam import DipFit
    from napari_bitsnet.methods.dip.admm import RedAdmm
    from napari_bitsnet.methods.dip.averaging import BestRemix, RunningAverage
    from napari_bitsnet.methods.dip.capture import CapturedCalls


@dataclass(kw_only=True)
class UntrainedState(State):
    """A run of fitted generators.

    Parameters
    ----------
    first : Tensor of shape (K, C, H, W)
        The sources before the first step: the start's, or the mixture split evenly.
    started : Started, optional
        What went first: its whole answer, and its state.
    fit : DipFit
        Generators and optimiser.
    admm : RedAdmm, optional
        Split and dual variables where there is regularisation by denoising.
    weights : FittedWeights, optional
        Under `Weighted` mixing.
    kept : RunningAverage or BestRemix
        The answer so far.
    feature_maps : Tensor of shape (K, C_f, H, W), optional
        Second-to-last feature maps of the last upright step.
    channels : list
        Feature channels that this step compares, where not all; see `draw_channels`.
    calls : CapturedCalls, optional
        Records and replays the steps on CUDA.
    """

    first: Tensor
    fit: DipFit
    kept: RunningAverage | BestRemix
    started: Started | None = None
    admm: RedAdmm | None = None
    weights: FittedWeights | None = None
    feature_maps: Tensor | None = None
    channels: list[list[Tensor]] = field(default_factory=list)
    calls: CapturedCalls[Descent] | None = None


class Descent(NamedTuple):
    """What one step of Adam saw: loss terms with their total, sources, remix, each generator's finest features."""

    terms: dict[str, Tensor]
    sources: Tensor
    remix: Tensor
    features: list[Tensor]


class UntrainedMethod(BaseMethod[UntrainedState]):
    """Fit one generator a source; what a method adds are its presets, loss terms and what follows a step."""

    full_resolution = False
    seeded = True
    updates_hints = True
    config: UntrainedConfig

    @property
    def iterations(self) -> int:
        """Steps of Adam."""
        return self.config.iterations

    def stopping(self) -> StoppingRule | None:
        """See `Method.stopping`: the running-variance rule, if wanted."""
        return stopping_rule(self.config)

    def start(self, problem: Problem, *, device: str, seed: int) -> UntrainedState:
        """See `Method.start`."""
        return self._start(problem, None, device=device, seed=seed)

    def warm_start(
        self, problem: Problem, previous: UntrainedState, *, device: str, seed: int
    ) -> UntrainedState:
        """See `Method.warm_start`: what goes first goes on from the slice before, and so do the networks."""
        return self._start(problem, previous, device=device, seed=seed)

    def _start(
        self, problem: Problem, previous: UntrainedState | None, *, device: str, seed: int
    ) -> UntrainedState:
        import torch

        from napari_bitsnet.methods.dip.averaging import BestRemix, RunningAverage

        config, name = self.config, choose_start(self.config.start, problem.traits)
        before = None if previous is None or previous.started is None else previous.started.state
        started = (
            None if name == "none" else run_start(name, problem, device=device, seed=seed, previous=before)
        )
        answer = {} if started is None else started.answer
        problem = problem.to(device)
        rng = torch.Generator().manual_seed(seed)
        weights = first_weights(problem, answer, rng)
        unknowns = [] if weights is None or weights.change is None else [weights.change]
        first = answer["sources"].to(device) if answer else _even_split(problem)
        fit, share = self._generators(problem, unknowns, rng, seed, refining=bool(answer)), 1.0
        admm = self.split_variables(first)
        if previous is not None:
            drawn = [k for k, g in enumerate(problem.guides or (None,) * problem.n_sources) if g is None]
            share = go_on(
                fit,
                previous.fit,
                drifting=drawn,
                scale=config.input_scale,
                seed=seed,
                anew=bool(answer),
            )
            if admm is not None and previous.admm is not None and not answer and share < 1:
                admm.follow(previous.admm)
        return UntrainedState(
            problem=problem,
            has_start=bool(answer),
            share=share,
            first=first,
            started=started,
            admm=admm,
            fit=fit,
            kept=BestRemix() if config.keep == "best" else RunningAverage(_decay(config)),
            weights=weights,
            calls=_recorder(device),
        )

    def advance(self, state: UntrainedState) -> Iterator[dict[str, Tensor]]:
        """See `Method.advance`."""
        while True:
            yield self._step(state)

    def update_hints(self, state: UntrainedState, hints: Tensor | None) -> None:
        """See `Method`: the loss of hints changes, what was fitted stays; the answer is averaged anew."""
        from napari_bitsnet.methods.dip.averaging import RunningAverage

        state.problem = replace(state.problem, hints=hints)
        if isinstance(state.kept, RunningAverage):
            state.kept.count = min(state.kept.count, 1)
        if state.calls is not None:  # what was recorded reads the hints from before
            state.calls = _recorder(str(state.problem.observations.device))

    def solution(self, state: UntrainedState) -> Answer:
        """See `Method.solution`: before the first step what went first, then what `keep` names."""
        sources = state.first if state.kept.value is None else state.kept.value
        answer = {**(state.started.answer if state.started else {}), "sources": sources}
        if state.weights is not None:
            answer["weights"] = state.weights.current.detach()
        if self.config.features and state.feature_maps is not None:
            answer["features"] = state.feature_maps
        return answer

    def doubtful_below(self, state: UntrainedState) -> float:
        """See `Method.doubtful_below`: a confidence is that of what went first."""
        return 0.0 if state.started is None else state.started.doubtful_below

    def split_variables(self, first: Tensor) -> RedAdmm | None:
        """The variables of ADMM for a run from the sources `first`, where the method has a denoiser."""
        return None

    def before_step(self, state: UntrainedState, orientation: int) -> None:
        """What goes before the generators' step: drawing, denoising."""

    def own_terms(
        self, state: UntrainedState, sources: Tensor, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """Loss terms that the method adds, weighted."""
        return {}

    def after_step(self, state: UntrainedState, sources: Tensor, orientation: int) -> None:
        """What follows the generators' step, with the sources from before it."""

    def _generators(
        self, problem: Problem, unknowns: list[Tensor], rng: torch.Generator, seed: int, *, refining: bool
    ) -> DipFit:
        """One network a source, on its guide where it has one, else on noise."""
        import torch

        from napari_bitsnet.methods.dip.adam import DipFit, uniform_noise

        config, observed = self.config, problem.observations
        device, size = str(observed.device), (observed.shape[-2], observed.shape[-1])
        networks, inputs = [], []
        for guide in problem.guides or (None,) * problem.n_sources:
            seen = guide
            if seen is None:
                seen = uniform_noise(config.input_channels, size, config.input_scale, rng, device)
            networks.append(
                build_generator(
                    seen.shape[1],
                    observed.shape[1],
                    rng,
                    channels=config.channels,
                    skip_channels=config.skip_channels,
                    kernel_size=config.kernel_size,
                    linear=bool(config.correction),
                    silent=bool(config.correction) and refining,
                )
            )
            inputs.append(seen)
        noise = torch.Generator(device=device).manual_seed(seed)
        return DipFit(networks, inputs, learning_rate=config.learning_rate, rng=noise, unknowns=unknowns)

    def _step(self, state: UntrainedState) -> dict[str, Tensor]:
        """One step of Adam and what belongs to it; everything but the generators' view is upright."""
        import torch

        from napari_bitsnet.methods.dip.averaging import BestRemix
        from napari_bitsnet.methods.dip.schedules import jitter_at, orientation_at

        config, problem = self.config, state.problem
        last = state.step == config.iterations - 1
        orientation = orientation_at(state.step, last=last) if config.orientations else 0
        state.fit.look(
            orientation=orientation, jitter=jitter_at(state.step, last=last) if config.jitter else 0.0
        )
        self.before_step(state, orientation)
        work = partial(self._descend, state, orientation)
        seen = work() if state.calls is None else state.calls(orientation, work)
        self.after_step(state, seen.sources, orientation)
        if orientation == 0:
            if isinstance(state.kept, BestRemix):
                state.kept.update(seen.sources, seen.remix, problem.observations, problem.valid)
            else:
                state.kept.update(seen.sources)
            if config.features:
                state.feature_maps = torch.cat(seen.features)
        state.step += 1
        return seen.terms

    def _descend(self, state: UntrainedState, orientation: int) -> Descent:
        """Forward, losses, backward, Adam; on CUDA recorded and replayed, so nothing in it waits or draws."""
        import torch

        from napari_bitsnet.core.losses.exclusion import pairwise_exclusion
        from napari_bitsnet.core.losses.hint import hint_loss
        from napari_bitsnet.core.losses.reconstruction import l1_loss, l2_loss

        config, problem = self.config, state.problem
        images, features = state.fit.draw(orientation=orientation)
        sources = self._sources(state, images)
        remix = problem.mixing(sources) if state.weights is None else state.weights.mix(sources)
        terms = {"reconstruction": l1_loss(remix, problem.observations, problem.valid)}
        if config.alpha_exclusion:
            terms["exclusion"] = config.alpha_exclusion * pairwise_exclusion(
                sources, balanced=config.balanced_exclusion, valid=problem.valid
            )
        if config.alpha_hint and problem.hints is not None:
            terms["hints"] = config.alpha_hint * hint_loss(sources, problem.hints)
        if anchor := self._anchor(state):
            terms["anchor"] = anchor * l2_loss(sources, state.first, problem.valid)
        terms |= self.own_terms(state, sources, features, orientation)
        total = torch.stack(list(terms.values())).sum()
        state.fit.descend(total)
        terms = {**{name: term.detach() for name, term in terms.items()}, "total": total.detach()}
        return Descent(terms, sources.detach(), remix.detach(), [maps[0].detach() for maps in features])

    def _anchor(self, state: UntrainedState) -> float:
        """How much sources are kept near the start: more where it knew more than the mixture."""
        config, traits = self.config, state.problem.traits
        if state.has_start and (traits.n_guides or traits.n_observations > 1):
            return config.anchor_informed
        return config.anchor if config.correction or state.has_start else 0.0

    def _sources(self, state: UntrainedState, images: Tensor) -> Tensor:
        """What the generators' images mean: sources, or corrections; shares are projected if `exact`."""
        from napari_bitsnet.methods.dip.projection import project_shares

        config, problem, first = self.config, state.problem, state.first
        linear = problem.mixing.name == "linear"
        if config.correction and linear:
            # no loss sees how the brightness is split: corrections leave it as it was
            images = images - images.mean(dim=(-2, -1), keepdim=True)
        sources = first + config.correction * images if config.correction else images
        if not (config.exact and linear):
            return sources.clamp(first.clamp(max=0), first.clamp(min=1.0)) if config.correction else sources
        # guided or absorbing sources may hold all of the mixture, parts of a photograph's only one in K
        whole = problem.density_of is not None or bool(problem.guides)
        lower, upper = first.clamp(max=0), first.clamp(min=1.0 if whole else 1 / problem.n_sources)
        return project_shares(sources, problem.observations, lower, upper)


def _even_split(problem: Problem) -> Tensor:
    """Every source the same: the observation's K-th part, or the observations' mean as a whole image."""
    image = problem.observations.mean(dim=0, keepdim=True)
    share = image / problem.n_sources if problem.mixing.name == "linear" else image
    return share.repeat(problem.n_sources, 1, 1, 1)


def _recorder(device: str) -> CapturedCalls[Descent] | None:
    """Recording steps is for CUDA alone."""
    import torch

    from napari_bitsnet.methods.dip.capture import CapturedCalls

    return CapturedCalls(torch.device(device)) if device.startswith("cuda") else None


def _decay(config: UntrainedConfig) -> float:
    return config.decay if config.keep == "average" else 0.0
