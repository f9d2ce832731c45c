"""What training is: the `Trainer` contract, its usual base class and its registry; loads no torch.

A new trainer is one file. The command ``napari-bitsnet train NAME DATA… -o FILE`` and the dock "Train networks…" are generated
from its `inputs` and its `Config`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_bitsnet.training.loop import Loop

    Look = Callable[..., Tensor]


@dataclass(frozen=True)
class Input:
    """A kind of data that a trainer reads: one or several folders or zips of images.

    Parameters
    ----------
    name : str
        ``"images"``, ``"mixtures"``, ``"layer"``: the key in the data. On the command line, the first input of a trainer
        stands without a flag, and each other one behind its flag (``--layer``), which is repeated for several.
    title, description : str
        As shown to people.
    least, most : int
        Number of folders or zips; `most` None stands for any number.
    """

    name: str
    title: str
    description: str
    least: int = 1
    most: int | None = None


@dataclass(frozen=True)
class Progress:
    """One step of a training, or of its preparation.

    Parameters
    ----------
    step : int
        Steps done; 0 while the training is prepared.
    seconds, seconds_left : float
        Training time so far and what is left of it, without preparation and validation.
    loss : float
        Mean over the steps since the last validation.
    scores : dict of str to float
        Scores on held-out data where they were measured at this step, else empty. The most telling one comes first; a name
        ends with its unit: ``"gain (dB)"``.
    picture : ndarray of shape (Y, X, 3), optional
        uint8: held-out examples, where there is a validation.
    note : str
        What is prepared, for people; empty during the training.
    saved : bool
        Whether a checkpoint was written at this step, so that it is time to export the weights, too.
    """

    step: int = 0
    seconds: float = 0.0
    seconds_left: float = 0.0
    loss: float = float("nan")
    scores: dict[str, float] = field(default_factory=dict)
    picture: NDArray[np.uint8] | None = None
    note: str = ""
    saved: bool = False


class TrainingConfig(Config):
    """Settings that all trainers share."""

    hours: float = setting(
        1.0, "Time to train, unless steps are given.", ge=0.001, le=1000, step=0.5, unit="h"
    )
    steps: int | None = setting(
        None, "Steps to train; none: until the time is up.", ge=1, le=10**8, step=1000
    )
    validate_every: int = setting(500, "Steps between validations.", ge=1, le=10**6, step=100)
    checkpoint_every: float = setting(180.0, "Time between checkpoints.", ge=1, le=86400, step=60, unit="s")
    batch: int = setting(8, "Examples in a step.", ge=1, le=8192, step=8)
    rate: float = setting(2e-3, "Largest learning rate.", ge=1e-6, le=0.1, step=1e-4)
    decay: float = setting(0.01, "Weight decay.", ge=0, le=1, step=0.01)
    averaging: float = setting(0.998, "How slowly the averaged weights follow.", ge=0, le=0.99999, step=1e-3)
    half: bool = setting(True, "Compute in bfloat16 where the processor can.")
    compiled: bool = setting(False, "Compile the network, which pays on a GPU after a minute.")
    weights: Path | None = setting(None, "Weights of an earlier training to begin with.")
    seed: int = setting(0, "Seed of weights, examples and validation.", ge=0, le=2**31 - 1, step=1)


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
