"""``python -m headscarp.synthetic DIR`` writes the demonstration event."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from headscarp.errors import HeadscarpError
from headscarp.synthetic.event import write_demo_event


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the event, say in one line what was written, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m headscarp.synthetic", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the event is written")
    parser.add_argument("--seed", type=int, default=7, help="one seed, one event (%(default)s)")
    parser.add_argument("--size", type=int, default=384, help="pixels a side (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        folder = write_demo_event(options.folder, seed=options.seed, size_px=options.size)
    except HeadscarpError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    scenes = len(list((folder / "scenes").glob("*.tif")))
    sys.stdout.write(f"Wrote {scenes} simulated scenes, dem.tif and inventory.gpkg (the truth) to {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
