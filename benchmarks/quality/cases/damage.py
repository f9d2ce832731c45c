"""Cases with noise, missing pixels and haze, and what scikit-image answers to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cases import Maker
from napari_bitsnet.core.metrics import psnr
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.degraded import add_noise, lay_haze, missing_at_random, scratches
from napari_bitsnet.data.photographs import bundled_photograph, fit

SIGMA = 25 / 255
PARTS = (0.5, 0.8)
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "camera")
HAZY = ("astronaut", "chelsea", "coffee", "motorcycle", "rocket")
HAZY_SET14 = ("pepper", "flowers", "monarch", "coastguard", "lenna", "foreman")
NLM = (0.6, 0.8, 1.0)
TV = (0.05, 0.07, 0.09, 0.12)
WAVELETS = ("BayesShrink", "VisuShrink")


def damage_cases(size: int = 256, n: int = 4) -> Iterator[Maker]:
    """Yield bundled photographs with known damage.

    Parameters
    ----------
    size : int
        Side of the images in pixels.
    n : int
        Cases a group, at most.
    """
    for name in PHOTOGRAPHS[:n]:
        yield from _noise_and_holes(name, partial(bundled_photograph, name, size), "bundled")
    for k, name in enumerate(HAZY[:n]):
        yield from _hazes(name, partial(bundled_photograph, name, size), "bundled", k)


def damage_folder_cases(data: Path, size: int = 256) -> Iterator[Maker]:
    """Yield the F-16 photograph with noise and missing pixels, kate under her letters, Set14 behind haze."""
    f16, kate = data / "dip" / "f16.png", data / "dip" / "kate.png"
    if f16.is_file():
        yield from _noise_and_holes("f16", partial(_read, f16, size), "f16")
    if kate.is_file():
        yield "inpaint, kate", partial(_kate, kate, size)
    for k, name in enumerate(HAZY_SET14):
        path = data / "set14" / f"{name}.png"
        if path.is_file():
            yield from _hazes(name, partial(_read, path, size), "Set14", len(HAZY) + k)


def _read(path: Path, size: int) -> NDArray:
    from skimage.io import imread

    return fit(imread(path)[..., :3], size)


def _noise_and_holes(name: str, load: Callable[[], NDArray], of: str) -> Iterator[Maker]:
    group = f"denoise, {of}"
    yield group, lambda: noise_case(name, group, load())
    for part in PARTS:
        holes = f"inpaint, {of}, {part:.0%} missing at random"
        yield holes, partial(_holes, name, holes, load, partial(missing_at_random, part=part))
    torn = f"inpaint, {of}, scratches"
    yield torn, partial(_holes, name, torn, load, scratches)


def _holes(
    name: str,
    group: str,
    load: Callable[[], NDArray],
    draw: Callable[[tuple[int, int]], NDArray[np.bool_]],
) -> Case:
    image = load()
    return holes_case(name, group, image, draw((image.shape[0], image.shape[1])))


def _hazes(name: str, load: Callable[[], NDArray], of: str, seed: int) -> Iterator[Maker]:
    for words, given in (("given", True), ("estimated", False)):
        group = f"dehaze, {of}, airlight {words}"
        yield group, partial(_haze, name, group, load, seed, given)


def _haze(name: str, group: str, load: Callable[[], NDArray], seed: int, given: bool) -> Case:
    made = lay_haze(load(), seed=seed)
    known = {"airlight": made.airlight} if given else {}
    image = made.image.astype(np.float32)
    return Case(
        name,
        group,
        "dehaze",
        image,
        made.scene[None].astype(np.float32),
        options=known,
        shares=False,
        lo=0.0,
        hi=1.0,
        scored=("clear",),
    )


def _kate(path: Path, size: int) -> Case:
    """The centre of the picture at its own resolution: letters of one width would be lost on resizing."""
    from skimage.io import imread

    image = imread(path)[..., :3] / 255.0
    known = imread(path.with_name("kate_mask.png"))
    known = known if known.ndim == 2 else known[..., 0]
    top, left = (max(0, (n - size) // 2) for n in image.shape[:2])
    window = (slice(top, top + size), slice(left, left + size))
    return holes_case("kate", "inpaint, kate", image[window], known[window] < 128)


def noise_case(name: str, group: str, clean: NDArray) -> Case:
    """Noise of 25/255; nobody is told its level but scikit-image, whose settings are the best for each
    image."""
    noisy = add_noise(clean, SIGMA)
    return Case(
        name,
        group,
        "denoise",
        noisy.astype(np.float32),
        clean[None].astype(np.float32),
        shares=False,
        lo=0.0,
        hi=1.0,
        scored=("clean",),
        baselines=_denoisers(noisy, clean),
    )


def _denoisers(noisy: NDArray, clean: NDArray) -> Mapping[str, Callable[[], NDArray]]:
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, denoise_wavelet

    channels = -1 if clean.ndim == 3 else None

    def best(answers: Iterator[NDArray]) -> NDArray:
        return max(answers, key=lambda image: psnr(np.clip(image, 0, 1), clean))[None]

    def means() -> NDArray:
        return best(
            denoise_nl_means(noisy, 5, 6, h * SIGMA, fast_mode=False, sigma=SIGMA, channel_axis=channels)
            for h in NLM
        )

    def variation() -> NDArray:
        return best(denoise_tv_chambolle(noisy, weight, channel_axis=channels) for weight in TV)

    def wavelets() -> NDArray:
        return best(
            denoise_wavelet(
                noisy,
                SIGMA,
                method=m,
                convert2ycbcr=channels is not None,
                channel_axis=channels,
                rescale_sigma=True,
            )
            for m in WAVELETS
        )

    found = {"scikit-image: NLM": means, "scikit-image: TV": variation}
    return found | ({"scikit-image: wavelets": wavelets} if find_spec("pywt") else {})


def holes_case(name: str, group: str, image: NDArray, missing: NDArray[np.bool_]) -> Case:
    """Black where pixels are missing; the null has the known pixels' mean there."""
    hole = missing[..., None] if image.ndim == 3 else missing
    observed = np.where(hole, 0, image)

    def biharmonic() -> NDArray:
        from skimage.restoration import inpaint_biharmonic

        return inpaint_biharmonic(observed, missing, channel_axis=-1 if image.ndim == 3 else None)[None]

    return Case(
        name,
        group,
        "inpaint",
        observed.astype(np.float32),
        image[None].astype(np.float32),
        mask=missing,
        shares=False,
        scored_mixture=np.where(hole, image[~missing].mean(axis=0), image).astype(np.float32),
        lo=0.0,
        hi=1.0,
        scored=("clean",),
        baselines={"scikit-image: biharmonic": biharmonic},
    )
