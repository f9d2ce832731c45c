"""All settings of a run, in one record that is also its provenance."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from napari_bitsnet.core.aliases import METHODS, TASKS
from napari_bitsnet.core.config import Config, setting


class RunSettings(Config):
    """Settings that repeat a run, together with the same images.

    ``options`` are settings of the task; ``settings`` are settings of the method that differ from the preset.
    """

    @classmethod
    def of(cls, task: str, **arguments: Any) -> RunSettings:
        """Return settings from the arguments of `napari_bitsnet.run`.

        Parameters
        ----------
        task : str
            Name of the task.
        **arguments
            Fields by name. Other names are options of the task. Arrays become nested lists, so that the
            record is JSON.
        """
        fields = {name: arguments.pop(name) for name in cls.model_fields if name in arguments}
        fields["settings"] = dict(fields.get("settings") or {})
        options = {**fields.get("options", {}), **arguments}
        fields["options"] = {name: v.tolist() if hasattr(v, "tolist") else v for name, v in options.items()}
        return cls().updated({**fields, "task": task})

    task: str = setting("separate", "Name of the task.")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the task.")
    method: str = setting("auto", "Name of the method; auto lets the task choose.")
    preset: str = setting("balanced", "Named settings of the method.")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the method that differ from the preset's."
    )
    seed: int = setting(0, "Seed of all randomness.", ge=0, le=2**31 - 1, step=1)
    n_seeds: int = setting(
        1,
        "Networks without training: how many seeds, from this one on, whose answers are averaged; takes as "
        "many times as long.",
        ge=1,
        le=64,
        step=1,
    )
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:N or mps.")
    axes: str | None = setting(
        None, "One letter for each dimension, such as YX, YXC or ZYX; none if the shape is unambiguous."
    )
    size_limit: int = setting(
        512,
        "Longer side at which networks work; larger images are brought back to full resolution.",
        ge=32,
        le=16384,
        step=32,
        unit="px",
    )
    iterations: int | None = setting(
        None, "Iterations of the method; none takes the preset's.", ge=1, le=1_000_000, step=100
    )
    seconds: float | None = setting(
        None, "Time limit; the best result so far is kept.", ge=0.1, le=1e6, step=10.0, unit="s"
    )

    @field_validator("task")
    @classmethod
    def _present_task(cls, name: str) -> str:
        return TASKS.get(name, name)

    @field_validator("method")
    @classmethod
    def _present_method(cls, name: str) -> str:
        return METHODS.get(name, name)
