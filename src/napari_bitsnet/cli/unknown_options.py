"""Read options under their former names, and explain unknown options that are settings of a method."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from napari_bitsnet.core.aliases import present_name
from napari_bitsnet.methods import METHODS

ELSEWHERE = {
    "verbose": "it stands before the command: napari-bitsnet --verbose COMMAND",
    "tile": "tasks with guides work in tiles",
}
"""Options that other commands have, and what to do."""


class TaskCommand(TyperCommand):
    """Command that reads former names of options; its error for an unknown one names the method with this
    setting."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options."""
        known = {str(parameter.name) for parameter in self.params}
        try:
            return super().parse_args(ctx, [_present_flag(each, known) for each in args])
        except Exception as error:
            # the parser's own class of errors is private to typer
            option = getattr(error, "option_name", None)
            name = str(option or "").lstrip("-").removeprefix("no-").replace("-", "_")
            owner = next((m for m in METHODS if name in METHODS.get(m).Config.model_fields), None)
            words = None if owner is None else f"it is a setting of the method {owner}, --set {name}=…"
            words = ELSEWHERE.get(name, words)
            if words is not None and hasattr(error, "message"):
                error.message += f": {words}"
            raise


def _present_flag(argument: str, known: set[str]) -> str:
    """Return ``--blank`` or ``--blank=…`` with the setting's present name; other arguments as they are."""
    if not argument.startswith("--"):
        return argument
    flag, separator, value = argument[2:].partition("=")
    present = present_name(flag.replace("-", "_"), known)
    return (
        argument if present == flag.replace("-", "_") else f"--{present.replace('_', '-')}{separator}{value}"
    )
