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


@METHODS.register("guided_network")
class GuidedNetwork(GuidedRegression):
    """Colour regression, then a network for each guide that is trained on what the regression leaves of the gradients.

    Each network is a function of a pixel's colours and of their blurs, trained so that the regression and all networks'
    changes together have the mixture's gradients at four scales. The change counts as far as a network that was trained on half
    of the image's blocks lowers the error on the other half.

    References
    ----------
    Sabetsarvestani et al., "Artificial intelligence for art investigation: Meeting the challenge of separating X-ray images of
    the Ghent Altarpiece", Science Advances 5(8), 2019, doi:10.1126/sciadv.aaw7416. Departures: networks of single pixels and blurs in
    place of convolutions, started from a closed form, and held-out blocks that say how far they count.
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
            **GuidedRegression.presets["quick"].model_dump(exclude_unset=True), network_steps=0
        )
    }
    cost = Cost(
        4.0, 250.0
    )  # two guides: 12 s of one core at 128 × 128 pixels; its parts take 37 s at 256 × 256
    config: GuidedNetworkConfig

    def _refining(self, state: GuidedRegressionState, parts: Parts) -> Stages[None]:
        """Add context, then the networks' change, as far as held-out blocks say that it helps."""
        from napari_bitsnet.methods.guided.network import Training

        yield from super()._refining(state, parts)
        config, problem = self.config, state.problem
        if not config.network_steps:
            return
        yield Stage("networks", better=True)
        base = parts.explained.sum(dim=0, keepdim=True)
        training = Training(parts.aligned(), problem.observations, base, problem.valid)
        error = yield from named(
            "networks, check", training.held_out_error(config.check_steps, seed=state.seed)
        )
        weight = parts.network_weight(error)
        if weight:
            networks = yield from named(
                "networks", training.train(config.network_steps, training.valid, seed=state.seed)
            )
            parts.add_network(networks, weight)
            state.result = parts.answer()
