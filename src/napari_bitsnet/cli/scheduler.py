"""Option ``--scheduler``: the Dask workers that compute what a command can share out."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import typer

from napari_bitsnet.cli.verbose import log_is_shown

R = TypeVar("R")
SECONDS = 10
"""How long a scheduler may take to answer."""

PRELOAD = "from napari_bitsnet.cli.interrupt import leave_signals_to_the_main_process as leave\nleave()\n"
"""What each process of this machine runs first: Ctrl-C in a terminal reaches all of them."""

VERBOSE = "from napari_bitsnet.cli.verbose import show_log\nshow_log(True)\n"

SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS|local[N]",
        help="Dask workers that compute: those of a scheduler (tcp://host:8786), or N processes of this "
        "machine, by default one a core. Several files or rows are shared out one by one, a single stack "
        "slice by slice.",
        show_default=False,
    ),
]
"""The option, the same for every command that has it."""


@contextmanager
def connected(where: str | None) -> Iterator[Any]:
    """Return a client of the workers that ``--scheduler`` names while active; None without the option.

    Raises
    ------
    ValueError
        If Dask is missing, `where` is neither ``local``, ``local[N]`` nor an address, or no scheduler answers
        there.
    """
    if where is None:
        yield None
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ValueError(
            "Expected Dask for --scheduler, found none: pip install 'napari-bitsnet[cluster]'."
        ) from None

    local = re.fullmatch(r"local(?:\[([1-9]\d*)\])?", where)
    if local is not None:
        cores = os.cpu_count() or 1
        count = int(local[1] or cores)
        threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores // count))
        with (
            LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                dashboard_address=":0",
                silence_logs=logging.ERROR,
                env={"OMP_NUM_THREADS": threads},
                preload=PRELOAD + (VERBOSE if log_is_shown() else ""),
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    if "://" not in where and not re.fullmatch(r"[^\s\[\]]+:\d+", where):
        raise ValueError(
            f"Expected local, local[N] or the address of a scheduler such as tcp://host:8786 after "
            f"--scheduler, got {where!r}."
        )
    try:
        client = Client(where, timeout=SECONDS)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Expected a Dask scheduler at {where}, none answered within {SECONDS} s ({error}): start one "
            "with dask scheduler, or compute here with --scheduler local."
        ) from None
    with client:
        yield client


def on_worker(client: Any, function: Callable[..., R], *arguments: Any, **named: Any) -> R:
    """Call a function on a worker, or here without a client; its warnings and errors arrive here."""
    if client is None:
        return function(*arguments, **named)
    box = client.scatter([(function, arguments, named)])[0]  # images are data, and no part of the task
    result, told = client.submit(_call, box, pure=False).result()
    for text in told:
        warnings.warn(text, stacklevel=2)
    return result


def _call(box: tuple[Callable[..., R], tuple[Any, ...], dict[str, Any]]) -> tuple[R, list[str]]:
    function, arguments, named = box
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        result = function(*arguments, **named)
    return result, [str(each.message) for each in caught if issubclass(each.category, UserWarning)]
