"""Guided separation refined by small networks that are trained on the image itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.stages import Stage, Stages, named
from napari_bitsnet.methods import METHODS, Cost
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression, GuidedRegressionState
from napari_bitsnet.methods.guided.settings import GuidedNetworkConfig

if TYPE_CHECKING:
    from napari_bitsnet.methods.guided.parts import Parts

LEAST_WEIGHT = 0.01
"""Weight below which units are not fitted and networks not trained."""


@METHODS.register("guided_network")
class GuidedNetwork(GuidedRegression):
    """Colour regression, random units of colours and surroundings, and networks that are trained on what both
    leave.

    Where every source has a guide, tanh of random sums of a pixel's colours and of their blurs, with
    densities that drift along the image, are fitted in closed form, and averaged with the regression. Each
    network then is a function of colours and blurs, too, trained so that all parts together have the
    mixture's gradients at four scales. Units and networks count as far as blurs help the regression in
    held-out blocks. With one guide, or where colours explain less, there are no units, and networks, which do
    not drift then, count as far as one that was trained on half of the image's blocks lowers the error on the
    other half.

    References
    ----------
    Sabetsarvestani et al., "Artificial intelligence for art investigation: Meeting the challenge of
    separating X-ray images of the Ghent Altarpiece", Science Advances 5(8), 2019, doi:10.1126/sciadv.aaw7416.
    Departures: networks of single pixels and blurs in place of convolutions, started from a closed form, and
    held-out blocks that say how far they count.
    """

    name = "guided_network"
    title = "Colour regression and networks"
    summary = "Photographs as guides: colour regression, refined by networks that are trained on the image."
    Config = GuidedNetworkConfig
    presets: Mapping[str, BaseConfig] = {
        name: GuidedNetworkConfig(**preset.model_dump(exclude_unset=True))
        for name, preset in GuidedRegression.presets.items()
    } | {
        "quick": GuidedNetworkConfig(
            **GuidedRegression.presets["quick"].model_dump(exclude_unset=True), network_steps=0, units=False
        )
    }
    cost = Cost(6.0, 32.0)  # networks count: 7 s at 128 × 128 pixels; they do not: 9 s at 256 × 256
    config: GuidedNetworkConfig

    def _refining(self, state: GuidedRegressionState, parts: Parts) -> Stages[None]:
        """Add context, units and the networks' change, as far as held-out blocks say that they help."""
        from napari_bitsnet.methods.guided.network import Training
        from napari_bitsnet.methods.guided.units import fitting_units

        yield from super()._refining(state, parts)
        config, problem = self.config, state.problem
        if config.units and parts.units_weight > LEAST_WEIGHT:
            fitting = fitting_units(parts.aligned(), problem.observations, problem.valid, seed=state.seed)
            parts.add_units((yield from named("units", fitting)))
            state.result = parts.answer()
        if not config.network_steps:
            return
        drifting = parts.well_explained
        if drifting and parts.drifting_network_weight < LEAST_WEIGHT:
            return
        yield Stage("networks", better=True)
        training = Training(
            parts.aligned(),
            problem.observations,
            parts.explained.sum(dim=0, keepdim=True),
            problem.valid,
            drifting=drifting,
            seed=state.seed,
        )
        if drifting:
            weight = parts.drifting_network_weight
        else:
            error = yield from named("networks, check", training.held_out_error(config.check_steps))
            weight = parts.network_weight(error)
        if weight > LEAST_WEIGHT:
            networks = yield from named("networks", training.train(config.network_steps, training.valid))
            parts.add_network(networks, weight)
            state.result = parts.answer()
