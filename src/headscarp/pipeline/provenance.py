"""Where a figure comes from: version, commit, command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def source_commit() -> str | None:
    """Commit of the source that runs, with "+" where it was changed since; None outside a checkout."""
    folder = Path(__file__).resolve().parent
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    # a package installed in some other project's checkout has that project's commit, not its own
    if commit is None or _git(folder, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return commit + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def command_line() -> list[str]:
    """The command as given."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
