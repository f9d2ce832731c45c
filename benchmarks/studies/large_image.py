"""What do large panels with two photographs cost, and does the fit show seams?

Data: a panel simulated at about 1000 pixels a side, enlarged, with fine grain (no download). The run is a
process of its own, so that its peak memory is that of a user's session, inputs and results included.
Command: ``OMP_NUM_THREADS=2 python -m benchmarks.studies.large_image --size 6000 8000``
Answer: 269 s of all cores, 5.9 GiB, no seams; see ``docs/benchmarks/guided.md``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.studies import arguments_of

SIMULATED = 1000
"""Longer side of the panel before it is enlarged, in pixels."""


def simulate(size: tuple[int, int], folder: Path) -> None:
    """Write mixture (uint16), guides (uint8, RGB) and truths (float32, reduced) as ``.npy``."""
    from scipy.ndimage import zoom

    from napari_bitsnet.data.panel import simulate_panel

    rng = np.random.default_rng(0)
    factor = max(1, round(max(size) / SIMULATED))
    panel = simulate_panel(0, (size[0] // factor, size[1] // factor))

    def enlarged(image: NDArray, grain: float) -> NDArray:
        large = zoom(image.astype(np.float32), factor, order=1)
        large += grain * rng.standard_normal(large.shape, dtype=np.float32)
        return np.clip(large, 0, np.iinfo(image.dtype).max).astype(image.dtype)

    np.save(folder / "mixture.npy", enlarged(panel.mixture, 200.0))
    for k, guide in enumerate(panel.guides):
        channels = [enlarged(guide[..., c], 2.0) for c in range(3)]
        np.save(folder / f"guide_{k + 1}.npy", np.stack(channels, axis=-1))
    np.save(folder / "truths.npy", panel.truths)


def separate(folder: Path, preset: str) -> dict[str, float]:
    """Run, and measure."""
    import resource

    import torch

    import napari_bitsnet as nb
    from napari_bitsnet.methods.guided.model import STRIP

    warnings.simplefilter("ignore")
    mixture = np.load(folder / "mixture.npy")
    guides = [np.load(folder / f"guide_{k}.npy") for k in (1, 2)]
    wall, cpu = time.perf_counter(), time.process_time()
    result = nb.run("xray", mixture, guides=guides, preset=preset)
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    truths = np.load(folder / "truths.npy")
    factor = mixture.shape[0] // truths.shape[1]
    reduced = np.stack([block_means(source, factor) for source in result.sources])
    scores = nb.metrics.score(reduced, truths, block_means(mixture, factor))
    return {
        "wall seconds": seconds,
        "seconds of all cores": cpu,
        "threads": torch.get_num_threads(),
        "peak GiB": peak,
        "seams": seams(result.outputs["explained_1"].array, max(1, STRIP // mixture.shape[1])),
        "offset-free gain dB": scores["mean_gain_offset_free"],
        "explained energy": result.provenance["losses"].get("explained_energy", float("nan")),
    }


def block_means(image: NDArray, side: int) -> NDArray:
    """Means of squares of `side` pixels."""
    height, width = (n // side for n in image.shape)
    blocks = image[: height * side, : width * side].reshape(height, side, width, side)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def seams(image: NDArray, strip: int) -> float:
    """Mean jump from row to row where two strips meet, over that elsewhere; 1 without seams."""
    jumps = np.abs(np.diff(image, axis=0)).mean(axis=1)
    borders = np.arange(strip, image.shape[0], strip) - 1
    return float(jumps[borders].mean() / np.delete(jumps, borders).mean())


def main() -> None:
    """Simulate, run in a process of its own, print."""
    parser = arguments_of(__doc__)
    parser.add_argument("--size", nargs=2, type=int, default=(6000, 8000), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--preset", default="balanced")
    parser.add_argument(
        "--folder", type=Path, help="Where the simulated images are kept; default a temporary one."
    )
    parser.add_argument("--run", action="store_true", help="Only run, on the images in the folder.")
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(separate(arguments.folder, arguments.preset)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "truths.npy").exists():
            simulate(tuple(arguments.size), folder)
        command = [
            sys.executable,
            "-m",
            __spec__.name,
            "--run",
            "--folder",
            str(folder),
            "--preset",
            arguments.preset,
        ]
        measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{arguments.size[0]} x {arguments.size[1]}, 16 bits, two RGB guides, {arguments.preset}:")
    for name, value in measured.items():
        print(f"  {name}: {value:.3g}")


if __name__ == "__main__":
    main()
