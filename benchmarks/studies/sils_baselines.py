"""Does `sils` separate its toy better than networks like CycleGAN and UNIT, and do its two terms help?

Data: squares and circles that the trainer draws, mixtures and images of each kind, of which none belongs to
another; 32 held-out mixtures.
Command: ``python -m benchmarks.studies.sils_baselines rows.jsonl --steps 1000``. It resumes; ``--only
cyclegan,unit`` chooses runs.

All runs have the blocks, critics, optimiser, rate, batch and images of `sils`; the image of a kind is found
by one encoder and one decoder of its size. In the CycleGAN-like runs the way back from layers to mixtures is
no network but the sum, which is known. The cycle mixture -> layers -> sum is in both of these runs; the cycle
layers -> sum -> layers starts from real images of no mixture, and is what `sils` calls *sums*. The
UNIT-like run has, for each kind, a translator between mixtures and images of this kind: an encoder, a decoder
and a critic for both, whose coarsest levels are the same. Its latent space, with noise, is all levels of the
encoder, because the coarsest one cannot place a shape; the link of full resolution is left out.

Answer: see "Unpaired folders" in ``docs/benchmarks/known_kinds.md``.
"""

from __future__ import annotations

import tempfile
import time
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn

from benchmarks.quality.measure import Row, load_rows
from benchmarks.studies import append_rows, arguments_of
from napari_bitsnet.methods.sils.network import Decoder, Encoder
from napari_bitsnet.training.loop import generator
from napari_bitsnet.training.sils.critic import Critic, adversarial_losses, gradient_penalty
from napari_bitsnet.training.sils.folders import Shapes
from napari_bitsnet.training.sils.losses import error_on_sums
from napari_bitsnet.training.sils.sils import PENALTY_EVERY, VALIDATION, SILSTrainer, SILSTraining

if TYPE_CHECKING:
    from napari_bitsnet.training.records import Look

CODE_WEIGHT = 0.01
"""Weight of the codes' divergence from the noise, where critics weigh 1 and cycles 10; it was not tuned."""
Judged = tuple[nn.Module, Tensor, Tensor]
"""A critic, what it should take for real, and what is real."""


class Adversarial(SILSTrainer):
    """Trains generators and critics on the images of `SILSTrainer`, with its weights and its penalty."""

    @abstractmethod
    def generate(
        self, network: Any, mixture: Tensor, layers: list[Tensor], draw: Generator
    ) -> tuple[Tensor, list[Judged]]:
        """Return the generators' loss but for the critics, shape (), and what critics judge; all images are
        (N, C, H, W)."""

    def loss(self, look: Look, step: int) -> Tensor:
        """See `BaseTrainer.loss`."""
        assert self._loop is not None
        config = self.config
        mixture, layers = self.images.draw(step, config.batch)
        with self._loop.precision:
            draw = generator(config.seed + 2, step)
            loss, judged = self.generate(self._loop.network, mixture, layers, draw)
            for critic, made, real in judged:
                of_network, of_critic = adversarial_losses(critic, made, real)
                loss = loss + config.gan * of_network + of_critic
        if step % PENALTY_EVERY == 0:
            for critic, _, real in judged:
                loss = loss + PENALTY_EVERY * config.penalty * gradient_penalty(critic, real)
        return loss


class CycleGANLike(Adversarial):
    """The network of `sils` as a generator mixture -> layers, whose way back is the sum; *sums* is the weight
    of the cycle layers -> sum -> layers."""

    def generate(
        self, network: Any, mixture: Tensor, layers: list[Tensor], draw: Generator
    ) -> tuple[Tensor, list[Judged]]:
        """See `Adversarial.generate`."""
        images = network(mixture).float()
        loss = self.config.cc * (images.sum(dim=1) - mixture).abs().mean()
        if self.config.sums:
            loss = loss + self.config.sums * error_on_sums(network, layers)
        return loss, list(zip(network.critics, images.unbind(dim=1), layers, strict=True))


class Translator(nn.Module):
    """Encoders, decoders and critics of two domains (0: mixtures, 1: a kind) with one latent space."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        encoders = [Encoder(channels, widths) for _ in range(2)]
        decoders = [Decoder(channels, widths) for _ in range(2)]
        encoders[1].levels[-1] = encoders[0].levels[-1]
        decoders[1].levels[0] = decoders[0].levels[0]
        self.channels = channels
        self.encoders, self.decoders = nn.ModuleList(encoders), nn.ModuleList(decoders)
        self.critics = nn.ModuleList(Critic(channels, 1) for _ in range(2))

    def encode(self, domain: int, image: Tensor, draw: Generator) -> tuple[list[Tensor], Tensor]:
        """Return features with noise of variance 1, and their divergence from it, but for a factor."""
        found = self.encoders[domain](image)
        divergence = torch.stack([each.float().square().mean() for each in found]).mean()
        return [each + torch.randn(each.shape, generator=draw) for each in found], divergence

    def decode(self, domain: int, features: Sequence[Tensor]) -> Tensor:
        """Return the image (N, C, H, W) of features."""
        n, _, height, width = features[0].shape
        unseen = features[0].new_zeros((n, self.channels, 2 * height, 2 * width))
        image: Tensor = self.decoders[domain](features, unseen).float()
        return image


class Translators(nn.Module):
    """A `Translator` a kind."""

    def __init__(self, kinds: int, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.each: Any = nn.ModuleList(Translator(channels, widths) for _ in range(kinds))

    def forward(self, mixture: Tensor) -> Tensor:
        """Return the images (N, K, C, H, W) of mixtures (N, C, H, W), without noise."""
        return torch.stack([each.decode(1, each.encoders[0](mixture)) for each in self.each], dim=1)


class UNITLike(Adversarial):
    """Translators with a shared latent space (Liu, Breuel & Kautz, NeurIPS 2017)."""

    def network(self) -> nn.Module:
        """See `BaseTrainer.network`."""
        sils: Any = super().network()
        return Translators(**sils.sizes)

    def generate(
        self, network: Any, mixture: Tensor, layers: list[Tensor], draw: Generator
    ) -> tuple[Tensor, list[Judged]]:
        """See `Adversarial.generate`."""
        loss, judged = mixture.new_zeros(()), []
        for translator, layer in zip(network.each, layers, strict=True):
            seen = (mixture, layer)
            for here, there in ((0, 1), (1, 0)):
                code, divergence = translator.encode(here, seen[here], draw)
                made = translator.decode(there, code)
                code_again, divergence_again = translator.encode(there, made, draw)
                found = translator.decode(here, [torch.cat(c) for c in zip(code, code_again, strict=True)])
                error = (found - seen[here].repeat(2, 1, 1, 1)).abs().mean()  # of itself and of the cycle
                loss = loss + 2 * self.config.cc * error + CODE_WEIGHT * (divergence + divergence_again)
                judged.append((translator.critics[there], made, seen[there]))
        return loss, judged


RUNS: dict[str, tuple[str, type[SILSTrainer], dict[str, float]]] = {
    "cyclegan": ("CycleGAN-like, mixture -> layers -> sum", CycleGANLike, {"sums": 0}),
    "unit": ("UNIT-like", UNITLike, {}),
    "sils": ("`sils`, default settings", SILSTrainer, {}),
    "sils_without_ss": ("`sils` without shared information (`--ss 0`)", SILSTrainer, {"ss": 0}),
    "sils_without_cc": ("`sils` without cycles (`--cc 0`)", SILSTrainer, {"cc": 0}),
    "cyclegan_both": ("CycleGAN-like, and layers -> sum -> layers", CycleGANLike, {}),
    "sils_paper": ("`sils`, terms of the paper alone (`--sums 0`)", SILSTrainer, {"sums": 0}),
}
"""Title, trainer and settings."""


def nulls(size: int) -> dict[str, list[float]]:
    """Return MSE x 100 of each kind on the held-out mixtures for answers that nothing was learnt for."""
    truth = Shapes(2, size=size, seed=0).truth(VALIDATION, SILSTraining().validation_mixtures)
    mixture = truth.sum(dim=1, keepdim=True)
    answers = {"equal shares": mixture / 2, "zero": 0 * mixture, "the mixture for each": mixture}
    return {
        name: (100 * (answer - truth).square().mean(dim=(0, 2, 3, 4))).tolist()
        for name, answer in answers.items()
    }


def measure(name: str, *, steps: int, size: int, batch: int, seed: int = 0) -> Row:
    """Train a run of `RUNS`; return MSE x 100 of each kind, processor seconds, and the error over that of
    equal shares at the end and every tenth of the steps."""
    _, trainer, settings = RUNS[name]
    config = SILSTraining(
        demo="shapes",
        half=True,
        steps=steps,
        size=size,
        batch=batch,
        seed=seed,
        validate_every=max(1, steps // 10),
        **settings,
    )
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        training = trainer(config, {}, folder=Path(folder), device="cpu")
        curve = [(found.step, found.scores) for found in training.steps() if found.scores]
    errors = [(step, scores["error over that of equal shares"]) for step, scores in curve]
    return {
        "error": errors[-1][1],
        "mse": [value for key, value in curve[-1][1].items() if key.endswith("(mse x 100)")],
        "seconds": time.process_time() - started,
        "curve": errors,
    }


def table(rows: Sequence[Row], size: int) -> str:
    """Return the runs and the nulls in Markdown."""
    answers = nulls(size)
    null = sum(answers["equal shares"])
    found = [(f"null: {name}", "", "", errors) for name, errors in answers.items()]
    found += [(RUNS[r["run"]][0], str(r["steps"]), f"{r['seconds']:.0f}", r["mse"]) for r in rows]
    lines = [
        "| what learns | steps | processor, s | error over that of equal shares | MSE x 100 of both |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {title} | {steps} | {seconds} | {sum(errors) / null:.3g} | {errors[0]:.3f}, {errors[1]:.3f} |"
        for title, steps, seconds, errors in found
    ]
    return "\n".join(lines)


def main() -> None:
    """Train what is not in the file yet, print the table."""
    parser = arguments_of(__doc__)
    parser.add_argument("rows", type=Path, help="File that keeps what was measured, one JSON record a line.")
    parser.add_argument("--steps", default=1000, type=int, help="Steps of each training.")
    parser.add_argument("--size", default=128, type=int, help="Side in pixels.")
    parser.add_argument("--batch", default=4, type=int, help="Images of each domain in a step.")
    parser.add_argument("--only", default=",".join(RUNS), help="Runs, separated by commas.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    options = {"steps": arguments.steps, "size": arguments.size, "batch": arguments.batch}
    rows = load_rows(arguments.rows)
    for name in arguments.only.split(","):
        if any(({"run": name} | options).items() <= row.items() for row in rows):
            continue
        rows.append({"run": name, **options, **measure(name, **options)})
        append_rows(arguments.rows, rows[-1:])
    print(table([row for row in rows if options.items() <= row.items()], arguments.size))


if __name__ == "__main__":
    main()
