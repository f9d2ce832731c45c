"""Convert the record of a result to Python code or a command that repeats it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from napari_bitsnet.api.records import recorded_settings
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.tasks import TASKS

SIMPLE = ("method", "preset", "seed", "n_seeds", "device", "size_limit", "iterations", "seconds")


def as_python(record: Mapping[str, Any]) -> str:
    """Return Python code that repeats a run from its files, or from the layers of the viewer without files.

    Parameters
    ----------
    record : mapping
        Record in the metadata of a result layer.
    """
    settings = recorded_settings(dict(record))
    arguments = [f"{name}={value!r}" for name, value in _given(settings).items()]
    if settings.settings:
        arguments.append(f"settings={settings.settings!r}")
    arguments += [f"{name}={value!r}" for name, value in settings.options.items()]
    code = _from_files(record, settings, arguments) or _from_layers(record, settings, arguments)
    return code + _done_by_hand(record)


def as_command(record: Mapping[str, Any]) -> str:
    """Return the command line that repeats a run.

    An input that is not a whole file appears as the file to which it would have to be saved.
    """
    settings = recorded_settings(dict(record))
    files = record.get("inputs") or {}
    layers = record["layers"]

    def path(kind: str, k: int, entry: Mapping[str, Any] | None) -> str:
        if entry is None:
            return "none"
        return str(files[kind][k]) if files else f"{entry['name']}.tif"

    words = ["napari-bitsnet", settings.task.replace("_", "-")]
    words += [path("mixture", k, entry) for k, entry in enumerate(layers["mixture"])]
    words += ["-o", "out"]
    for k, entry in enumerate(layers["guides"]):
        words += ["--guide", path("guides", k, entry)]
    for kind in ("hints", "mask"):
        if layers[kind] is not None:
            words += [f"--{kind}", str(files[kind]) if files else f"{layers[kind]['name']}.tif"]
    if record.get("candidate"):
        words.append("--candidates")
    if settings.axes not in (None, "YX", "YXC"):
        words += ["--axes", str(settings.axes)]
    for name, value in {**_given(settings), **settings.options}.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", _text(value)]
    for name, value in settings.settings.items():
        words += ["--set", f"{name}={_text(value)}"]
    command = " ".join(shlex.quote(word) for word in words)
    return (command if files else f"# Save the layers under these names first.\n{command}") + _done_by_hand(
        record, before="\n"
    )


def _given(settings: RunSettings) -> dict[str, Any]:
    """Return simple settings that differ from the defaults, and always the method, because its default may
    change."""
    default = RunSettings()
    return {
        name: getattr(settings, name)
        for name in SIMPLE
        if name == "method" or getattr(settings, name) != getattr(default, name)
    }


def _from_files(record: Mapping[str, Any], settings: RunSettings, arguments: list[str]) -> str:
    files = record.get("inputs") or {}
    if not files:
        return ""

    def read(path: str | None) -> str:
        return "None" if path is None else f"read_image({path!r}).channels_last"

    mixtures = [read(path) for path in files["mixture"]]
    several = any(i.many and i.name == "mixture" for i in TASKS.get(settings.task).inputs)
    extra = [f"axes={settings.axes!r}"]
    if files["guides"]:
        extra.append(f"guides=[{', '.join(read(path) for path in files['guides'])}]")
    extra += [f"{kind}={read(files[kind])}" for kind in ("hints", "mask") if files[kind]]
    mixture = f"[{', '.join(mixtures)}]" if several else mixtures[0]
    inner = "".join(f"    {argument},\n" for argument in [mixture, *extra, *arguments])
    chosen = f"result = result.choose({record['candidate']})\n" if record.get("candidate") else ""
    return (
        "import napari_bitsnet as nb\n"
        "from napari_bitsnet.io.read import read_image\n\n"
        f"result = nb.run(\n    {settings.task!r},\n{inner})\n{chosen}"
    )


def _from_layers(record: Mapping[str, Any], settings: RunSettings, arguments: list[str]) -> str:
    layers = record["layers"]

    def layer(entry: Mapping[str, Any] | None) -> str:
        return "None" if entry is None else f"viewer.layers[{entry['name']!r}]"

    mixtures = [layer(entry) for entry in layers["mixture"]]
    first = layers["mixture"][0]
    extra = [f"task={settings.task!r}"]
    if layers["guides"]:
        extra.append(f"guides=[{', '.join(layer(entry) for entry in layers['guides'])}]")
    extra += [f"{kind}={layer(layers[kind])}" for kind in ("hints", "mask") if layers[kind] is not None]
    extra += [f"{part}={first[part]!r}" for part in ("level", "position", "box") if first[part]]
    mixture = f"[{', '.join(mixtures)}]" if len(mixtures) > 1 else mixtures[0]
    inner = "".join(f"    {argument},\n" for argument in ["viewer", mixture, *extra, *arguments])
    note = f"# then split {record['candidate']} was chosen in the dock\n" if record.get("candidate") else ""
    return f"import napari_bitsnet as nb\n\nlayers = nb.separate_layer(\n{inner})\n{note}"


def _done_by_hand(record: Mapping[str, Any], before: str = "") -> str:
    """Return comments on changes in the viewer after the run, which a new run does not repeat."""
    lines = []
    if any(record.get("brightness_shifts") or ()):
        shifts = ", ".join(f"{shift:+g}" for shift in record["brightness_shifts"])
        lines.append(
            f"# Then the sources were made brighter by {shifts} of the mixture's range: see "
            "napari_bitsnet.core.brightness."
        )
    if record.get("swapped"):
        lines.append("# Then the names of the two sources were swapped.")
    return before * bool(lines) + "".join(f"{line}\n" for line in lines)


def _text(value: Any) -> str:
    """Return a value as the command line reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(str(v) for v in value)
    return "none" if value is None else str(value)
