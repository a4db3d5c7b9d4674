"""Which places the splits of a task name."""

from __future__ import annotations

from collections.abc import Sequence

from headscarp.errors import OptionsError
from headscarp.ingest.sen12landslides import ALIGNED
from headscarp.split import Chip, SplitFile


def wanted_places(
    splits: Sequence[SplitFile], sensors: Sequence[str], inventories: Sequence[str]
) -> list[Chip]:
    """Places of the splits of these sensors, each once, by id.

    Raises
    ------
    OptionsError
        If there are none.
    """
    chips = [c for split in splits for c in split.chips if c.series in (*sensors, ALIGNED)]
    wanted = {c.id: c for c in chips if not inventories or c.event in inventories}
    unknown = sorted(set(inventories) - {c.event for c in chips})
    if unknown or not wanted:
        raise OptionsError(
            "inventories of the splits: " + ", ".join(sorted({c.event for c in chips})),
            ", ".join(unknown) or "none",
            "there would be no patch to read",
            "give names as splits.json has them, and a task folder with the sensors' splits",
        )
    return [wanted[i] for i in sorted(wanted)]
