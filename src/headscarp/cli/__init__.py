"""The command line: arguments to options, options to the pipeline, errors to people."""

from __future__ import annotations

import sys

from rich.markup import escape

from headscarp.cli import audit as _audit  # noqa: F401
from headscarp.cli import evaluate as _evaluate  # noqa: F401  (a module registers its commands)
from headscarp.cli import inject as _inject  # noqa: F401
from headscarp.cli import map as _map  # noqa: F401
from headscarp.cli import simulate as _simulate  # noqa: F401
from headscarp.cli.app import app, err_console
from headscarp.errors import HeadscarpError


def main() -> None:
    """Run the command line; bad input ends with exit code 2 and no traceback."""
    try:
        app(standalone_mode=True)
    except HeadscarpError as error:
        err_console.print(f"[bold red]headscarp: bad input[/]\n{escape(str(error))}", soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err_console.print("headscarp: interrupted; nothing was written")
        sys.exit(130)
