"""What does the warm start from slice to slice bring to a stack with guides?

Data: slices of a volume (Z, Y, X) mixed with slices 14 further on, guided by another contrast of each slice;
without ``--data`` a head is drawn.
Command: ``python -m benchmarks.studies.stack --data volume.tif --size 160 --slices 8``
Answer: 0.06 dB at 160 x 160; see ``docs/tutorials/mri_stack.md``.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import napari_bitsnet as nb
from benchmarks.studies import arguments_of
from napari_bitsnet.data.photographs import fit
from napari_bitsnet.data.synthetic import head_volume


def other_contrast(volume: NDArray, seed: int) -> NDArray:
    """Simulate another imaging sequence of a volume: other tissue brightnesses and independent noise.

    Parameters
    ----------
    volume : ndarray
        In [0, 1], dark to bright.
    seed : int
        Seed of the noise, whose standard deviation is 1 % of the range.
    """
    noise = np.random.default_rng(seed).standard_normal(volume.shape)
    shown = np.interp(volume, [0, 0.1, 0.3, 0.5, 0.7, 1], [0, 0.9, 0.75, 0.45, 0.25, 0.6])
    return (shown + 0.01 * noise).astype(np.float32)


def mixed_stack(volume: NDArray, distance: int, first: int, count: int) -> tuple[NDArray, NDArray, NDArray]:
    """Mixture (Z, Y, X), true shares (2, Z, Y, X) and guides (2, Z, Y, X) of slices that lie `distance`
    apart."""
    pair = np.stack([volume[first : first + count], volume[first + distance : first + distance + count]])
    guides = np.stack([other_contrast(v, seed) for seed, v in enumerate(pair)])
    return pair.sum(axis=0) / 2, pair / 2, guides


def main() -> None:
    """Measure and print a table."""
    parser = arguments_of(__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--size", default=128, type=int)
    parser.add_argument("--slices", default=8, type=int)
    parser.add_argument("--preset", default="quick")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.data is None:
        volume = head_volume(0, 40, arguments.size)
    else:
        import tifffile

        raw = tifffile.imread(arguments.data).astype(np.float32)
        volume = np.stack([fit(z / raw.max(), arguments.size) for z in raw])
    mixture, truths, guides = mixed_stack(volume, 14, len(volume) // 2 - arguments.slices, arguments.slices)
    print("| guides | stack | offset-free gain, mean | least slice | between slices | CPU s |")
    print("|---|---|---|---|---|---|")
    for given in (guides, [guides[0], None]):
        for words, whole in (("as a stack", True), ("slice by slice alone", False)):
            began = time.process_time()
            if whole:
                sources = nb.run(
                    "xray", mixture, guides=list(given), axes="ZYX", preset=arguments.preset
                ).sources
            else:
                answers = [
                    nb.run(
                        "xray",
                        m,
                        guides=[None if g is None else g[z] for g in given],
                        preset=arguments.preset,
                    ).sources
                    for z, m in enumerate(mixture)
                ]
                sources = np.stack(answers, axis=1)
            seconds = time.process_time() - began
            gains = [
                nb.metrics.score(sources[:, z], truths[:, z], mixture[z])["mean_gain_offset_free"]
                for z in range(len(mixture))
            ]
            error = sources - truths
            unrest = float(np.diff(error, axis=1).std() / error.std())
            n = sum(g is not None for g in given)
            print(
                f"| {n} | {words} | {np.mean(gains):+.2f} | {min(gains):+.2f} | {unrest:.2f} | {seconds:.1f} "
                "|",
                flush=True,
            )


if __name__ == "__main__":
    main()
