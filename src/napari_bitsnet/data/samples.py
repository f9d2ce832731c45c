"""Samples for napari's File ▸ Open Sample: one for each kind of input, with true sources, without downloads.

Each function returns layer data, (array, keyword arguments, "image"): the mixture first, then its guides or
further mixtures, then the hidden true sources. The form reads the sample's task from `SAMPLE_KEY` in the
layer's metadata.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.degraded import add_noise, lay_haze, scratches
from napari_bitsnet.data.dual_energy import simulate_dual_energy
from napari_bitsnet.data.films import STEP, passing
from napari_bitsnet.data.marks import lay_mark
from napari_bitsnet.data.outlines import outlined
from napari_bitsnet.data.panel import simulate_panel
from napari_bitsnet.data.photographs import bundled_photograph
from napari_bitsnet.data.reflected import lay_reflection
from napari_bitsnet.data.synthetic import Mixed, mix, photograph_mixtures, slice_mixture, texture_mixture

SAMPLE_KEY = "napari-bitsnet-sample"
"""Key of a layer's metadata for its role in the sample: ``{"task": …, "role": …}``, for films also
``"slices": "all"``."""

LayerData = tuple[NDArray, dict[str, Any], str]

SIZE, FILM_SIZE = 256, 160
"""Sides of images and of films in pixels: small, so that samples open and run in seconds."""


def panel() -> list[LayerData]:
    """Return a simulated X-radiograph of a panel painted on both sides, with photographs of the two sides."""
    made = simulate_panel(3, (288, 224))
    place = {"scale": (0.5, 0.5), "units": ("mm", "mm")}
    names = ("Front", "Back")
    return [
        _layer(made.mixture, "X-ray", "xray", "mixture", **place),
        *(
            _layer(g, f"{n} (photograph)", "xray", "guide", visible=False, **place)
            for g, n in zip(made.guides, names, strict=True)
        ),
        *(
            _layer(t, f"{n} (truth)", "xray", "truth", visible=False, **place)
            for t, n in zip(made.truths, names, strict=True)
        ),
    ]


def two_mixtures() -> list[LayerData]:
    """Return two mixtures of the same two sources with different weights."""
    made = photograph_mixtures(1, SIZE)
    mixtures = [
        _layer(image, f"Mixture {m + 1}", "multi_mixture", "mixture", visible=m == 0)
        for m, image in enumerate(made.mixtures)
    ]
    return [*mixtures, *_truths(made.sources, "multi_mixture")]


def photographs() -> list[LayerData]:
    """Return a single image without guides, the hardest case: two superimposed photographs."""
    pair = [bundled_photograph(name, SIZE) for name in ("coffee", "chelsea")]
    return _blind(mix(pair, [[0.5, 0.5]]), "Photographs")


def film() -> list[LayerData]:
    """Return a film (T, Y, X, C) of two moving photographs, superimposed with equal weights."""
    moving = [
        passing(name, FILM_SIZE, (sign * STEP[0], sign * STEP[1]))
        for name, sign in (("coffee", 1), ("chelsea", -1))
    ]
    shares = [127.5 * frames.astype(np.float32) for frames in moving]
    time = {"axis_labels": ("t", "y", "x")}
    layers = [
        _layer(np.round(sum(shares)).astype(np.uint8), "Film", "separate", "mixture", **time),
        *(
            _layer(share, f"Source {k + 1} (truth)", "separate", "truth", visible=False, **time)
            for k, share in enumerate(shares)
        ),
    ]
    layers[0][1]["metadata"][SAMPLE_KEY]["slices"] = "all"
    return layers


def slices() -> list[LayerData]:
    """Return two superimposed slices of a simulated magnetic resonance image of a head."""
    return _blind(slice_mixture(1, SIZE), "Slices")


def textures() -> list[LayerData]:
    """Return two superimposed textures that repeat on different lattices."""
    return _blind(texture_mixture(1, SIZE), "Textures")


def dual_energy() -> list[LayerData]:
    """Return simulated chest radiographs at two energies, with the true thicknesses of tissue and bone."""
    made = simulate_dual_energy(1, SIZE)
    names = ("Soft tissue", "Bone")
    return [
        *(
            _layer(image, f"Radiograph, {energy} energy", "multi_mixture", "mixture", visible=energy == "low")
            for image, energy in zip(made.radiographs, ("low", "high"), strict=True)
        ),
        *(
            _layer(image, f"{name} in cm (truth)", "multi_mixture", "truth", visible=False)
            for image, name in zip(made.thickness, names, strict=True)
        ),
    ]


def watermark() -> list[LayerData]:
    """Return three photographs with the same half-opaque watermark."""
    made = lay_mark([bundled_photograph(name, SIZE) for name in ("astronaut", "coffee", "chelsea")], seed=1)
    marked = [
        _layer(image, f"Marked {m + 1}", "watermark", "mixture", visible=m == 0)
        for m, image in enumerate(made.images)
    ]
    truths = [
        _layer(image, f"Clean {m + 1} (truth)", "watermark", "truth", visible=False)
        for m, image in enumerate(made.clean)
    ]
    return [*marked, *truths]


def noise() -> list[LayerData]:
    """Return a photograph with strong noise."""
    clean = bundled_photograph("astronaut", SIZE)
    return [
        _layer(_eight_bits(add_noise(clean, 25 / 255)), "Noisy", "denoise", "mixture"),
        _layer(_eight_bits(clean), "Clean (truth)", "denoise", "truth", visible=False),
    ]


def missing_pixels() -> list[LayerData]:
    """Return a scratched photograph, with the scratches as labels."""
    clean = _eight_bits(bundled_photograph("coffee", SIZE))
    missing = scratches((SIZE, SIZE), seed=1)
    metadata = {SAMPLE_KEY: {"task": "inpaint", "role": "mask"}}
    return [
        _layer(np.where(missing[..., None], np.uint8(0), clean), "Scratched", "inpaint", "mixture"),
        _layer(clean, "Whole (truth)", "inpaint", "truth", visible=False),
        (missing.astype(np.uint8), {"name": "Missing", "metadata": metadata, "opacity": 0.4}, "labels"),
    ]


def haze() -> list[LayerData]:
    """Return a photograph with simulated haze."""
    made = lay_haze(bundled_photograph("motorcycle", SIZE), seed=3)
    return [
        _layer(_eight_bits(made.image), "Hazy", "dehaze", "mixture"),
        _layer(_eight_bits(made.scene), "Clear (truth)", "dehaze", "truth", visible=False),
    ]


def reflection() -> list[LayerData]:
    """Return a photograph behind glass that reflects another one."""
    made = lay_reflection(*(bundled_photograph(name, SIZE) for name in ("astronaut", "chelsea")))
    return [
        _layer(_eight_bits(made.image), "Behind glass", "reflection", "mixture"),
        _layer(_eight_bits(made.transmission), "Transmission (truth)", "reflection", "truth", visible=False),
        _layer(_eight_bits(made.reflection), "Reflection (truth)", "reflection", "truth", visible=False),
    ]


def _eight_bits(image: NDArray) -> NDArray:
    """Convert values from 0 to 1 to uint8."""
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def segmentation() -> list[LayerData]:
    """Return a photograph with scribbles on foreground and background, and the outlined truth."""
    drawn = outlined("coffee", SIZE)
    return [
        _layer(np.round(255 * drawn.image).astype(np.uint8), "Cup", "segment", "mixture"),
        (
            drawn.hints,
            {"name": "Scribbles", "metadata": {SAMPLE_KEY: {"task": "segment", "role": "hints"}}},
            "labels",
        ),
        _layer(drawn.mask.astype(np.float32), "Foreground (truth)", "segment", "truth", visible=False),
    ]


def _blind(made: Mixed, name: str) -> list[LayerData]:
    return [_layer(made.mixtures[0], name, "separate", "mixture"), *_truths(made.shares, "separate")]


def _truths(sources: NDArray, task: str) -> list[LayerData]:
    return [
        _layer(source, f"Source {k + 1} (truth)", task, "truth", visible=False)
        for k, source in enumerate(sources)
    ]


def _layer(array: NDArray, name: str, task: str, role: str, **look: Any) -> LayerData:
    """Scale colour images that are not 8-bit to napari's range, 0 to 1."""
    rgb = array.ndim > 2
    if rgb and array.dtype != np.uint8:
        array = (array / 255).astype(np.float32)
    metadata = {SAMPLE_KEY: {"task": task, "role": role}}
    return array, {"name": name, "rgb": rgb, "metadata": metadata, **look}, "image"
