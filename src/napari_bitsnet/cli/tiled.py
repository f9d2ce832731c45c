"""Option ``--tile``: separate an image that does not fit into memory, and write it as OME-Zarr."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.cli.job import Images, Job
from napari_bitsnet.cli.outcome import StopRequest

WHOLE = ("hints", "truth", "report", "candidates")
"""Options that need the whole image, or more than its tiles."""


def check_tiled(values: Mapping[str, Any]) -> None:
    """Check that the options of a command go with its tiles.

    Raises
    ------
    ValueError
        If one of them does not.
    """
    if values["format"] != "zarr":
        raise ValueError(
            f"Expected --format zarr with --tile, got {values['format']}: tiles are written to OME-Zarr."
        )
    refused = [f"--{name}" for name in WHOLE if values.get(name)]
    refused += ["--depth input"] if values["depth"] != "float" else []
    if refused:
        raise ValueError(f"Expected no {' and no '.join(refused)} with --tile: leave it out.")


def write_tiled(
    job: Job,
    images: Images,
    settings: RunSettings,
    tile: int,
    folder: Path,
    asked: StopRequest,
    *,
    quiet: bool,
) -> tuple[list[Path], dict[str, Any]]:
    """Separate an image tile by tile, write its outputs, and return the files and the provenance.

    Raises
    ------
    InterruptedError
        If the command was asked to end before the last tile.
    ValueError
        If the method cannot work in tiles; see `run_in_tiles`.
    """
    from dask.callbacks import Callback
    from tqdm import tqdm
    from tqdm.dask import TqdmCallback

    from napari_bitsnet.api.progress import STAGES_ALONE
    from napari_bitsnet.api.tiles import run_in_tiles

    def look(*_: Any) -> None:
        if asked():
            raise InterruptedError("The run was stopped before its last tile: nothing was written.")

    given = settings.model_dump()
    inputs: dict[str, Any] = {"guides": images.guides, "mask": images.mask, "stored": images.stored}
    with tqdm(desc=f"{job.stem}, reduced", bar_format=STAGES_ALONE, disable=quiet) as bar:

        def tell(stage: str) -> None:
            look()
            bar.set_postfix_str(stage)

        outputs = run_in_tiles(given.pop("task"), images.mixture, tile=tile, progress=tell, **inputs, **given)
    # tiles leave out the search for cracks, whatever was asked
    outputs.provenance["settings"] = settings.model_dump(mode="json")
    with ExitStack() as stack:
        stack.enter_context(Callback(pretask=look))
        stack.enter_context(TqdmCallback(desc=job.stem, disable=quiet))
        files = outputs.to_zarr(
            folder, job.stem, calibration=images.calibration, overwrite=True, inputs=job.record
        )
    return files, outputs.provenance
