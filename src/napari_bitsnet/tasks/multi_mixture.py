"""Unmix several mixtures of the same sources with different weights into whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.core.config import Config
from napari_bitsnet.core.encoding import Transfer, transfer_of
from napari_bitsnet.core.exposure import expose
from napari_bitsnet.core.images import check_contrast, check_image, normalise, restore
from napari_bitsnet.core.mixing import Weighted
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.operators.nearest import nearest_valid
from napari_bitsnet.core.outputs import Output, OutputSpec, Units, describe, numbered
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.core.registration.shifts import find_shift, undo_shift, unseen_border
from napari_bitsnet.tasks import TASKS, BaseTask, Built, Input, Inputs, Slices
from napari_bitsnet.tasks._mixture_checks import LEAST_SIZE, check_different
from napari_bitsnet.tasks._mixture_encoding import clipped_notice, clipped_pixels, encoding_advice, settled
from napari_bitsnet.tasks._mixture_settings import MultiMixtureConfig
from napari_bitsnet.tasks._shared_i0 import i0_of_mixtures

if TYPE_CHECKING:
    from torch import Tensor


@TASKS.register("multi_mixture")
class MultiMixture(BaseTask):
    """``I_m = sum_k W_mk t_k``: as many mixtures as sources, or more."""

    name: ClassVar[str] = "multi_mixture"
    title: ClassVar[str] = "Several mixtures of the same sources"
    summary: ClassVar[str] = (
        "Separates images in which the same sources are superimposed with different weights."
    )
    validated_on: ClassVar[str] = "real photographs that were mixed by computation"
    Config: ClassVar[type[Config]] = MultiMixtureConfig
    method: ClassVar[str] = "ica"
    output_specs: ClassVar[tuple[OutputSpec, ...]] = (
        OutputSpec(
            "source_#",
            "source",
            "Source #",
            "This source as a whole image: on the scale of the mixtures with weights that are given or add "
            "to one; with free weights its scale is not known.",
            layer="front",
        ),
        OutputSpec(
            "residual",
            "difference",
            "Residual",
            "The mixtures minus the weighted sums of the sources.",
            "MYX[C]",
        ),
        OutputSpec(
            "shading",
            "map",
            "Shading",
            "Smooth factor of each mixture that was removed, such as vignetting; 1 in the middle or for the "
            "most even mixture.",
            "MYX",
        ),
        OutputSpec("weights", "values", "Mixing weights", "Weight of each source in each mixture.", "MK"),
    )
    inputs: ClassVar[tuple[Input, ...]] = (
        Input("mixture", "Images", "Two or more registered images with different weights.", many=True),
        Input("mask", "Ignore", "Mask: pixels to exclude.", required=False),
    )

    config: MultiMixtureConfig

    def traits(self, *, n_observations: int = 2, n_guides: int = 0, has_hints: bool = False) -> Traits:
        return Traits(n_observations=n_observations, n_sources=self.config.n_sources, mixing="weighted")

    def build(self, inputs: Inputs) -> Built:
        """See `Task.build`; one affine map for all mixtures, pixels missing in one are missing."""
        import torch

        config = self.config
        notices: list[Notice] = []
        images, missing, clipped = self._registered(*self._read(inputs), notices)
        transfer, said = self._transfer(images, missing, inputs.dtype)
        notices += said
        if config.weights != "given":
            whole_numbers = np.issubdtype(inputs.dtype, np.integer)
            rounded = whole_numbers and config.mixing == "linear"
            check_different(images, missing, config.n_sources, rounded=rounded)
            if clipped.any():
                notices.append(clipped_notice(clipped))
        images = transfer.to_light(images)
        seen = images[:, ~missing]
        lowest = float(seen.min())
        low = lowest if config.weights == "sum-to-one" else min(0.0, lowest)
        low = low if config.low is None else float(transfer.to_light(np.array(config.low)))
        high = float(seen.max()) if config.high is None else float(transfer.to_light(np.array(config.high)))
        planes = [
            normalise(image, lo=low, hi=high, mask=missing, what=f"mixture {m + 1}")
            for m, image in enumerate(images)
        ]
        matrix = config.matrix
        weights = None if matrix is None else torch.from_numpy(matrix.astype(np.float32))
        problem = Problem(
            torch.cat([plane.tensor for plane in planes]),
            config.n_sources,
            mixing=Weighted(
                weights, config.weights, torch.from_numpy(clipped)[None, None] if clipped.any() else None
            ),
            valid=planes[0].valid,
            scaling=planes[0].scaling,
        )
        return Built(problem, images, notices, transfer)

    def for_stack(self, planes: Slices) -> tuple[Self, list[Notice]]:
        """See `Task.for_stack`: slices share their encoding, which the middle one tells; under attenuation
        each mixture has its own exposure."""
        known = self.config.mixing != "attenuation" or self.config.i0 is not None
        notices = [] if known else i0_of_mixtures(planes)
        if self.config.encoding != "auto" or self.config.mixing == "attenuation":
            return self, notices
        middle = Inputs(planes[len(planes) // 2], stored=getattr(planes, "stored", None))
        try:
            built = self.build(middle)
        except (TypeError, ValueError):  # the run leaves such a slice out, and says why
            return self, notices
        encoding = "linear" if built.transfer.is_identity else "srgb"
        told = [notice for notice in built.notices if notice.category == "encoding"]
        return type(self)(self.config.model_copy(update={"encoding": encoding})), [*notices, *told]

    def outputs(self, built: Built, answer: dict[str, Tensor]) -> dict[str, Output]:
        """See `Task.outputs`: ``source_1`` …, ``residual`` (M, Y, X[, C]), ``weights`` (M, K); ``shading``
        (M, Y, X) if there is one.

        Sources are whole images in the mixtures' units (optical densities if they attenuate): exactly so with
        given weights or weights that add to one, else up to scale, no brighter than the brightest mixture.
        ``residual`` is the mixtures minus the weighted sums of sources. With ``encoding="srgb"`` weights act
        on light; sources are encoded as the mixtures are, and so is what the residual compares.
        """
        problem, images = built.problem, built.observed
        weights = answer["weights"].detach().cpu().numpy().astype(np.float64)
        sources = restore(answer["sources"], problem.scaling, valid=problem.valid)
        # I = span I' + lo, so that t = W^+ I = span t' + lo W^+ 1, where W^+ 1 = 1 if weights add to one
        offsets = problem.scaling.lo * (np.linalg.pinv(weights).sum(axis=1) - 1)
        sources = (sources + offsets.reshape(-1, *[1] * (sources.ndim - 1))).astype(np.float32)
        mixed = np.tensordot(weights, sources.astype(np.float64), axes=1)
        found = {}
        if "shading" in answer:
            shading = answer["shading"][:, 0].detach().cpu().numpy()
            mixed *= shading.reshape(*shading.shape, *[1] * (mixed.ndim - 3))
            found["shading"] = shading.astype(np.float32)
        residual = built.transfer.to_stored(images) - built.transfer.to_stored(mixed)
        if problem.valid is not None:
            residual[:, ~problem.valid[0, 0].cpu().numpy()] = np.nan
        found = {
            **numbered(built.transfer.to_stored(sources)),
            "residual": residual.astype(np.float32),
            **found,
            "weights": weights.astype(np.float32),
        }
        return describe(found, self.output_specs, self.units)

    @property
    def units(self) -> Units:
        """See `Task.units`: mixtures that attenuate are unmixed as optical densities."""
        return "density" if self.config.mixing == "attenuation" else "mixture"

    def scorable(
        self,
        mixture: NDArray,
        sources: NDArray,
        truths: NDArray,
        i0: float | None,
        stored: np.dtype | None = None,
    ) -> tuple[NDArray, NDArray, NDArray]:
        """See `Task.scorable`: sources are on the mixtures' scale if the weights of each mixture add to
        one."""
        matrix, rule = self.config.matrix, self.config.weights
        rows = None if matrix is None else matrix.sum(axis=1)
        if rule == "free" or (rows is not None and not np.allclose(rows, 1)):
            raise ValueError(
                "Expected sources on the mixtures' scale, got some that are known up to a factor, or in "
                "units of their own: "
                'decibels would only measure that. Score with weights="sum-to-one", or by hand with '
                "nb.metrics.score."
            )
        if self.config.mixing == "attenuation":
            mixture = np.stack([expose(each, i0=self.config.i0, stored=stored).density for each in mixture])
        return mixture, sources, truths

    def advice(self, inputs: Inputs) -> list[Notice]:
        """See `Task.advice`: whether another encoding would explain the mixtures better."""
        if self.config.mixing == "attenuation":
            return []
        images, missing, _ = self._registered(*self._read(inputs), [])
        transfer, _ = self._transfer(images, missing, inputs.dtype)
        return encoding_advice(
            transfer, images, missing, self.config.n_sources, inputs.dtype, self.config.high
        )

    def _transfer(self, images: NDArray, missing: NDArray, stored: np.dtype) -> tuple[Transfer, list[Notice]]:
        """Return the conversion of registered mixtures to light; densities are none, and stay as they are."""
        config = self.config
        if config.mixing == "attenuation":
            return Transfer(), []
        return settled(config.encoding, images, missing, config.n_sources, stored, config.high)

    def _registered(
        self, images: NDArray, missing: NDArray, clipped: NDArray, notices: list[Notice]
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Move the mixtures onto the first where they clearly lie apart, and say so; what they do not show
        there is missing."""
        if self.config.registration == "none" or min(missing.shape) < LEAST_SIZE:
            return images, missing, clipped
        filled, still = _without_gaps(images, missing), (0.0, 0.0)
        shifts = [still, *(find_shift(image, filled[0]) for image in filled[1:])]
        apart = [
            f"mixture {m + 1} by {{y{m}:+.2f}}, {{x{m}:+.2f}}"
            for m, (y, x) in enumerate(shifts)
            if (y, x) != still
        ]
        if not apart:
            return images, missing, clipped
        told = {
            f"{axis}{m}": s for m, shift in enumerate(shifts) for axis, s in zip("yx", shift, strict=True)
        }
        notices.append(
            Notice(
                "registration",
                f"Mixtures lay apart, {'; '.join(apart)} pixels (Y, X) from the first, and were moved back: "
                "borders that one of them does not show are missing.",
                'registration="none" leaves them.',
                told,
            )
        )
        moved = np.stack([undo_shift(image, shift) for image, shift in zip(filled, shifts, strict=True)])
        lacking, beyond = missing, clipped
        for shift in shifts:
            beyond = beyond | (undo_shift(clipped.astype(float), shift) > 0.01)
            spoilt = undo_shift(missing.astype(float), shift) > 0.01 if missing.any() else missing
            lacking = lacking | spoilt | unseen_border((missing.shape[0], missing.shape[1]), shift)
        return moved, lacking, beyond

    def _read(self, inputs: Inputs) -> tuple[NDArray, NDArray, NDArray]:
        """Check the mixtures: (M, Y, X[, C]), float64, as stored, or densities if they attenuate; and the
        missing and the clipped pixels (Y, X)."""
        config, arrays = self.config, list(inputs.mixture)
        if len(arrays) < config.n_sources:
            raise ValueError(
                f"Expected at least {config.n_sources} mixtures of {config.n_sources} sources, got "
                f"{len(arrays)}: add mixtures, or ask for fewer sources."
            )
        if config.matrix is not None and len(config.matrix) != len(arrays):
            raise ValueError(
                f"Expected weights for the {len(arrays)} mixtures, got {len(config.matrix)} rows of them."
            )
        images = []
        for m, array in enumerate(arrays):
            image = check_image(array, f"mixture {m + 1}")
            if image.shape != np.shape(arrays[0]) or image.ndim not in (2, 3):
                raise ValueError(
                    "Expected mixtures (Y, X) or (Y, X, C) of one shape, got "
                    f"{' and '.join(str(np.shape(a)) for a in arrays)}."
                )
            images.append(image)
        missing = np.zeros(images[0].shape[:2], dtype=bool)
        if inputs.mask is not None:
            mask = np.asarray(inputs.mask)
            if mask.shape != missing.shape:
                raise ValueError(f"Expected a mask of shape {missing.shape}, got {mask.shape}.")
            missing |= mask.astype(bool)
        if images[0].ndim == 3 and images[0].shape[-1] == 4:  # opacity is not part of the mixture
            missing |= np.any([image[..., 3] == 0 for image in images], axis=0)
            images = [image[..., :3] for image in images]
        clipped = clipped_pixels(np.stack(images), inputs.dtype)
        if config.mixing == "attenuation":
            images = [
                transfer_of(config.encoding, image, inputs.dtype, config.high).to_light(image)
                for image in images
            ]
            images = [expose(image, i0=config.i0, stored=inputs.dtype).density for image in images]
        stacked = np.stack(images).astype(np.float64)
        lacking = ~np.isfinite(stacked).all(axis=0)
        missing |= lacking.any(axis=-1) if lacking.ndim == 3 else lacking
        if missing.all():
            raise ValueError("Expected pixels that are valid in all mixtures, got none.")
        seen = stacked[:, ~missing]
        check_contrast(float(seen.min()), float(seen.max()), "the mixtures")
        return stacked, missing, clipped


def _without_gaps(images: NDArray, missing: NDArray) -> NDArray:
    """Give missing pixels of (M, Y, X[, C]) the values of their nearest neighbours."""
    if not missing.any():
        return images
    rows, columns = nearest_valid(missing)
    return images[:, rows, columns]
