"""What training is: the `Trainer` contract, its usual base class and its registry; loads no torch.

A new trainer is one file. The command ``napari-bitsnet train NAME DATA… -o FILE`` and the dock "Train networks…" are generated
from its `inputs` and its `Config`.
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
    """Fits the weights of one network. All of this is told without loading torch, but for `steps` and `export`."""

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
        """Return the weights of the package, to begin with; None where it carries none."""

    def check(self) -> None:
        """See that the data can be used, before any long work.

        Raises
        ------
        OSError, ValueError
            What was expected, what came, what to do.
        """

    def steps(self) -> Iterator[Progress]:
        """Prepare, and train step by step to the end; a checkpoint in the folder is gone on from.

        Closing the iterator between two steps writes a checkpoint. The next training with the same settings and data then
        reaches the same weights, bit for bit, as one that was never stopped.
        """

    def export(self, path: Path) -> None:
        """Write the averaged weights of the steps so far as a ``.safetensors`` file, with what is needed to use them."""


class BaseTrainer(ABC):
    """A `Trainer` of one network by `Loop`: a subclass says which network, which loss and which validation.

    Parameters
    ----------
    config : TrainingConfig
        Of the trainer's own class `Config`.
    data : mapping of str to sequence of Path
        Folders and zips by the name of the input.
    folder : Path
        For checkpoints, loss curve, pictures of held-out data, and whatever the preparation keeps.
    device : str
        As in `resolve_device`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    Config: ClassVar[type[TrainingConfig]] = TrainingConfig
    inputs: ClassVar[tuple[Input, ...]] = (Input("images", "Images", "Folders or zips of images."),)

    def __init__(
        self, config: Any, data: Mapping[str, Sequence[Path]], *, folder: Path, device: str = "auto"
    ) -> None:
        self.config, self.folder, self.device = config, folder, device
        self.data = {each.name: [Path(path) for path in data.get(each.name, ())] for each in self.inputs}
        self._loop: Loop | None = None

    @classmethod
    def shipped(cls) -> Path | None:
        """See `Trainer.shipped`: none."""
        return None

    def check(self) -> None:
        """See `Trainer.check`: the number of folders and zips of each input, and that each holds images."""
        from napari_bitsnet.training.images import image_names

        for each in self.inputs:
            paths = self.data[each.name]
            if len(paths) < each.least or (each.most is not None and len(paths) > each.most):
                number = f"at least {each.least}" if each.most is None else f"{each.least} to {each.most}"
                raise ValueError(
                    f"Expected {number} for {each.title}, got {len(paths) or 'none'}: give folders or zips of images."
                )
            for path in paths:
                image_names(path)

    @abstractmethod
    def prepare(self) -> Iterator[Progress]:
        """Read or simulate the data, telling by `Progress.note` how far this is."""

    @abstractmethod
    def network(self) -> nn.Module:
        """Return the network with random weights; torch's generator is seeded."""

    @abstractmethod
    def load(self, path: Path) -> nn.Module:
        """Return the network with the weights of an exported file."""

    @abstractmethod
    def loss(self, look: Look, step: int) -> Tensor:
        """Draw a batch that depends on the seed and `step` alone, and return its loss, shape ().

        Parameters
        ----------
        look : callable
            The network: tensors on the device in, a float32 tensor out.
        step : int
            Steps done.
        """

    @abstractmethod
    def validate(self, look: Look) -> tuple[dict[str, float], NDArray[np.uint8] | None]:
        """Return scores of the averaged network `look` on held-out data and a picture of some of it; see `Progress`."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what `load` needs to build the network, as JSON can hold it; written beside the weights."""

    def paces(self, network: nn.Module) -> list[tuple[list[nn.Parameter], float]]:
        """Return groups of parameters, each with its learning rate over the setting's; one group by default."""
        return [(list(network.parameters()), 1.0)]

    def small(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights as they are exported; in half precision by default."""
        return {name: tensor.half() for name, tensor in tensors.items()}

    def steps(self) -> Iterator[Progress]:
        """See `Trainer.steps`."""
        from napari_bitsnet.core.device import resolve_device
        from napari_bitsnet.training.loop import Loop, seeded

        self.device = resolve_device(self.device)
        with seeded(self.config.seed):
            network = self.network() if self.config.weights is None else self.load(self.config.weights)
        yield from self.prepare()
        loop = Loop(self.name, network, self.paces(network), self.config, self.folder, self.device)
        self._loop = loop
        yield from loop.run(self.loss, self.validate)

    def export(self, path: Path) -> None:
        """See `Trainer.export`.

        Raises
        ------
        ValueError
            If the training has not begun.
        """
        from napari_bitsnet.core.networks.weights import save_tensors

        if self._loop is None:
            raise ValueError("Expected a training that has begun, got one without a step: run `steps` first.")
        settings = self.config.model_dump(mode="json")
        facts = {"method": self.name, **self.facts(), "steps": self._loop.step, "settings": settings}
        save_tensors(path, self.small(self._loop.average.state_dict()), facts)


TRAINERS: Registry[type[Trainer]] = Registry(
    "trainer", "napari_bitsnet.training", "napari_bitsnet.trainers", families=True
)
