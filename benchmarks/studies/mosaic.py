"""Does a huge panel with two photographs fit into 4 GiB a worker, tile by tile, and are there seams?

Data: a panel simulated at about 1000 pixels a side, enlarged, with fine grain, as OME-Zarr (no download).
Commands::

    python -m benchmarks.studies.mosaic 4000 --whole   # also a run of the whole image, to compare
    python -m benchmarks.studies.mosaic 20000
    python -m benchmarks.studies.mosaic 20000 --preset quick --rows 1   # one row of tiles, no file is written

Workers have one thread each. Memory is the peak resident memory of a process, with Python and its libraries.

Answer: 1.0 GiB a worker at 4000 (balanced), 8000 and 20000 (quick); the process that asks 1.75, 1.0 and 1.0
GiB. 20000 x 20000 pixels took two workers 144 s to fit and 377 s to separate and write. At 4000
the sources are 19.7 dB from those of the whole run (3.5 GiB), and the difference steps no more at borders of
tiles than beside them (0.99).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIMULATED = 1000
"""Side of the panel before it is enlarged, in pixels."""
TILE = 2048
GRAIN = {"mixture": 200.0, "guide_1": 2.0, "guide_2": 2.0}
"""Standard deviation of the noise, in grey levels."""


def main() -> None:
    """Print seconds, memory of workers and of the process that asks, and the distance to a whole run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("side", type=int)
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--whole", action="store_true", help="also run the whole image, and compare")
    parser.add_argument("--rows", type=int, help="rows of tiles that are computed, without files")
    parser.add_argument("--folder", type=Path, default=None, help="for the images; default a temporary one")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        folder = given.folder or Path(place)
        began = time.perf_counter()
        if not given.rows and not (folder / f"mixture_{given.side}.ome.zarr").exists():
            write_mosaic(given.side, folder)
        print(f"images: {time.perf_counter() - began:.0f} s", flush=True)
        told = in_tiles(given.side, folder, given.preset, given.workers, given.rows)
        if given.whole:
            told |= against_the_whole(given.side, folder, given.preset)
        print(json.dumps(told | {"side": given.side, "preset": given.preset, "load": os.getloadavg()[0]}))


def write_mosaic(side: int, folder: Path) -> None:
    """Write the images as OME-Zarr, a chunk at a time."""
    import napari_bitsnet as nb

    for name, image in mosaic(side).items():
        nb.save(folder / f"{name}_{side}.ome.zarr", image, axes="YXC"[: image.ndim])


def mosaic(side: int) -> dict[str, Any]:
    """Return mixture (uint16) and guides (uint8, RGB) as dask arrays, a chunk a tile."""
    import dask.array as da

    from napari_bitsnet.data.panel import simulate_panel

    panel = simulate_panel(0, SIMULATED)
    images = {"mixture": panel.mixture, "guide_1": panel.guides[0], "guide_2": panel.guides[1]}
    made = {}
    for name, image in images.items():
        shape = (side, side, *image.shape[2:])
        chunks = (TILE, TILE, *image.shape[2:])

        def enlarged(
            block: NDArray, block_info: Any = None, image: NDArray = image, name: str = name
        ) -> NDArray:
            (top, bottom), (left, right) = block_info[None]["array-location"][:2]
            rows, columns = (
                np.clip((np.arange(a, b) + 0.5) * SIMULATED / side - 0.5, 0, SIMULATED - 1)
                for a, b in ((top, bottom), (left, right))
            )
            large = between(between(image.astype(np.float32), rows, 0), columns, 1)
            rng = np.random.default_rng([top, left])
            large = large + GRAIN[name] * rng.standard_normal(large.shape, dtype=np.float32)
            return np.clip(large, 0, np.iinfo(image.dtype).max).astype(image.dtype)

        blank = da.zeros(shape, dtype=image.dtype, chunks=chunks)
        made[name] = blank.map_blocks(enlarged, dtype=image.dtype)
    return made


def between(image: NDArray, places: NDArray, axis: int) -> NDArray:
    """Interpolate linearly along an axis."""
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, image.shape[axis] - 1)
    weight = (places - below).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(image.ndim)])
    return image.take(below, axis) * (1 - weight) + image.take(above, axis) * weight


def in_tiles(side: int, folder: Path, preset: str, workers: int, rows: int | None) -> dict[str, Any]:
    """Separate the mosaic in tiles and write both sources; return seconds and memory in GiB."""
    from distributed import Client, LocalCluster

    import napari_bitsnet as nb

    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit="4GiB",
            dashboard_address=None,
            env={"OMP_NUM_THREADS": "1"},
        ) as cluster,
        Client(cluster) as client,
    ):
        if rows:
            mixture, *guides = mosaic(side).values()
        else:
            mixture, *guides = (
                nb.read(folder / f"{name}_{side}.ome.zarr").channels_last
                for name in ("mixture", "guide_1", "guide_2")
            )
        began = time.perf_counter()
        outputs = nb.run_in_tiles(
            "xray",
            mixture,
            guides=guides,
            preset=preset,
            tile=TILE,
            device="cpu",
        )
        fitted = time.perf_counter() - began
        print(f"fit: {fitted:.0f} s, {peak():.2f} GiB", flush=True)
        if rows:
            parts = [outputs[name][: rows * TILE] for name in ("source_1", "source_2")]
            wait = client.compute([part.mean() for part in parts])
            assert np.isfinite(client.gather(wait)).all()
        else:
            outputs.to_zarr(folder, f"tiles_{side}", names=["source_1", "source_2"], overwrite=True)
        spent, peaks = client.run(time.process_time), client.run(peak)
    return {
        "fit_seconds": round(fitted, 1),
        "tile_seconds": round(time.perf_counter() - began - fitted, 1),
        "processor_seconds_of_workers": [round(each, 1) for each in spent.values()],
        "worker_gib": [round(each, 2) for each in peaks.values()],
        "asking_gib": round(peak(), 2),
    }


def peak() -> float:
    """Return the peak resident memory of this process, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def against_the_whole(side: int, folder: Path, preset: str) -> dict[str, Any]:
    """Run the whole image; return its seconds, the memory of this process, and how far sources differ."""
    import napari_bitsnet as nb

    mixture, *guides = (
        np.asarray(nb.read(folder / f"{name}_{side}.ome.zarr").channels_last)
        for name in ("mixture", "guide_1", "guide_2")
    )
    began = time.perf_counter()
    whole = nb.run(
        "xray",
        mixture,
        guides=guides,
        preset=preset,
        device="cpu",
    )
    seconds, distances, seams = time.perf_counter() - began, [], []
    for k in (1, 2):
        tiles = np.asarray(nb.read(folder / f"tiles_{side}_source_{k}.ome.zarr").array)
        distances.append(round(decibels(tiles, whole.outputs[f"source_{k}"].array), 1))
        seams.append(round(seam(tiles - whole.outputs[f"source_{k}"].array), 2))
    return {
        "whole_seconds": round(seconds, 1),
        "whole_gib": round(peak(), 2),
        "dB": distances,
        "seams": seams,
    }


def decibels(image: NDArray, reference: NDArray) -> float:
    """Return the power of the reference over that of the difference, both without their means."""
    off = image - reference
    return float(10 * np.log10(np.var(reference) / np.var(off)))


def seam(difference: NDArray) -> float:
    """Return the mean absolute step across borders of tiles over that beside them; 1 without seams."""
    steps = [np.abs(np.diff(difference, axis=axis)).mean(axis=1 - axis) for axis in (0, 1)]
    at = [each[TILE - 1 :: TILE] for each in steps]
    near = [np.concatenate([each[TILE - 9 :: TILE], each[TILE + 7 :: TILE]]) for each in steps]
    return float(np.concatenate(at).mean() / np.concatenate(near).mean())


if __name__ == "__main__":
    main()
