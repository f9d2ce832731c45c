"""Settings of the trainer `ytmt`."""

from __future__ import annotations

from typing import Literal

from napari_bitsnet.core.config import setting
from napari_bitsnet.training.records import TrainingConfig


class YTMTTraining(TrainingConfig):
    """How the method `ytmt` is trained; without `source` for reflections, else for the kinds that the sources
    hold."""

    batch: int = setting(4, "Mixtures in a step.", ge=1, le=1024, step=1)
    rate: float = setting(1e-3, "Largest learning rate.", ge=1e-6, le=0.1, step=1e-4)
    averaging: float = setting(0.995, "How slowly the averaged weights follow.", ge=0, le=0.99999, step=1e-3)
    half: bool = setting(False, "Compute in bfloat16 where the processor can.")
    names: str = setting("", "Names of the kinds, separated by commas; none: those of folders and files.")
    mixing: Literal["linear", "attenuation"] = setting(
        "linear", "Own kinds: how they superimpose: they add, or each weakens the beam (attenuation)."
    )
    amounts: tuple[float, ...] = setting(
        (0.3, 0.7), "Own kinds: smallest and largest part of a kind in a mixture; equal ones fix it."
    )
    noise: float = setting(
        0.01,
        "Own kinds: largest standard deviation of noise, over the mixture's range.",
        ge=0,
        le=0.5,
        step=0.01,
    )
    blur: float = setting(
        0.0, "Own kinds: largest standard deviation of a blur.", ge=0, le=20, step=0.5, unit="px"
    )
    zoom: float = setting(
        1.3, "Own kinds: images are enlarged and reduced by up to this factor.", ge=1, le=4, step=0.1
    )
    aligned: float = setting(
        0.5,
        "Own kinds: part of the mixtures cut at the same place of all kinds, where image sizes agree.",
        ge=0,
        le=1,
        step=0.1,
    )
    colour: bool = setting(False, "Own kinds: keep the colours; otherwise channels are averaged.")
    published: float = setting(
        0.7,
        "Reflections: part of the mixtures made as CEILNet's; the others add light or screen.",
        ge=0,
        le=1,
        step=0.1,
    )
    size: int | None = setting(
        None, "Side of the mixtures; none: 192 for reflections, else 128.", ge=32, le=1024, step=32, unit="px"
    )
    variant: Literal["UCS", "UAS", "UCT", "UAT"] = setting(
        "UCS", "Exchange by concatenation (C) or sum (A), in one stage (S) or two (T)."
    )
    passed: Literal["negative", "positive", "nothing"] = setting(
        "negative", "What a stream hands over: what its ReLU throws away, what it keeps, or nothing."
    )
    width: int = setting(32, "Channels of a stream at the finest level.", ge=8, le=256, step=8)
    levels: int = setting(4, "Levels of the network, each half as fine as the last.", ge=2, le=6, step=1)
    stem: Literal["auto", "1", "2", "4"] = setting(
        "auto", "How much coarser than the mixture the finest level is; auto: 4 for reflections, else 2."
    )
    hypercolumn: Literal["auto", "yes", "no"] = setting(
        "auto", "Show the network the features of the package's blind one; auto: for reflections only."
    )
    errors: Literal["auto", "relative", "squared"] = setting(
        "auto",
        "Errors are squared, as in the paper, or relative to those of equal shares, so that faint mixtures "
        "count as much as bright ones; auto: squared for reflections only.",
    )
    image_weights: tuple[float, ...] = setting(
        (1.0, 1.0), "Weight of each image's error; the last one holds for all further images."
    )
    gradient: float | None = setting(
        None,
        "Weight of the gradients' error; none: 0.3 with relative errors, else 0.1.",
        ge=0,
        le=100,
        step=0.1,
    )
    total: float = setting(0.0, "Weight of the error of the images' sum.", ge=0, le=100, step=0.1)
    perceptual: float = setting(
        0.0, "Weight of the differences of the blind network's features.", ge=0, le=100, step=0.1
    )
    exclusion: float = setting(0.0, "Weight of edges that images share.", ge=0, le=100, step=0.1)
    adversarial: float = setting(
        0.0,
        "Weight of a critic that learns to tell estimates of the first image from real ones.",
        ge=0,
        le=100,
        step=0.01,
    )
    validation_pairs: int = setting(48, "Held-out mixtures.", ge=1, le=10**4, step=8)
