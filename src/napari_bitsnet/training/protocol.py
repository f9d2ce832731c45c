"""The `Trainer` contract, its base class and its registry; loads no torch.

A new trainer is one file. The command ``napari-bitsnet train NAME DATA… -o FILE`` and the dock "Train
networks…" are generated from its `inputs` and its `Config`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from napari_bitsnet.core.registry import Registry
from napari_bitsnet.training.records import Input, Progress, TrainingConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_bitsnet.training.loop import Loop
    from napari_bitsnet.training.records import Look

__all__ = ["TRAINERS", "BaseTrainer", "Input", "Progress", "Trainer", "TrainingConfig"]


class Trainer(Protocol):
    """Fits the weights of one network. Only `steps` and `export` load torch."""

    name: ClassVar[str]
    title: ClassVar[str]  # as shown in menus
    summary: ClassVar[str]  # one sentence: what is learnt from what
    Config: ClassVar[type[TrainingConfig]]
    inputs: ClassVar[tuple[Input, ...]]

    def __init__(
        self, config: Any, data: Mapping[str, Sequence[Path]], *, folder: Path, device: str = "auto"
    ) -> None: ...

    @classmethod
    def shipped(cls) -> Path | None:
        """Return the weights of the package as a start; None if the package has none."""

    def check(self) -> None:
        """Check that the data can be used, before any long work.

        Raises
        ------
        OSError, ValueError
            If the data cannot be used.
        """

    def steps(self) -> Iterator[Progress]:
        """Prepare the data and train step by step to the end, from a checkpoint in the folder if there is
        one.

        Closing the iterator between two steps writes a checkpoint. The next training with the same settings
        and data then ends with the same bits as an uninterrupted one. A training that was finished before
        yields a note with its last step.

        Raises
        ------
        ValueError
            If the checkpoint is of a training that gives its weights another meaning: other data, or
            settings that decide what is learnt; before any work.
        """

    def export(self, path: Path) -> None:
        """Write the averaged weights so far and the facts about their network to a ``.safetensors`` file."""


class BaseTrainer(ABC):
    """A `Trainer` of one network with `Loop`; a subclass defines the network, the loss and the validation.

    Parameters
    ----------
    config : TrainingConfig
        Settings, of the class `Config` of the trainer.
    data : mapping of str to sequence of Path
        Folders and zips by the name of the input.
    folder : Path
        Folder for checkpoints, the loss curve, pictures of held-out data, and prepared data.
    device : str
        As in `resolve_device`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    Config: ClassVar[type[TrainingConfig]] = TrainingConfig
    inputs: ClassVar[tuple[Input, ...]] = (Input("images", "Images", "Folders or zips of images."),)
    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)
    """How slowly AdamW's first and second moments follow."""

    def __init__(
        self, config: Any, data: Mapping[str, Sequence[Path]], *, folder: Path, device: str = "auto"
    ) -> None:
        self.config, self.folder, self.device = config, folder, device
        self.data = {each.name: [Path(path) for path in data.get(each.name, ())] for each in self.inputs}
        self._loop: Loop | None = None

    @classmethod
    def shipped(cls) -> Path | None:
        """See `Trainer.shipped`; None by default."""
        return None

    def check(self) -> None:
        """See `Trainer.check`: check the number of folders and zips of each input, and that they have
        images."""
        from napari_bitsnet.training.images import image_names

        for each in self.inputs:
            paths = self.data[each.name]
            if len(paths) < each.least or (each.most is not None and len(paths) > each.most):
                number = f"at least {each.least}" if each.most is None else f"{each.least} to {each.most}"
                raise ValueError(
                    f"Expected {number} for {each.title}, got {len(paths) or 'none'}: give folders or zips "
                    "of images."
                )
            for path in paths:
                image_names(path)

    @abstractmethod
    def prepare(self) -> Iterator[Progress]:
        """Read or simulate the data, and report the progress by `Progress.note`."""

    @abstractmethod
    def network(self) -> nn.Module:
        """Return the network with random weights; torch's generator is seeded."""

    @abstractmethod
    def load(self, path: Path) -> nn.Module:
        """Return the network with the weights of an exported file."""

    @abstractmethod
    def loss(self, look: Look, step: int) -> Tensor:
        """Draw a batch that depends only on the seed and `step`, and return its loss, shape ().

        Parameters
        ----------
        look : callable
            The network, from tensors on the device to a float32 tensor.
        step : int
            Steps done.
        """

    @abstractmethod
    def validate(self, look: Look) -> tuple[dict[str, float], NDArray[np.uint8] | None]:
        """Return scores of the averaged network `look` on held-out data and a picture of some of it; see
        `Progress`."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return the facts from which `load` builds the network, as JSON values; they are written beside the
        weights."""

    def held_out(self) -> dict[str, int]:
        """Return the number of held-out images by the name of the kind, or an empty name of a single kind;
        the data are prepared."""
        return {}

    def meaning(self) -> dict[str, Any]:
        """Return the settings that decide the meaning of the weights; a training continues only with the
        same ones.

        By default these are the trainer's own settings, the seed (which decides what is held out) and the
        weights to begin with. The length, the rates, the batch and all else that every trainer has stay
        free.
        """
        free = TrainingConfig.model_fields.keys() - {"seed", "weights"}
        return {name: value for name, value in dict(self.config).items() if name not in free}

    def paces(self, network: nn.Module) -> list[tuple[list[nn.Parameter], float]]:
        """Return groups of parameters, each with its learning rate relative to the setting; one group by
        default."""
        return [(list(network.parameters()), 1.0)]

    def small(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights for the export, in half precision by default."""
        return {name: tensor.half() for name, tensor in tensors.items()}

    def steps(self) -> Iterator[Progress]:
        """See `Trainer.steps`."""
        from napari_bitsnet.core.device import resolve_device
        from napari_bitsnet.training.continuing import check_continues, meaning_of
        from napari_bitsnet.training.loop import Loop, seeded

        meaning = meaning_of(self.data, self.meaning())
        check_continues(self.folder, self.name, meaning)
        self.device = resolve_device(self.device)
        with seeded(self.config.seed):
            network = self.network() if self.config.weights is None else self.load(self.config.weights)
        yield from self.prepare()
        paces = self.paces(network)
        loop = Loop(self.name, network, paces, self.config, self.folder, self.device, meaning, self.betas)
        self._loop = loop
        yield from loop.run(self.loss, self.validate)

    def export(self, path: Path) -> None:
        """See `Trainer.export`.

        Raises
        ------
        ValueError
            If the training has not started.
        """
        from napari_bitsnet.core.networks.weights import save_tensors

        if self._loop is None:
            raise ValueError("Expected a training that has begun, got one without a step: run `steps` first.")
        settings = self.config.model_dump(mode="json")
        measured = {"images": self.held_out(), "scores": self._loop.scores}
        facts = {"method": self.name, **self.facts(), "steps": self._loop.step, "settings": settings}
        facts |= {"held_out": measured}
        save_tensors(path, self.small(self._loop.average.state_dict()), facts)


TRAINERS: Registry[type[Trainer]] = Registry(
    "trainer", "napari_bitsnet.training", "napari_bitsnet.trainers", families=True
)
