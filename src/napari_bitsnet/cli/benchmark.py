"""``napari-bitsnet benchmark``: score methods on cases with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONTENDERS = "regression,ica,feedforward,bitsnet:quick,bitsnet:balanced"


def benchmark(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for rows, tables and pictures.")] = Path(
        "benchmark"
    ),
    data: Annotated[
        Path | None, typer.Option(help="Folder of measuring images; without it, built-in cases only.")
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            help="Contenders, comma-separated: method, method:preset or method:preset@setting=value@…; or auto."
        ),
    ] = CONTENDERS,
    group: Annotated[
        list[str] | None,
        typer.Option(help="Only groups of cases whose name contains this; may be given several times."),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(help="Only cases whose name contains this; may be given several times."),
    ] = None,
    size: Annotated[int, typer.Option(min=32, max=4096, help="Side of the images in pixels.")] = 256,
    n: Annotated[int, typer.Option(min=1, max=100, help="Panels, random pairs and triplets a group.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Runs of each, with seeds 0, 1, …")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    sheets: Annotated[bool, typer.Option(help="Draw a picture of every case.")] = True,
    speed: Annotated[
        bool, typer.Option("--speed", help="Time iterations and their parts instead; --size is the side.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=1, max=86400, help="With --speed: what is left then is skipped.")
    ] = 140.0,
    sizes: Annotated[
        str, typer.Option(help="With --speed: sides of the table of sizes, comma-separated.")
    ] = "128,256,384,512,1024,2048",
    tables: Annotated[
        str, typer.Option(help="With --speed: tables, comma-separated.")
    ] = "same,variants,kernels,parts,sizes,runs,compiled,plain,until,opening",
) -> None:
    """Score methods on cases with known truth, beside nulls and ceilings. A stopped run resumes."""
    if speed:
        from napari_bitsnet.benchmark.speed import run_speed

        sides, chosen = tuple(int(s) for s in sizes.split(",")), tuple(tables.split(","))
        run_speed(out, device=device, size=size, seconds=seconds, sizes=sides, tables=chosen, show=typer.echo)
        return
    from tqdm import tqdm

    from napari_bitsnet.benchmark.run import Plan, run_benchmark

    contenders = [part.strip() for part in methods.split(",") if part.strip()]
    plan = Plan(contenders, data, group or [], case or [], size, n, seeds, device)
    with tqdm(unit="row") as progress:

        def show(row: dict) -> None:
            progress.set_description(f"{row['group']}: {row['case']}")
            progress.update()

        table = run_benchmark(plan, out, sheets=sheets, show=show)
    typer.echo(table.read_text("utf-8"))
