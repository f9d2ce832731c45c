"""Explain unknown options that are settings of a method."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from napari_bitsnet.methods import METHODS


class TaskCommand(TyperCommand):
    """Command whose error for an unknown option names the method with this setting."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # the parser's own class of errors is private to typer
            option = getattr(error, "option_name", None)
            name = str(option or "").lstrip("-").removeprefix("no-").replace("-", "_")
            owner = next((m for m in METHODS if name in METHODS.get(m).Config.model_fields), None)
            if owner is not None and hasattr(error, "message"):
                error.message += f": it is a setting of the method {owner}, --set {name}=…"
            raise
