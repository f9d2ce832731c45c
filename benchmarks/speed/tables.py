"""All tables of speed: time and memory of an iteration, of its parts, and of other ways to execute it."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.memory import PeakMemory
from benchmarks.speed.against_plain import plain_rows
from benchmarks.speed.costs import cost_rows
from benchmarks.speed.guided import guided_rows
from benchmarks.speed.kernels import kernel_rows
from benchmarks.speed.opening import opening_rows
from benchmarks.speed.parts import part_rows
from benchmarks.speed.plain_official import PlainOfficial
from benchmarks.speed.step_time import CYCLE, noise_problem, start_bitsnet, time_steps
from benchmarks.speed.until import until_rows
from benchmarks.speed.utilisation import Utilisation
from benchmarks.speed.variants import COMPILED, VARIANTS, Change, plain
from napari_bitsnet.core.device import describe_device, free_memory, resolve_device
from napari_bitsnet.methods.dip.bitsnet import BitsNet, BitsNetConfig

Row = dict[str, Any]
SIZES = (128, 256, 384, 512, 1024, 2048)
COLUMNS = (
    "table", "what", "size", "sources", "ms", "±", "processor ms", "µs a pixel",
    "ratio", "MiB", "seconds", "loss",
    "note",
)  # fmt: skip
TABLES = (
    "same",
    "variants",
    "kernels",
    "parts",
    "sizes",
    "runs",
    "compiled",
    "plain",
    "until",
    "opening",
    "guided",
    "costs",
)
SAME_SIZE = 128
CPU_PLAN = {"warm_up": 1, "steps": 4, "cycle": 2}
"""Two or four iterations, half of which denoise."""
ON_CPU = ("as it ships", "grouped convolutions", "torch.compile")
"""Variants that differ from the default on a CPU."""
COMPILING = 25.0
"""Seconds that must remain before a variant is begun that is compiled first."""


def run_speed(
    out: Path,
    *,
    device: str = "auto",
    size: int = 384,
    seconds: float = 140.0,
    sizes: tuple[int, ...] = SIZES,
    tables: tuple[str, ...] = TABLES,
    show: Callable[[str], None],
) -> Path:
    """Measure, show each row as it comes, and write ``speed.csv`` and ``speed.md``.

    Parameters
    ----------
    out : Path
        Folder.
    device : str
        As in `napari_bitsnet.run`.
    size : int
        Side of the images of all tables but `sizes`.
    seconds : float
        Time limit; tables that remain are skipped, and their rows say so.
    sizes : tuple of int
        Sides of the table of sizes.
    tables : tuple of str
        Among `TABLES`.
    show : callable
        Called with one line for each row.

    Returns
    -------
    Path
        ``speed.md``.

    Raises
    ------
    ValueError
        If a table is unknown.
    """
    unknown = sorted(set(tables) - set(TABLES))
    if unknown:
        raise ValueError(f"Expected tables among {', '.join(TABLES)}, got {', '.join(unknown)}.")
    device = resolve_device(device)
    out.mkdir(parents=True, exist_ok=True)
    until = time.perf_counter() + seconds
    heading = _conditions(device, size)
    show(heading)
    makers: dict[str, Callable[[], Iterator[Row]]] = {
        "plain": lambda: plain_rows(device, size, until),
        "until": lambda: until_rows(device, size, until),
        "opening": lambda: opening_rows(until),
        "guided": lambda: guided_rows(sizes, until),
        "costs": lambda: cost_rows(sizes, until),
        "same": lambda: _same_rows(device),
        "variants": lambda: _variant_rows(VARIANTS, device, size, until),
        "kernels": lambda: kernel_rows(device, size),
        "parts": lambda: part_rows(device, size, until),
        "sizes": lambda: _size_rows(device, sizes, until),
        "runs": lambda: _run_rows(device, size, until),
        "compiled": lambda: _variant_rows(COMPILED, device, size, until - COMPILING),
    }
    rows: list[Row] = []
    for table in tables:
        try:
            for row in makers[table]():
                rows.append({"table": table, **row})
                show(_line(rows[-1]))
                _write(rows, out, heading)
        except Exception as error:  # one table's failure must not cost the others
            rows.append({"table": table, "what": "(the rest)", "note": _words(error)})
            show(_line(rows[-1]))
            _write(rows, out, heading)
    return out / "speed.md"


def _same_rows(device: str) -> Iterator[Row]:
    """Compare the answers after the same steps executed differently, and after those of another seed."""
    import torch

    first, steps = None, 4 * CYCLE
    ways: dict[str, tuple[int, tuple[Change, ...]]] = {
        "recorded nowhere, one stream": (0, (plain,)),
        "the same again": (0, (plain,)),
        "as it ships": (0, ()),
        "plain execution": (0, (plain,)),
        "as it ships, another seed": (1, ()),
    }
    for name, (seed, changes) in ways.items():
        method = BitsNet(cast(BitsNetConfig, BitsNet.presets["official"]))
        state = method.start(noise_problem(SAME_SIZE), device=device, seed=seed)
        for change in changes:
            change(state)
        if name == "plain execution":
            baseline = PlainOfficial(state)
            for _ in range(steps):
                baseline.advance()
            assert baseline.best is not None
            sources = torch.from_numpy(np.concatenate(baseline.best[1][:2])).to(device)
        else:
            advance = method.advance(state)
            for _ in range(steps):
                next(advance)
            sources = method.solution(state)["sources"]
        first = sources if first is None else first
        difference = float((sources - first).abs().mean())
        yield {
            "what": name, "size": SAME_SIZE, "sources": 2,
            "note": f"sources after {steps} steps differ from the first by {difference:.1e} on average",
        }  # fmt: skip


def _variant_rows(
    variants: dict[str, tuple[Change, ...]], device: str, size: int, until: float
) -> Iterator[Row]:
    """Time each way to execute `official`, as a ratio to the first."""
    import torch

    problem, config = noise_problem(size), BitsNet.presets["official"]
    cuda = device.startswith("cuda")
    chosen = {n: v for n, v in variants.items() if cuda or n in ON_CPU}
    reference = None
    for name, changes in chosen.items():
        row: Row = {"what": name, "size": size, "sources": 2}
        tf32 = torch.backends.cudnn.allow_tf32
        at = time.perf_counter()
        try:
            if at > until:
                raise TimeoutError("skipped: out of time")
            method, state = start_bitsnet(config, problem, device)
            for change in changes:
                change(state)
            steps = (192, 64) if cuda else (16, 16)
            taken = time_steps(method, state, device, warm_up=steps[1], steps=steps[0], seconds=12.0)
            reference = reference or taken.ms
            row |= {"ms": taken.ms, "±": taken.spread, "ratio": taken.ms / reference, "MiB": taken.mib}
            row |= {"loss": taken.loss} | ({} if cuda else {"processor ms": taken.processor_ms})
            if state.calls is not None and state.calls.failure:
                row["note"] = f"ran plainly: {state.calls.failure}"
        except Exception as error:
            row["note"] = _words(error)
        finally:
            torch.backends.cudnn.allow_tf32 = tf32
        row["seconds"] = time.perf_counter() - at
        method = state = None  # type: ignore[assignment]
        free_memory()
        yield row


def _size_rows(device: str, sizes: tuple[int, ...], until: float) -> Iterator[Row]:
    """Time presets at several sizes, and more sources at one size."""
    cuda = device.startswith("cuda")
    plan = {"warm_up": 48, "steps": 5 * CYCLE, "cycle": CYCLE} if cuda else CPU_PLAN
    jobs = [(preset, size, 2) for preset in ("official", "balanced") for size in sizes]
    jobs += [("official", sizes[min(2, len(sizes) - 1)], k) for k in (3, 4)]
    for preset, size, n_sources in jobs:
        row: Row = {"what": preset, "size": size, "sources": n_sources}
        at = time.perf_counter()
        try:
            if at > until:
                raise TimeoutError("skipped: out of time")
            config, problem = (
                BitsNet.presets[preset].updated({"start": "none"}),
                noise_problem(size, n_sources),
            )
            with PeakMemory(device) as memory:
                method, state = start_bitsnet(config, problem, device)
                taken = time_steps(method, state, device, seconds=3.0, **plan)
            row |= {"ms": taken.ms, "±": taken.spread, "MiB": taken.mib if cuda else memory.mib}
            row["µs a pixel"] = (taken.ms if cuda else taken.processor_ms) * 1e3 / size**2
            if not cuda:
                row["processor ms"] = taken.processor_ms
            if state.calls is not None and state.calls.failure:
                row["note"] = f"ran plainly: {state.calls.failure}"
        except Exception as error:
            row["note"] = _words(error)
        row["seconds"] = time.perf_counter() - at
        method = state = None  # type: ignore[assignment]
        free_memory()
        yield row


def _run_rows(device: str, size: int, until: float) -> Iterator[Row]:
    """Time whole runs: `balanced` from its trained start, twice, then `official` to its end."""
    from napari_bitsnet.api.running import iter_run
    from napari_bitsnet.api.settings import RunSettings

    mixture = noise_problem(size).observations[0].permute(1, 2, 0).numpy()
    for what in ("balanced, first in the process", "balanced, again", "quick"):
        at = time.perf_counter()
        settings = RunSettings(
            task="separate", method="bitsnet", preset=what.split(",", maxsplit=1)[0], device=device
        )
        *_, last = iter_run(settings, mixture)
        yield {
            "what": what, "size": size, "sources": 2, "seconds": time.perf_counter() - at,
            "note": f"{last.step} of {last.total} iterations, start and copy to the host included",
        }  # fmt: skip
    left = until - time.perf_counter()
    if left < 0:
        raise TimeoutError("official's whole run skipped: out of time")
    method, state = start_bitsnet(BitsNet.presets["official"], noise_problem(size), device)
    advance, at = method.advance(state), time.perf_counter()
    with Utilisation(device) as used:
        while state.step < method.iterations and time.perf_counter() - at < left:
            for _ in range(CYCLE):
                losses = next(advance)
            float(losses["total"])  # as a preview would
    taken = time.perf_counter() - at
    yield {
        "what": "official, whole run", "size": size, "sources": 2, "ms": taken / state.step * 1e3,
        "seconds": taken, "loss": float(losses["total"]),
        "note": f"{state.step} of {method.iterations} iterations; {used.summary()}",
    }  # fmt: skip


def _conditions(device: str, size: int) -> str:
    import torch

    cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
    return (
        f"{describe_device(device)}, torch {torch.__version__}, cuDNN {cudnn}, "
        f"{torch.get_num_threads()} CPU threads, {size} x {size} colour unless said"
    )


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:300]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value).replace("|", "/")


def _line(row: Row) -> str:
    return "  ".join(f"{k}={_cell(v)}" if k != "table" else f"[{v}]" for k, v in row.items())


def _write(rows: list[Row], out: Path, heading: str) -> None:
    """Write both files after each row, so that an interrupted run keeps its rows."""
    with (out / "speed.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    lines = [heading, ""]
    for table in dict.fromkeys(row["table"] for row in rows):
        chosen = [row for row in rows if row["table"] == table]
        columns = [c for c in COLUMNS[1:] if any(c in row for row in chosen)]
        lines += [f"## {table}", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
        lines += [f"| {' | '.join(_cell(row.get(c, '')) for c in columns)} |" for row in chosen]
        lines.append("")
    (out / "speed.md").write_text("\n".join(lines), "utf-8")
