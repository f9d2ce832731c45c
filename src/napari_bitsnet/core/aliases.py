"""Former names of tasks, methods and settings, so that records of earlier versions are still read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

TASKS = {"guided": "xray"}
METHODS = {
    "lattices": "periodic",
    "patch_groups": "nl_bayes",
    "random_walk": "random_walker",
    "regression": "guided_regression",
    "shared_mark": "watermark_matting",
}
SETTINGS = {
    "bending": "n_modes",
    "blank": "i0",
    "centres": "n_clusters",
    "drift_spread": "drift_std",
    "rounds": "n_reweightings",
    "search": "max_shift",
    "spread": "prior_std",
    "trust": "uncertainty",
}


def with_present_names(settings: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return settings under their present names.

    Parameters
    ----------
    settings : mapping of str to value
        By present or former names.
    known : collection of str
        Present names. A name among them is never taken for a former one.
    """
    present = {}
    for name, value in settings.items():
        new = SETTINGS.get(name, name)
        if name == "start" and isinstance(value, str):  # names the method that goes first
            value = METHODS.get(value, value)
        present[new if name not in known and new in known else name] = value
    return present


def present_name(name: str, known: Collection[str]) -> str:
    """Return the present name of a setting among `known`; the name itself where it is no former one."""
    return next(iter(with_present_names({name: None}, known)))


def takes_former_names(function: Function) -> Function:
    """Let a function take its keyword arguments under their former names, too."""
    known = inspect.signature(function).parameters

    @wraps(function)
    def renamed(*args: Any, **arguments: Any) -> Any:
        return function(*args, **with_present_names(arguments, known))

    return cast(Function, renamed)
