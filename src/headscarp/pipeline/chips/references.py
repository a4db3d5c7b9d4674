"""The NDVI of an event that chips are to learn: which moments have one, and whether it is of its moment."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from headscarp.chips.options import CutOptions
from headscarp.config import ChipEventOptions
from headscarp.errors import OptionsError
from headscarp.features.change import SECONDS_A_DAY
from headscarp.features.composite import Moment
from headscarp.ingest.ndvi import NdviReference, read_reference
from headscarp.pipeline.map.plan import Plan

MOMENTS: tuple[Moment, ...] = ("pre", "post")


def read_references(options: ChipEventOptions, cut: CutOptions, plan: Plan) -> dict[Moment, NdviReference]:
    """References of the moments that are cut; empty where landslides are learned.

    Raises
    ------
    HeadscarpError
        If there is none for a moment that is asked for, or for any, if one cannot be read, or was taken on
        the other side of the event.
    """
    if cut.target == "landslide":
        return {}
    paths = {"pre": options.ndvi_pre, "post": options.ndvi_post}
    asked = cut.feature_set.moment
    wanted = [moment for moment in MOMENTS if asked in (None, moment) and paths[moment] is not None]
    if not wanted:
        raise OptionsError(
            f"an NDVI of {options.name} {_side(asked) if asked else 'before or after the event'}",
            "none",
            "there is nothing to learn from",
            f"give events.ndvi_{asked or 'post'}: a raster of NDVI, or a Sentinel-2 L2A product",
        )
    found = {
        moment: read_reference(path, options.ndvi_offset)
        for moment in wanted
        if (path := paths[moment]) is not None
    }
    for moment, reference in found.items():
        _refuse_other_side(reference, moment, plan, options.name)
    return found


def days_apart(plan: Plan, moment: Moment, reference: NdviReference) -> float | None:
    """Days from the middle of the scenes' dates of a moment to its NDVI; none where its date is not known."""
    if reference.acquired is None:
        return None
    times = [
        plan.stacks[label]["time"].values[list(getattr(split, moment))]
        for label, split in plan.splits.items()
    ]
    seconds = np.concatenate(times).astype("datetime64[s]").astype(np.float64)
    return round(float(reference.acquired.timestamp() - np.median(seconds)) / SECONDS_A_DAY, 2)


def _refuse_other_side(reference: NdviReference, moment: Moment, plan: Plan, name: str) -> None:
    when = reference.acquired
    if when is None:
        return
    event_utc: datetime = plan.event.time_utc.astimezone(UTC)
    if (when > event_utc) if moment == "pre" else (when < event_utc):
        raise OptionsError(
            f"an NDVI of {name} {_side(moment)} ({event_utc:%Y-%m-%d %H:%M} UTC)",
            f"{reference.path}, of {when:%Y-%m-%d %H:%M} UTC",
            "landslides would be taught where radar cannot see them yet, or not where it does",
            "give it to the other moment, or fetch an image of this one",
        )


def _side(moment: Moment) -> str:
    return "before the event" if moment == "pre" else "after the event"
