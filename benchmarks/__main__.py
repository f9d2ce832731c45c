"""``python -m benchmarks``: measure quality and speed; run it from the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONTENDERS = "regression,ica,feedforward,bitsnet:quick,bitsnet:balanced"
app = typer.Typer(
    name="python -m benchmarks", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for rows, tables and pictures.")]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:N or mps.")]


@app.command()
def quality(
    out: Out = Path("benchmark"),
    data: Annotated[
        Path | None, typer.Option(help="Folder of measuring images; without it, built-in cases only.")
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            help="Contenders, comma-separated: method, method:preset, method:preset@setting=value@…; or auto."
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
    n: Annotated[int, typer.Option(min=1, max=100, help="Panels, random pairs and triplets in a group.")] = 4,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Runs of each contender, with seeds 0, 1, …")
    ] = 1,
    device: Device = "auto",
    sheets: Annotated[bool, typer.Option(help="Draw a picture of every case.")] = True,
) -> None:
    """Score methods on cases with known sources, beside nulls and ceilings. A stopped run resumes."""
    from tqdm import tqdm

    from benchmarks.quality.plan import Plan, run_benchmark

    contenders = [part.strip() for part in methods.split(",") if part.strip()]
    plan = Plan(contenders, data, group or [], case or [], size, n, seeds, device)
    with tqdm(unit="row") as progress:

        def show(row: dict) -> None:
            progress.set_description(f"{row['group']}: {row['case']}")
            progress.update()

        table = run_benchmark(plan, out, sheets=sheets, show=show)
    typer.echo(table.read_text("utf-8"))


@app.command()
def speed(
    out: Out = Path("benchmark"),
    tables: Annotated[str, typer.Option(help="Tables, comma-separated.")] = (
        "same,variants,kernels,parts,sizes,runs,compiled,plain,until,opening,guided,costs"
    ),
    size: Annotated[int, typer.Option(min=32, max=4096, help="Side of the images in pixels.")] = 256,
    sizes: Annotated[
        str, typer.Option(help="Sides of the tables `sizes`, `guided` and `costs`, comma-separated.")
    ] = "128,256,384,512,1024,2048",
    seconds: Annotated[
        float, typer.Option(min=1, max=86400, help="Time limit; the tables that remain are skipped.")
    ] = 140.0,
    device: Device = "auto",
) -> None:
    """Time iterations of BITS-Net, their parts, and other ways to execute them."""
    from benchmarks.speed.tables import run_speed

    sides, chosen = tuple(int(s) for s in sizes.split(",")), tuple(tables.split(","))
    run_speed(out, device=device, size=size, seconds=seconds, sizes=sides, tables=chosen, show=typer.echo)


@app.command()
def table(
    rows: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A rows.jsonl of `quality`.")],
) -> None:
    """Print the tables of rows that were measured, without measuring anything."""
    from benchmarks.quality.measure import load_rows
    from benchmarks.quality.tables import markdown

    typer.echo(markdown(load_rows(rows)))


def main() -> None:
    """Run the command line with the threads and memory settings of ``napari-bitsnet``."""
    from napari_bitsnet.core.device import keep_freed_memory

    keep_freed_memory()
    app()


if __name__ == "__main__":
    main()
