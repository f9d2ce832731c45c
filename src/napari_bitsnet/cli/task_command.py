"""Generate one command per task from its inputs and its `Config`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bitsnet.api.choose import make_method, make_task
from napari_bitsnet.api.export.depth import Depth
from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.api.misplaced import place_of_settings
from napari_bitsnet.api.records import read_record, recorded_settings
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.cli.batch import BAD_USAGE, Batch
from napari_bitsnet.cli.job import Job, fingerprint
from napari_bitsnet.cli.options import config_parameters, given_values, read_assignments
from napari_bitsnet.cli.outputs import check_batch
from napari_bitsnet.cli.parts import PARTS, part_parameters
from napari_bitsnet.cli.scheduler import SchedulerOption, connected
from napari_bitsnet.cli.tiled import check_tiled
from napari_bitsnet.cli.wording import RUN_OPTIONS, in_flags
from napari_bitsnet.core.config import UnknownSetting
from napari_bitsnet.io.writers import format_type
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS, Input, Task


def task_command(name: str) -> Callable[..., None]:
    """Return the command of a registered task, as a function that typer understands."""
    task = TASKS.get(name)

    def command(**values: Any) -> None:
        try:
            batch, jobs = plan(name, values)
            with connected(values["scheduler"]) as client:
                code = batch.run(jobs, client)
        except ValueError as error:
            typer.echo(f"error: {in_flags(error, name)}", err=True)
            raise typer.Exit(BAD_USAGE) from None
        raise typer.Exit(code)

    parameters = [
        *_file_parameters(task.inputs),
        *config_parameters(task.Config, "Task"),
        *config_parameters(RunSettings, "Run", only=RUN_OPTIONS),
        *_other_parameters(task),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__doc__ = f"{task.summary}\n\n{_inputs_text(task.inputs)}"
    return command


def plan(name: str, values: Mapping[str, Any]) -> tuple[Batch, list[Job]]:
    """Turn a command's parameters into what is to be done, checking all that needs no image.

    Raises
    ------
    ValueError
        If inputs are missing, a setting is unknown or out of range, the method does not fit, the folder
        cannot be written to, or outputs cannot (see `check_batch`).
    """
    settings, jobs = settle(name, values)
    if values.get("tile"):
        check_tiled(values)
    folder = check_writable(values["folder"])
    check_batch(
        jobs,
        settings,
        folder,
        kind=values["format"],
        report=values["report"],
        candidates=values["candidates"],
    )
    batch = Batch(
        settings,
        folder,
        overwrite=values["overwrite"],
        quiet=values["quiet"],
        kind=values["format"],
        depth=values["depth"],
        report=values["report"],
        candidates=values["candidates"],
        tile=values.get("tile"),
    )
    return batch, jobs


def settle(name: str, values: Mapping[str, Any]) -> tuple[RunSettings, list[Job]]:
    """Return settings and files of a command's runs, checked as far as this needs no image and no folder.

    Raises
    ------
    ValueError
        If inputs are missing, a setting is unknown or out of range, or the method does not fit.
    """
    task = TASKS.get(name)
    record = read_record(values["settings"]) if values["settings"] is not None else None
    base = RunSettings(task=name) if record is None else recorded_settings(record)
    chosen = (record or {}).get("candidate")
    if chosen and not values["candidates"]:
        typer.echo(
            f"note: the record is of candidate {chosen}; this run writes the answer, and with --candidates "
            "the others, too",
            err=True,
        )
    if base.task != name:
        raise ValueError(f"Expected the record of a {name} run, got one of {base.task}: use that command.")
    jobs = _jobs(task.inputs, values, record)
    settings = _checked(_merged(base, values, task), values["set"] or (), jobs[0])
    _check_truths(jobs, settings, report=values["report"])
    return settings, jobs


def _merged(base: RunSettings, values: Mapping[str, Any], task: type[Task]) -> RunSettings:
    """Put what was given over the settings of an earlier run or the defaults."""
    changes = {
        name: value for name, value in given_values(values, RunSettings).items() if name in RUN_OPTIONS
    }
    kept = {} if changes.get("method", base.method) != base.method else base.settings
    return base.updated(
        {**changes, "options": {**base.options, **given_values(values, task.Config)}, "settings": kept}
    )


def _jobs(inputs: Sequence[Input], values: Mapping[str, Any], record: Mapping[str, Any] | None) -> list[Job]:
    """Sort the files into runs; without any, those of the record."""
    asked = {i.name: i for i in inputs}
    recorded = (record or {}).get("inputs") or {}
    files = list(values["inputs"] or ())
    if not files and not recorded.get("mixture"):
        raise ValueError("Expected at least one input file, got none: name it before the options.")
    if files:
        _say_what_is_left_out(values, recorded)
        recorded = {}
    else:
        files = [Path(path) for path in recorded["mixture"]]
        for path, before in (recorded.get("contents") or {}).items():
            if fingerprint(Path(path)) not in (None, before):  # a missing one is an error of the run
                typer.echo(f"warning: {path} is not what it was in the recorded run", err=True)

    def marks(name: str) -> Path | None:
        given = values.get(name) or recorded.get(name)
        if given is None and name in asked and asked[name].required:
            raise ValueError(f"Expected --{name} FILE, got none. What FILE is: {asked[name].description}")
        return None if given is None else Path(given)

    guides = values.get("guide") or recorded.get("guides") or []
    if not guides and "guides" in asked and asked["guides"].required:
        raise ValueError(
            f"Expected --guide FILE once or more, got none. What FILE is: {asked['guides'].description}"
        )
    several = asked["mixture"].many
    shared: dict[str, Any] = {
        "guides": tuple(None if g is None or str(g).lower() == "none" else Path(g) for g in guides),
        "hints": marks("hints"),
        "mask": marks("mask"),
        "truths": tuple(values.get("truth") or ()),
        "several": several,
        "single": asked["mixture"].least == 1,
        "part": {
            **recorded.get("part", {}),
            **{k: values[k] for k in PARTS if values.get(k) not in (None, "")},
        },
    }
    return [Job(tuple(files), **shared)] if several else [Job((file,), **shared) for file in files]


def _say_what_is_left_out(values: Mapping[str, Any], recorded: Mapping[str, Any]) -> None:
    """Files of a record belong to its own image: with others named, they have to be named too."""
    for name, option in (("guides", "guide"), ("hints", "hints"), ("mask", "mask")):
        if recorded.get(name) and not values.get(option):
            typer.echo(
                f"warning: the record's {name} are left out, because IN is named: give --{option}", err=True
            )


def _checked(settings: RunSettings, changes: Sequence[str], job: Job) -> RunSettings:
    """Add the method's settings that were given; check them, device, task and method before reading
    images."""
    from napari_bitsnet.core.device import resolve_device

    task = make_task(settings)
    n_files = len(job.mixtures)
    n_observations = n_files if n_files > 1 else getattr(task.config, "n_sources", 2) if job.several else 1
    traits = task.traits(
        n_observations=n_observations,
        n_guides=sum(guide is not None for guide in job.guides),
        has_hints=job.hints is not None,
    )
    method = task.default_method(traits) if settings.method == "auto" else settings.method
    try:
        given = read_assignments(changes, METHODS.get(method).Config)
    except UnknownSetting as error:
        raise ValueError(f"{error}{place_of_settings(error.names, settings)}") from None
    settings = settings.updated({"settings": {**settings.settings, **given}})
    make_method(settings, task, traits)
    resolve_device(settings.device)
    return settings


def _check_truths(jobs: Sequence[Job], settings: RunSettings, *, report: bool) -> None:
    """See that there is one a source, of one image, and a report that scores go into."""
    truths = jobs[0].truths
    if not truths:
        return
    n_sources = getattr(make_task(settings).config, "n_sources", 0)
    if not report:
        raise ValueError("Expected --report with --truth, got none: that is where scores stand.")
    if len(jobs) > 1:
        raise ValueError(
            f"Expected one input with --truth, got {len(jobs)}: known sources belong to one image."
        )
    if len(truths) != n_sources:
        raise ValueError(f"Expected --truth {n_sources} times, once for each source, got {len(truths)}.")


def _file_parameters(inputs: Sequence[Input]) -> list[inspect.Parameter]:
    """IN…, --out and one option for each further input."""
    asked = {i.name: i for i in inputs}
    parameters = [
        _keyword(
            "inputs",
            list[Path] | None,
            typer.Argument(metavar="IN", help=asked["mixture"].description, show_default=False),
        ),
        _keyword(
            "folder",
            Path,
            typer.Option(
                "--out", "-o", metavar="DIR", help="Folder for the results; created if it does not exist."
            ),
            default=inspect.Parameter.empty,
        ),
    ]
    if "guides" in asked:
        several = " Once per source; none for a source without one." if asked["guides"].many else ""
        text = asked["guides"].description + several
        option = typer.Option("--guide", metavar="FILE|none", help=text, show_default=False)
        parameters.append(_keyword("guide", list[str] | None, option))
    for name in ("hints", "mask"):
        if name in asked:
            option = typer.Option(
                f"--{name}", metavar="FILE", help=asked[name].description, show_default=False
            )
            parameters.append(_keyword(name, Path | None, option))
    return parameters


def _other_parameters(task: type[Task]) -> list[inspect.Parameter]:
    settings = typer.Option(
        "--settings",
        metavar="RUN.JSON",
        help="Repeat the run of this record; given options override it, and without IN its files are used.",
        show_default=False,
        rich_help_panel="Run",
    )
    changes = typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the method that differs from the preset's; see: napari-bitsnet list METHOD.",
        show_default=False,
        rich_help_panel="Run",
    )
    overwrite = typer.Option("--overwrite", help="Run finished inputs again.", show_default=False)
    quiet = typer.Option("--quiet", "-q", help="Hide the progress bar.", show_default=False)
    kind = typer.Option(
        "--format",
        help="imagej: TIFF hyperstacks; ome: OME-TIFF; nifti: NIfTI; zarr: OME-Zarr. "
        "Axes, pixel size and provenance are inside.",
    )
    depth = typer.Option(
        "--depth", help="float: 32 bits; input: images as integers like IN, rounded and clipped."
    )
    report = typer.Option(
        "--report", help="Write an HTML page with pictures, settings and warnings.", show_default=False
    )
    truth = typer.Option(
        "--truth",
        metavar="FILE",
        help="True source, once per source, in the units of the results: the report then has scores.",
        show_default=False,
    )
    candidates = typer.Option(
        "--candidates",
        help="Also write other splits, NAME_candidate_1_source_1 and so on, if the method finds some.",
        show_default=False,
    )
    tile = typer.Option(
        "--tile",
        metavar="PIXELS",
        min=64,
        help="For images that do not fit into memory: compute tiles of this side, such as 2048, with guides "
        "and --format zarr.",
        show_default=False,
    )
    guided = any(i.name == "guides" and i.many for i in task.inputs)
    return [
        _keyword("set", list[str] | None, changes),
        _keyword("settings", Path | None, settings),
        _keyword("format", format_type(), kind, default="imagej"),
        _keyword("depth", Depth, depth, default="float"),
        _keyword("report", bool, report, default=False),
        *part_parameters(),
        *([_keyword("truth", list[Path] | None, truth)] if "n_sources" in task.Config.model_fields else []),
        _keyword("candidates", bool, candidates, default=False),
        *([_keyword("tile", int | None, tile)] if guided else []),
        _keyword("overwrite", bool, overwrite, default=False),
        _keyword("quiet", bool, quiet, default=False),
        inspect.Parameter(
            "scheduler", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=SchedulerOption
        ),
    ]


def _keyword(name: str, kind: Any, option: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _inputs_text(inputs: Sequence[Input]) -> str:
    several = next(i for i in inputs if i.name == "mixture").many
    what = "The files IN are the mixtures of one run" if several else "Each file IN is one run"
    return (
        f"{what}: TIFF, PNG, JPEG, DICOM, NIfTI, OME-Zarr and other formats (see the page Files); a folder, "
        "or a pattern such as 'slices/*.png' in quotes, is one stack. Written are float32 images, a preview "
        "and run.json; no input and no foreign file is replaced. Exit codes: 0 done, 1 inputs failed, 2 bad "
        "usage, 130 Ctrl-C, 143 SIGTERM, 129 closed terminal (what there was is written)."
    )
