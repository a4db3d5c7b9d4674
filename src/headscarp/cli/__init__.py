"""The command line: arguments to options, options to the pipeline, errors to people."""

from __future__ import annotations

import sys
from typing import NoReturn

from rich.markup import escape

from headscarp.cli import audit as _audit  # noqa: F401
from headscarp.cli import backscatter as _backscatter  # noqa: F401
from headscarp.cli import chips as _chips  # noqa: F401
from headscarp.cli import evaluate as _evaluate  # noqa: F401  (a module registers its commands)
from headscarp.cli import fetch as _fetch  # noqa: F401
from headscarp.cli import inject as _inject  # noqa: F401
from headscarp.cli import map as _map  # noqa: F401
from headscarp.cli import ndvi as _ndvi  # noqa: F401
from headscarp.cli import search as _search  # noqa: F401
from headscarp.cli import sen12 as _sen12  # noqa: F401
from headscarp.cli import simulate as _simulate  # noqa: F401
from headscarp.cli import study as _study  # noqa: F401
from headscarp.cli import study_sar2ndvi as _study_sar2ndvi  # noqa: F401
from headscarp.cli import study_sen12 as _study_sen12  # noqa: F401
from headscarp.cli import train as _train  # noqa: F401
from headscarp.cli.app import app, err_console
from headscarp.errors import HeadscarpError, OptionsError

NETWORKS_EXTRA = ("torch", "pytorch_lightning", "safetensors", "zarr", "optuna", "filelock")
"""Packages that only networks need."""


def main() -> None:
    """Run the command line; bad input ends with exit code 2 and no traceback."""
    try:
        app(standalone_mode=True)
    except HeadscarpError as error:
        _tell(error)
    except ModuleNotFoundError as error:
        if error.name not in NETWORKS_EXTRA:
            raise
        _tell(_without_extra(error.name))
    except KeyboardInterrupt:
        err_console.print("headscarp: interrupted; no output was written, or it goes on where it stopped")
        sys.exit(130)


def _tell(error: HeadscarpError) -> NoReturn:
    err_console.print(f"[bold red]headscarp: bad input[/]\n{escape(str(error))}", soft_wrap=True)
    sys.exit(error.exit_code)


def _without_extra(name: str) -> OptionsError:
    return OptionsError(
        f"{', '.join(NETWORKS_EXTRA)}, which networks need",
        f"no {name}",
        "nothing can be trained, searched or mapped with a checkpoint",
        "install them: pip install 'headscarp[networks]'",
    )
