"""Sources that add up or are weighted, with one generator for each: the common part of BITS-Net and
Double-DIP.

The sources are the images of the generators, or a start plus generated corrections. The losses compare their
remix with the observations and penalise common edges.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.stages import Stages
from napari_bitsnet.methods import Answer
from napari_bitsnet.methods.dip.fit import Descent, Drawn, FitState, FittedMethod
from napari_bitsnet.methods.dip.generators import Generators
from napari_bitsnet.methods.dip.settings import UntrainedConfig
from napari_bitsnet.methods.dip.starts import Started, choose_start, running_start
from napari_bitsnet.methods.dip.weights import FittedWeights, first_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from napari_bitsnet.methods.dip.admm import RedAdmm
    from napari_bitsnet.methods.dip.averaging import BestRemix, RunningAverage
    from napari_bitsnet.methods.dip.capture import CapturedCalls


@dataclass(kw_only=True)
class UntrainedState(FitState):
    """State of a run of fitted generators.

    Parameters
    ----------
    first : Tensor of shape (K, C, H, W)
        Sources before the first step: those of the start, or the mixture divided evenly.
    started : Started, optional
        Answer and state of the start.
    admm : RedAdmm, optional
        Split and dual variables of regularisation by denoising, if it is used.
    weights : FittedWeights, optional
        Under `Weighted` mixing.
    kept : RunningAverage or BestRemix
        Answer so far.
    feature_maps : Tensor of shape (K, C_f, H, W), optional
        Second-to-last feature maps of the last upright step.
    channels : list
        Feature channels that this step compares; empty for all. See `draw_channels`.
    """

    first: Tensor
    kept: RunningAverage | BestRemix
    started: Started | None = None
    admm: RedAdmm | None = None
    weights: FittedWeights | None = None
    feature_maps: Tensor | None = None
    channels: list[list[Tensor]] = field(default_factory=list)


class UntrainedMethod(FittedMethod[UntrainedState]):
    """Fit one generator for each source; a method adds its presets, its loss terms and its updates after a
    step."""

    updates_hints = True
    config: UntrainedConfig

    def prepare(
        self,
        problem: Problem,
        previous: UntrainedState | None,
        rng: torch.Generator,
        *,
        device: str,
        seed: int,
    ) -> Stages[UntrainedState]:
        """See `FittedMethod.prepare`: a generator sees the guide of its source, or noise."""
        from napari_bitsnet.methods.dip.averaging import BestRemix, RunningAverage

        config, name = self.config, choose_start(self.config.start, problem.traits)
        before = None if previous is None or previous.started is None else previous.started.state
        started = None
        if name != "none":
            started = yield from running_start(name, problem, device=device, seed=seed, previous=before)
        answer = {} if started is None else started.answer
        weights = first_weights(problem, answer, rng)
        unknowns = [] if weights is None or weights.change is None else [weights.change]
        first = answer["sources"].to(device) if answer else _even_split(problem)
        corrects = bool(config.correction)
        generators = Generators(problem, config, rng, corrects=corrects, silent=corrects and bool(answer))
        for guide in problem.guides or (None,) * problem.n_sources:
            generators.add(guide, channels=config.channels, skip_channels=config.skip_channels)
        earlier = None if previous is None else previous.fit
        fit, share = generators.fit(unknowns, earlier, seed=seed, anew=bool(answer))
        admm = self.split_variables(first)
        goes_on = share < 1 and not answer
        if goes_on and previous is not None and admm is not None and previous.admm is not None:
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

    def update_hints(self, state: UntrainedState, hints: Tensor | None) -> None:
        """See `Method.update_hints`: the loss of hints changes, the networks stay, and the average of answers
        restarts."""
        from napari_bitsnet.methods.dip.averaging import RunningAverage

        state.problem = replace(state.problem, hints=hints)
        if isinstance(state.kept, RunningAverage):
            state.kept.count = min(state.kept.count, 1)
        if state.calls is not None:  # what was recorded reads the hints from before
            state.calls = _recorder(str(state.problem.observations.device))

    def solution(self, state: UntrainedState) -> Answer:
        """See `Method.solution`: the start before the first step, then the answer that `keep` names."""
        sources = state.first if state.kept.value is None else state.kept.value
        answer = {**(state.started.answer if state.started else {}), "sources": sources}
        if state.weights is not None:
            answer["weights"] = state.weights.current.detach()
        if self.config.features and state.feature_maps is not None:
            answer["features"] = state.feature_maps
        return answer

    def doubtful_below(self, state: UntrainedState) -> float:
        """See `Method.doubtful_below`: a confidence is that of the start."""
        return 0.0 if state.started is None else state.started.doubtful_below

    def split_variables(self, first: Tensor) -> RedAdmm | None:
        """Return the ADMM variables for a run from the sources `first`, if the method has a denoiser."""
        return None

    def own_terms(
        self, state: UntrainedState, sources: Tensor, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """Return the weighted loss terms that the method adds."""
        return {}

    def explain(self, state: UntrainedState, images: Tensor) -> Drawn:
        """See `FittedMethod.explain`: the mixing of the problem, or the fitted weights."""
        sources = self._sources(state, images)
        mix = state.problem.mixing if state.weights is None else state.weights.mix
        return Drawn(sources, mix(sources))

    def terms(
        self, state: UntrainedState, drawn: Drawn, features: list[list[Tensor]], orientation: int
    ) -> dict[str, Tensor]:
        """See `FittedMethod.terms`: the remix, exclusion of edges, hints, nearness to the start, and
        `own_terms`."""
        from napari_bitsnet.core.losses.exclusion import pairwise_exclusion
        from napari_bitsnet.core.losses.hint import hint_loss
        from napari_bitsnet.core.losses.reconstruction import l1_loss, l2_loss

        config, problem, sources = self.config, state.problem, drawn.sources
        terms = {"reconstruction": l1_loss(drawn.remix, problem.observations, problem.valid)}
        if config.alpha_exclusion:
            terms["exclusion"] = config.alpha_exclusion * pairwise_exclusion(
                sources, balanced=config.balanced_exclusion, valid=problem.valid
            )
        if config.alpha_hint and problem.hints is not None:
            terms["hints"] = config.alpha_hint * hint_loss(sources, problem.hints)
        if anchor := self._anchor(state):
            terms["anchor"] = anchor * l2_loss(sources, state.first, problem.valid)
        return terms | self.own_terms(state, sources, features, orientation)

    def orientation(self, state: UntrainedState) -> int:
        """See `FittedMethod.orientation`: the schedule of the released code, if it is enabled."""
        from napari_bitsnet.methods.dip.schedules import orientation_at

        last = state.step == self.iterations - 1
        return orientation_at(state.step, last=last) if self.config.orientations else 0

    def after_step(self, state: UntrainedState, seen: Descent, orientation: int) -> None:
        """See `FittedMethod.after_step`: upright answers are kept."""
        import torch

        from napari_bitsnet.methods.dip.averaging import BestRemix

        if orientation:
            return
        sources, problem = seen.drawn.sources, state.problem
        if isinstance(state.kept, BestRemix):
            state.kept.update(sources, seen.drawn.remix, problem.observations, problem.valid)
        else:
            state.kept.update(sources)
        if self.config.features:
            state.feature_maps = torch.cat(seen.features)

    def _anchor(self, state: UntrainedState) -> float:
        """Return the weight of nearness to the start: larger if the start knew more than the mixture."""
        config, traits = self.config, state.problem.traits
        if state.has_start and (traits.n_guides or traits.n_observations > 1):
            return config.anchor_informed
        return config.anchor if config.correction or state.has_start else 0.0

    def _sources(self, state: UntrainedState, images: Tensor) -> Tensor:
        """Return the sources from the generated images or corrections; shares are projected if `exact`."""
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
    """Return equal sources: a K-th of the observation, or the mean of the observations as a whole image."""
    image = problem.observations.mean(dim=0, keepdim=True)
    share = image / problem.n_sources if problem.mixing.name == "linear" else image
    return share.repeat(problem.n_sources, 1, 1, 1)


def _recorder(device: str) -> CapturedCalls[Descent] | None:
    """Return the recorder of steps on CUDA, else None."""
    import torch

    from napari_bitsnet.methods.dip.capture import CapturedCalls

    return CapturedCalls(torch.device(device)) if device.startswith("cuda") else None


def _decay(config: UntrainedConfig) -> float:
    return config.decay if config.keep == "average" else 0.0
