"""Separate an image with guides: an X-radiograph of a painted panel and photographs of its sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.images import Scaling, bands, check_image, restore
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.outputs import Output, OutputSpec, Units, describe, numbered, source_names
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.tasks import TASKS, Built, Input, Inputs
from napari_bitsnet.tasks._shares import SharesConfig, build_shares_problem, shares_outputs
from napari_bitsnet.tasks._shares_task import RESIDUAL, SOURCES, SharesTask

if TYPE_CHECKING:
    from torch import Tensor

SAME_ASPECT = 0.01
"""Relative difference of aspect ratios up to which a guide is resampled to the mixture's size."""

UNEXPLAINED_LIMIT = 0.1
"""Contrast that no guide explains, relative to the mixture's, above which a notice is added."""


class XrayConfig(SharesConfig):
    """Settings of the task."""

    n_sources: int = setting(2, "Number of superimposed sources.", ge=2, le=4, step=1)
    unexplained: Literal["divided", "apart"] = setting(
        "divided",
        "Part that no guide explains, if every source has a guide: divided among all sources, or kept apart.",
    )
    support: bool = setting(
        False, "Move canvas weave and wood grain from the sources to an output of its own."
    )
    maps: bool = setting(True, "Add maps of the sources' 90 % interval and of possible artefacts.")


@TASKS.register("xray")
class Xray(SharesTask):
    """``I = y_1 + … + y_K`` where guides show some of the sources in another modality.

    Guides belong to sources in their order; a source without one is given as None, and those that are
    missing at the end have none. A guide of another size is resampled if its aspect ratio agrees.
    """

    name: ClassVar[str] = "xray"
    title: ClassVar[str] = "An X-ray with photographs"
    summary: ClassVar[str] = (
        "Separates an image into sources with the help of registered photographs (guides) of them."
    )
    validated_on: ClassVar[str] = (
        "simulated panels, and means of real images with registered "
        "photographs (near infrared, thermal, retinas, MRI), but no real X-radiographs"
    )
    Config: ClassVar[type[Config]] = XrayConfig
    method: ClassVar[str] = "guided_network"
    output_specs: ClassVar[tuple[OutputSpec, ...]] = (
        SOURCES,
        OutputSpec(
            "explained_#",
            "part",
            "Part of source # that its guide explains",
            "Prediction from the guide's colours. A constant may be wrong.",
        ),
        OutputSpec(
            "unexplained",
            "difference",
            "Part that no guide explains",
            "Part of the image that no guide predicts. Hidden designs and fitting errors appear here.",
            layer="beneath",
        ),
        OutputSpec(
            "support",
            "difference",
            "Canvas weave and wood grain",
            "Directional texture of the whole image, removed from the sources.",
        ),
        OutputSpec(
            "uncertainty",
            "map",
            "Uncertainty",
            "Half width of the 90 % interval of the sources, up to a constant.",
        ),
        OutputSpec(
            "phantoms",
            "map",
            "Cancelled edges",
            "Where edges of the sources cancel in the image: 0 none, 1 as much as it shows.",
            "YX",
        ),
        RESIDUAL,
    )
    inputs: ClassVar[tuple[Input, ...]] = (
        Input("mixture", "Image", "The X-radiograph, or other image, in which sources are superimposed."),
        Input(
            "guides",
            "Guides",
            "A photograph of each source; mirror it first where the image shows the source from the back.",
            many=True,
        ),
        Input("hints", "Hints", "Labels: k where edges or areas belong to source k.", required=False),
        Input("mask", "Ignore", "Mask: pixels to exclude.", required=False),
    )

    config: XrayConfig

    def traits(self, *, n_observations: int = 1, n_guides: int = 2, has_hints: bool = False) -> Traits:
        return Traits(n_sources=self.config.n_sources, n_guides=n_guides, has_hints=has_hints)

    def build(self, inputs: Inputs) -> Built:
        """See `Task.build`.

        Raises
        ------
        ValueError
            Also if there is no guide, there are more than sources, one is the mixture itself or given twice,
            or one has another aspect ratio than the mixture.
        """
        guides = self._one_a_source(inputs.guides)
        for k, guide in enumerate(guides):
            if guide is None:
                continue
            if same_image(guide, inputs.mixture):
                raise ValueError(
                    f"Expected another picture than the image as guide {k + 1}, got the image itself: a "
                    "guide shows one source alone, such as a photograph of one side."
                )
            for j, other in enumerate(guides[:k]):
                if other is not None and same_image(other, guide):
                    raise ValueError(
                        f"Expected different guides, got the same picture as guides {j + 1} and {k + 1}: "
                        "each belongs to one source, so leave the other out."
                    )
        shape = np.shape(inputs.mixture)[:2]
        notices: list[Notice] = []
        fitted = [None if g is None else fit_guide(g, shape, k + 1, notices) for k, g in enumerate(guides)]
        built = build_shares_problem(
            replace(inputs, guides=fitted), self.config, n_sources=self.config.n_sources
        )
        return replace(built, notices=(*notices, *built.notices))

    def _one_a_source(self, guides: Sequence[NDArray | None]) -> list[NDArray | None]:
        """Append None for missing guides; check that there is at least one guide and not too many."""
        k = self.config.n_sources
        if all(g is None for g in guides):
            raise ValueError(
                "Expected a guide for at least one source, got none: give a registered photograph of a side, "
                "or "
                'take the image apart without (task "separate").'
            )
        if len(guides) > k:
            raise ValueError(
                f"Expected at most one guide for each of the {k} sources, got {len(guides)}: leave some out, "
                f"or set n_sources={len(guides)}."
            )
        return [*guides, *[None] * (k - len(guides))]

    def notices(self, built: Built, inputs: Inputs, outputs: Mapping[str, Output]) -> list[Notice]:
        """See `Task.notices`: where much of the mixture is explained by no guide, and was divided between the
        sources."""
        sources = [outputs[name] for name in source_names(outputs)]
        if self.config.unexplained != "divided" or "unexplained" not in outputs:
            return []
        if built.problem.traits.n_guides < len(sources):
            return []
        mixed = np.sum([bands(source.array) for source in sources], axis=0, dtype=np.float64)
        part = float(np.nanstd(bands(outputs["unexplained"].array)) / max(float(np.nanstd(mixed)), 1e-30))
        if part < UNEXPLAINED_LIMIT:
            return []
        return [
            Notice(
                "guides",
                "The part of the image that no guide predicts has {part:.0%} of the image's standard "
                "deviation over all pixels. It is divided between the sources, so that a hidden design "
                "appears, weakened, in each of them:",
                'see the output "unexplained", or keep it out of the sources with unexplained="apart".',
                {"part": part},
            )
        ]

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """See `Task.outputs`: ``source_k``, ``residual``; from methods that tell them apart ``explained_k``
        of each guide (in the units of the sources; a constant may be wrong), ``unexplained`` (a difference,
        in the mixture's units, or in density under attenuation) and, if asked for, ``support`` (a difference,
        too), by which ``unexplained`` and the sources that hold it are then less. Maps: ``uncertainty``, the
        half width of the sources' 90 % interval but for a constant (units as ``unexplained``), and
        ``phantoms`` (see `phantom_map`).
        """
        problem, shares = built.problem, answer["sources"]
        unguided = [k for k, guide in enumerate(problem.guides) if guide is None]
        apart = self.config.unexplained == "apart" and not unguided
        support = self._support(problem, answer)
        if "explained" in answer and apart:
            shares = answer["explained"]
        elif support is not None:
            shares = shares - support * _held_parts(answer, support)[:, None, None, None]
        named = shares_outputs(built, shares, self.config)
        maps = self._maps(problem, answer) if self.config.maps else {}
        if "explained" not in answer:
            return self._described(named | maps, problem)
        explained = restore(
            answer["explained"], problem.scaling, share_of=problem.n_sources, valid=problem.valid
        )
        if problem.density_of is not None and self.config.output == "intensity":
            explained = (problem.density_of * np.exp(-explained.astype(np.float64))).astype(np.float32)
        explained = built.transfer.to_stored(explained)
        guided = {f"explained_{k + 1}" for k, guide in enumerate(problem.guides) if guide is not None}
        parts = {n: part for n, part in numbered(explained, "explained").items() if n in guided}
        left = {"unexplained": answer["unexplained"]}
        if support is not None:
            left = {"unexplained": answer["unexplained"] - support, "support": support}
        differences = {n: restore(d, _difference(problem), valid=problem.valid)[0] for n, d in left.items()}
        residual = named.pop("residual")
        return self._described({**named, **parts, **differences, **maps, "residual": residual}, problem)

    def _described(self, found: dict[str, NDArray], problem: Problem) -> dict[str, Output]:
        """Add what is declared of outputs; differences that are fitted are densities under attenuation,
        whatever sources are."""
        outputs = describe(found, self.output_specs, self.units)
        units: Units = "mixture" if problem.density_of is None else "density"
        fitted = {"unexplained", "support", "uncertainty"} & set(outputs)
        return outputs | {name: replace(outputs[name], units=units) for name in fitted}

    def _support(self, problem: Problem, answer: dict[str, Tensor]) -> Tensor | None:
        """Return weave and grain in the part that no guide explains, (1, C, H, W), or None if it is not
        available."""
        import torch

        from napari_bitsnet.methods.guided.support import support_part

        if not self.config.support or "unexplained" not in answer:
            return None
        left = answer["unexplained"]
        if problem.valid is not None:
            left = torch.where(problem.valid, left, left[:, :, problem.valid[0, 0]].mean())
        found = np.stack([support_part(channel) for channel in left[0].cpu().numpy()])
        return torch.from_numpy(found)[None].to(left)

    def _maps(self, problem: Problem, answer: dict[str, Tensor]) -> dict[str, NDArray]:
        """Return ``uncertainty``, if the method estimates it, and ``phantoms``."""
        from napari_bitsnet.methods.guided.phantoms import phantom_map

        maps = {}
        if "uncertainty" in answer:
            maps["uncertainty"] = restore(answer["uncertainty"], _difference(problem), valid=problem.valid)[0]
        phantoms = phantom_map(answer["sources"], problem.observations, problem.valid)
        maps["phantoms"] = restore(phantoms, Scaling(), valid=problem.valid)[0]
        return maps


def _held_parts(answer: dict[str, Tensor], support: Tensor) -> Tensor:
    """Part of the support that each source holds, (K,); they add up to 1.

    It is the slope of what a source holds beside its explained part on the support.
    """
    import torch

    held = answer["sources"] - answer["explained"]
    held = held - held.mean(dim=(2, 3), keepdim=True)
    slopes = (held * support).sum(dim=(1, 2, 3)).clamp_min(0)
    total = slopes.sum()
    return slopes / total if total > 0 else torch.full_like(slopes, 1 / len(slopes))


def _difference(problem: Problem) -> Scaling:
    """Return the scaling of differences, which have no offset, to the mixture's units."""
    return Scaling(0.0, problem.scaling.span, problem.scaling.has_channels)


def same_image(one: NDArray, other: NDArray) -> bool:
    """Return True if two images are equal, also where both have missing pixels (NaN)."""
    one, other = np.asarray(one), np.asarray(other)
    floats = all(np.issubdtype(image.dtype, np.floating) for image in (one, other))
    return np.array_equal(one, other, equal_nan=floats)


def fit_guide(guide: NDArray, shape: tuple[int, ...], number: int, notices: list[Notice]) -> NDArray:
    """Return a guide of the mixture's size (Y, X), resampled with a notice if only the pixel size differs.

    Pixels without opacity (a fourth channel of 0) become NaN then: resampled, they would lend their colour to
    others.

    Raises
    ------
    ValueError
        If its aspect ratio is another one.
    """
    guide = check_image(guide, f"guide {number}")
    size = guide.shape[:2]
    if guide.ndim not in (2, 3) or size == shape or min(size) < 2:
        return guide  # `normalise` says what is wrong with it, if anything
    told = f"guide {number} of {size[0]} x {size[1]} pixels for a mixture of {shape[0]} x {shape[1]}"
    if abs(size[0] * shape[1] / (size[1] * shape[0]) - 1) > SAME_ASPECT:
        raise ValueError(
            f"Expected guides that show the same area as the mixture, got {told}: bring it onto the X-ray "
            "first (napari-bitsnet register)."
        )
    notices.append(Notice("resampled", f"Resampled {told}: both are taken to show the same area."))
    from skimage.transform import resize

    if guide.ndim == 3 and guide.shape[-1] == 4:
        guide = np.where(guide[..., 3:] == 0, np.nan, guide[..., :3])
    return resize(guide.astype(np.float32), (*shape, *guide.shape[2:]), anti_aliasing=size[0] > shape[0])
