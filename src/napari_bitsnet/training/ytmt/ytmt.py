"""Trains networks of two or three interacting streams: for reflections, or for a laboratory's own kinds of
images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from napari_bitsnet.methods.ytmt.weights_file import shipped_weights
from napari_bitsnet.training.kind_names import kind_names
from napari_bitsnet.training.protocol import TRAINERS, BaseTrainer, Input, Progress, TrainingConfig
from napari_bitsnet.training.sheet import sheet_of
from napari_bitsnet.training.ytmt.settings import YTMTTraining

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_bitsnet.methods.ytmt.hypercolumn import Hypercolumn
    from napari_bitsnet.methods.ytmt.network import YTMTNetwork
    from napari_bitsnet.training.protocol import Look
    from napari_bitsnet.training.ytmt.mixtures import Diet, Mixtures

VALIDATION = 2**31
"""Number of the held-out mixtures among the random draws: no training has so many steps."""
SHOWN = 6
"""Held-out mixtures in the picture."""
EIGHT_BITS_FROM = 4096
"""Numbers of a convolution from which it is exported in 8 bits."""
GROWTH = (1, 1.5, 2, 3, 4, 4)
"""Channels of each level, over those of the finest one."""


@TRAINERS.register("ytmt")
class YTMT(BaseTrainer):
    """See `Trainer`; `diet` says what the mixtures are made of."""

    name: ClassVar[str] = "ytmt"
    title: ClassVar[str] = "Known kinds of images"
    summary: ClassVar[str] = (
        "Learns to separate kinds of images, from a folder of each; or, from photographs alone, to separate "
        "reflections."
    )
    Config: ClassVar[type[TrainingConfig]] = YTMTTraining
    inputs: ClassVar[tuple[Input, ...]] = (
        Input(
            "photographs",
            "Photographs, for reflections",
            "Folders or zips of photographs, pairs of which are superimposed as a view through glass and its "
            "reflection.",
            least=0,
        ),
        Input(
            "source",
            "Own kinds of images",
            "A folder, a zip or a stack of each kind of image; nothing belongs together. The network "
            "separates their mixtures.",
            least=0,
            most=3,
        ),
    )
    config: YTMTTraining

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._diet: Diet | None = None
        self._features: Hypercolumn | None = None

    @classmethod
    def shipped(cls) -> Path | None:
        """See `Trainer.shipped`: the weights for reflections."""
        return shipped_weights() if shipped_weights().is_file() else None

    def check(self) -> None:
        """See `Trainer.check`: photographs or two to three kinds, and settings that go together."""
        from napari_bitsnet.training.images import image_names
        from napari_bitsnet.training.planes import is_stack

        sources, photographs = self.data["source"], self.data["photographs"]
        for path in photographs:
            image_names(path)
        for path in sources:
            if not is_stack(path):
                image_names(path)
        if bool(sources) == bool(photographs):
            raise ValueError(
                "Expected photographs (to separate reflections) or two to three sources (own kinds of "
                f"images), got {'both' if sources else 'neither'}: give one of them."
            )
        if sources and not 2 <= len(sources) <= 3:
            raise ValueError(
                f"Expected two or three sources, one for each kind of image, got {len(sources)}."
            )
        if len({path.resolve() for path in sources}) < len(sources):
            raise ValueError("Expected a different source for each kind of image, got the same one twice.")
        kind_names(self.config.names, sources)
        amounts = self.config.amounts
        if len(amounts) != 2 or not 0 < amounts[0] <= amounts[1]:
            raise ValueError(f"Expected two amounts above zero in rising order, got {amounts}.")
        if self.config.variant.endswith("T") and self.config.weights is None:
            raise ValueError(
                "Expected the weights of a first stage to begin with, got none: train a variant with S "
                "first, and give its file as weights."
            )
        multiple = self._stem * 2 ** (self.config.levels - 1)
        multiple = max(multiple, 64) if self._uses_features else multiple
        if self._size % multiple:
            raise ValueError(
                f"Expected mixtures whose side is a multiple of {multiple} pixels, got {self._size}: set "
                "another size."
            )

    @property
    def diet(self) -> Diet:
        """What the mixtures are made of."""
        if self._diet is None:
            self._diet = self._make_diet()
        return self._diet

    def _make_diet(self) -> Diet:
        config, sources = self.config, self.data["source"]
        if not sources:
            from napari_bitsnet.training.ytmt.reflections import Reflections

            return Reflections(
                self.data["photographs"], size=self._size, published=config.published, seed=config.seed
            )
        from napari_bitsnet.training.ytmt.kinds import Kinds

        return Kinds(
            sources,
            kind_names(config.names, sources),
            mixing=config.mixing,
            amounts=config.amounts,
            noise=config.noise,
            blur=config.blur,
            zoom=config.zoom,
            aligned=config.aligned,
            colour=config.colour,
            size=self._size,
            seed=config.seed,
        )

    def prepare(self) -> Iterator[Progress]:
        """Read the images, and draw the held-out mixtures."""
        yield from self.diet.prepare(self.folder)
        if self._uses_features:
            self._features = self._hypercolumn().to(self.device)
        self._held_out = self._draw(VALIDATION, self.config.validation_pairs, held_out=True)

    def meaning(self) -> dict[str, Any]:
        """See `BaseTrainer.meaning`; what follows from other settings counts as if it had been given."""
        follows = {"size": self._size, "stem": str(self._stem)}
        follows["hypercolumn"] = "yes" if self._uses_features else "no"
        follows |= {"errors": "relative" if self._relative else "squared", "gradient": self._gradient}
        return {**super().meaning(), "names": list(self.diet.kinds), **follows}

    @property
    def _uses_features(self) -> bool:
        wanted = self.config.hypercolumn
        return wanted == "yes" or (wanted == "auto" and not self.data["source"])

    @property
    def _relative(self) -> bool:
        wanted = self.config.errors
        return wanted == "relative" or (wanted == "auto" and bool(self.data["source"]))

    @property
    def _gradient(self) -> float:
        given = self.config.gradient
        return given if given is not None else 0.3 if self._relative else 0.1

    @property
    def _size(self) -> int:
        return self.config.size or (128 if self.data["source"] else 192)

    @property
    def _stem(self) -> int:
        return {"auto": 2 if self.data["source"] else 4}.get(self.config.stem) or int(self.config.stem)

    def _hypercolumn(self) -> Hypercolumn:
        from napari_bitsnet.methods.ytmt.hypercolumn import shipped_hypercolumn

        return self._features or shipped_hypercolumn()

    def network(self) -> nn.Module:
        """See `BaseTrainer.network`."""
        from napari_bitsnet.methods.ytmt.network import YTMTNetwork

        return self._with_critic(YTMTNetwork(**self._sizes()))

    def _with_critic(self, network: YTMTNetwork) -> YTMTNetwork:
        """Add the critic of the adversarial loss, which is trained, kept and averaged with the network but
        not exported."""
        if self.config.adversarial:
            from napari_bitsnet.training.ytmt.critic import Critic

            network.critic = Critic()
        return network

    def small(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return half precision, and 8 bits for larger convolutions; without the critic. See `compress`."""
        from napari_bitsnet.core.networks.weights import compress

        own = {name: tensor for name, tensor in tensors.items() if not name.startswith("critic.")}
        return compress(own, from_size=EIGHT_BITS_FROM)

    def _sizes(self) -> dict[str, Any]:
        config, diet = self.config, self.diet
        return {
            "streams": len(diet.kinds),
            "channels": diet.channels,
            "widths": [8 * round(config.width * growth / 8) for growth in GROWTH[: config.levels]],
            "stem": self._stem,
            "stages": 2 if config.variant.endswith("T") else 1,
            "joining": "concatenation" if "C" in config.variant else "sum",
            "passed": config.passed,
            "sides": self._hypercolumn().sides if self._uses_features else [],
            "whole": diet.whole,
        }

    def load(self, path: Path) -> nn.Module:
        """See `BaseTrainer.load`; a second stage begins as the first one of the file.

        Raises
        ------
        ValueError
            If the file is for other kinds of images.
        """
        from napari_bitsnet.methods.ytmt.network import YTMTNetwork
        from napari_bitsnet.methods.ytmt.weights_file import load_weights

        network, facts = load_weights(path)
        if not isinstance(network, YTMTNetwork):
            raise ValueError(
                f"Expected weights that the trainer ytmt wrote, got {path}, which was converted: train "
                "without."
            )
        kinds, diet = facts["kinds"], self.diet
        if len(kinds) != len(diet.kinds) or network.sizes["whole"] != diet.whole:
            raise ValueError(
                f"Expected weights for {', '.join(diet.kinds)}, got {path} for {', '.join(kinds)}: begin "
                "without weights (in the dock: without the package's network)."
            )
        if network.sizes["channels"] != diet.channels or bool(network.sizes["sides"]) != self._uses_features:
            raise ValueError(
                f"Expected weights for {diet.channels} channels "
                f"{'with' if self._uses_features else 'without'} the features of the blind network, got "
                f"other ones in {path}: set colour and hypercolumn as they were."
            )
        if self.config.variant.endswith("T") and network.sizes["stages"] == 1:
            network = network.with_second_stage()
        return self._with_critic(network)

    def paces(self, network: Any) -> list[tuple[list[nn.Parameter], float]]:
        """Return all parameters; of two stages the first one is frozen."""
        *frozen, last = [list(stage.parameters()) for stage in network.stages]
        critic = list(network.critic.parameters()) if self.config.adversarial else []
        return [(last + critic, 1.0), *[(stage, 0.0) for stage in frozen]]

    def loss(self, look: Look, step: int) -> Tensor:
        """See `BaseTrainer.loss`, `separation_loss` and `adversarial_loss`."""
        from napari_bitsnet.training.ytmt import losses

        config, drawn = self.config, self._draw(step, self.config.batch)
        given = list(config.image_weights)
        each = [given[min(k, len(given) - 1)] for k in range(drawn.images.shape[1])]
        terms = {name: getattr(config, name) for name in ("total", "perceptual", "exclusion")}
        errors = losses.relative_error if self._relative else losses.squared_error
        estimates = self._estimate(look, drawn.mixture)
        trunk = self._hypercolumn().to(self.device).trunk if config.perceptual else None
        weights = losses.LossWeights(each, gradient=self._gradient, **terms)
        loss = losses.separation_loss(estimates, drawn.images, weights, errors=errors, features=trunk)
        if config.adversarial and self._loop is not None:
            from napari_bitsnet.training.ytmt.critic import adversarial_loss

            critic: Any = self._loop.network.critic
            first, truth = (x[:, 0].expand(-1, 3, -1, -1) for x in (estimates, drawn.images))
            loss = loss + config.adversarial * adversarial_loss(critic, first, truth)
        return loss

    def _estimate(self, look: Look, mixture: Tensor) -> Tensor:
        if self._features is None:
            return look(mixture)
        return look(mixture, *self._features(mixture.expand(-1, 3, -1, -1)))

    def validate(self, look: Look) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """Return how well each kind is found, and a row a mixture: mixture, then estimate and truth of each
        kind."""
        import torch

        from napari_bitsnet.training.ytmt.scores import held_out_scores

        seen, kinds = self._held_out, self.diet.kinds
        answer = torch.cat([self._estimate(look, part) for part in seen.mixture.split(self.config.batch)])
        scores = held_out_scores(answer, seen.mixture, seen.images, kinds, whole=self.diet.whole)
        scale = 1.0 if self.diet.whole else float(len(kinds))
        columns = [seen.mixture]
        for k in range(len(kinds)):
            columns += [scale * answer[:, k], scale * seen.images[:, k]]
        return scores, sheet_of(columns, SHOWN)

    def _draw(self, number: int, count: int, *, held_out: bool = False) -> Mixtures:
        import torch

        from napari_bitsnet.training.ytmt.mixtures import Mixtures

        with torch.no_grad():
            drawn = self.diet.draw(number, count, held_out=held_out)
        return Mixtures(drawn.mixture.to(self.device), drawn.images.to(self.device))

    def held_out(self) -> dict[str, int]:
        """See `BaseTrainer.held_out`."""
        return self.diet.held_out()

    def facts(self) -> dict[str, Any]:
        """See `BaseTrainer.facts`."""
        network: YTMTNetwork | Any = self._loop.average if self._loop is not None else self.network()
        features = self._hypercolumn().checksum if self._uses_features else None
        return {
            "network": network.sizes,
            "kinds": list(self.diet.kinds),
            "hypercolumn": features,
            **self.diet.facts(),
        }
