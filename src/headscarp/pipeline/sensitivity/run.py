"""Planting, mapping and counting, round by round.

Every finished round leaves its counts in the folder, so that an interrupted call is taken up where it ended.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headscarp import __version__
from headscarp.config import InjectOptions, SensitivityOptions, StackOptions
from headscarp.inject.place import Room
from headscarp.inject.shapes import read_shapes
from headscarp.pipeline.inject import run_inject
from headscarp.pipeline.map.method import stated_method
from headscarp.pipeline.map.plan import make_plan
from headscarp.pipeline.map.run import run_map
from headscarp.pipeline.sensitivity.folder import ROUNDS, SCRATCH, UNTOUCHED, key_of, prepare_folder
from headscarp.pipeline.sensitivity.maps import (
    MATCH,
    Untouched,
    count_round,
    find_free_room,
    find_thresholds,
    map_untouched,
)
from headscarp.pipeline.stages import Progress, silent
from headscarp.run_folder import read_record, write_atomically
from headscarp.sensitivity.counts import RoundCounts, cells, total
from headscarp.sensitivity.figure import draw_sensitivity
from headscarp.sensitivity.plan import plan_round, refuse_small_room, room_km2
from headscarp.sensitivity.record import RateRecord, SensitivityRecord
from headscarp.sensitivity.wording import sentences

SENSITIVITY_JSON, SENSITIVITY_CSV, SENSITIVITY_PNG = "sensitivity.json", "sensitivity.csv", "sensitivity.png"


class _Setting(NamedTuple):
    """What every round shares."""

    options: SensitivityOptions
    room: Room
    shapes: NDArray[np.object_] | None
    rates: list[RateRecord]


def run_sensitivity(
    options: SensitivityOptions, out: Path, overwrite: bool = False, progress: Progress = silent
) -> SensitivityRecord:
    """Count which planted landslides are found on a stack, at stated numbers of false alarms.

    Parameters
    ----------
    options : SensitivityOptions
        Those of the map, and what is planted.
    out : Path
        Folder to write. Where it holds rounds of the same options and scenes they are not done again; more
        ``rounds`` than before continue it.
    overwrite : bool
        Begin anew where the folder holds another sensitivity.
    progress : callable, optional
        Told of the progress.

    Returns
    -------
    SensitivityRecord
        What ``sensitivity.json`` holds.

    Raises
    ------
    HeadscarpError
        On bad input; a new folder is not left behind then.
    """
    own = options.sensitivity
    shapes = None if own.shapes is None else read_shapes(own.shapes)
    plan = make_plan(options.map_options())
    stated_method(options.map_options())  # refuses a validation that does not fit, before anything is written
    key = key_of(options, plan)
    is_new = prepare_folder(out, key, overwrite)
    try:
        untouched = map_untouched(options.map_options(), out / UNTOUCHED, progress)
        rates = find_thresholds(untouched, own.rates)
        room = find_free_room(plan, untouched, rates, own.gap_m, progress)
        refuse_small_room(room, own, shapes)
        setting = _Setting(options, room, shapes, rates)
        rounds = _rounds(setting, out, progress)
    except BaseException:
        if is_new and not any((out / ROUNDS).glob("*.json")):
            shutil.rmtree(out, ignore_errors=True)
        raise
    record = _record(setting, untouched, rounds, key)
    _write(out, record)
    return record


def _rounds(setting: _Setting, out: Path, progress: Progress) -> list[RoundCounts]:
    """Counts of all rounds, those that are done read back."""
    wanted = setting.options.sensitivity.rounds
    (out / ROUNDS).mkdir(exist_ok=True)
    counts = []
    for number in range(wanted):
        progress("rounds", number, wanted)
        path = out / ROUNDS / f"{number:04d}.json"
        if not path.is_file():
            write_atomically(path, _round(setting, number, out).model_dump_json() + "\n")
        counts.append(RoundCounts.model_validate_json(path.read_text(encoding="utf-8")))
    progress("rounds", wanted, wanted)
    return counts


def _round(setting: _Setting, number: int, out: Path) -> RoundCounts:
    """Plant, map and count, in a folder that is gone afterwards."""
    options = setting.options
    planted = plan_round(setting.room, options.sensitivity, setting.shapes, number)
    stack = InjectOptions(**{name: getattr(options, name) for name in StackOptions.model_fields})
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=out) as scratch:
        event, run = Path(scratch) / "event", Path(scratch) / "run"
        run_inject(stack, event, outlines=planted.landslides)
        run_map(options.map_options().model_copy(update={"scenes": (event / "scenes",)}), run)
        return count_round(planted, run, setting.rates, options.sensitivity, options.polygons)


def _record(
    setting: _Setting, untouched: Untouched, rounds: list[RoundCounts], key: dict[str, Any]
) -> SensitivityRecord:
    own = setting.options.sensitivity
    found = cells(rounds, setting.rates, own.sizes_ha, own.changes_db)
    missing = int(total([r.without_room for r in rounds]).sum())
    return SensitivityRecord(
        headscarp=__version__,
        commit=key["commit"],
        options=setting.options.model_dump(mode="json"),
        inputs_sha256=key["inputs_sha256"],
        detector=read_record(untouched.folder).detector.name,
        observed_km2=round(untouched.observed_km2, 4),
        room_km2=round(room_km2(setting.room), 4),
        min_overlap=MATCH.min_overlap,
        min_area_m2=untouched.polygons.min_area_m2,
        rates=setting.rates,
        rounds=len(rounds),
        without_room=missing,
        cells=found,
        sentences=sentences(found),
        notes=_notes(setting.rates, missing),
    )


def _notes(rates: list[RateRecord], missing: int) -> list[str]:
    room = f"{missing} landslides found no room; they count neither as planted nor as missed."
    out_of_reach = [
        f"No threshold keeps to {rate.rate_per_100km2:g} false alarms per 100 km²: even the highest shows "
        f"{rate.per_100km2:.3g}."
        for rate in rates
        if rate.threshold is None
    ]
    return ([room] if missing else []) + out_of_reach


def _write(out: Path, record: SensitivityRecord) -> None:
    rows = pd.DataFrame([cell.model_dump() for cell in record.cells])
    write_atomically(out / SENSITIVITY_CSV, rows.to_csv(index=False))
    draw_sensitivity(out / SENSITIVITY_PNG, record)
    write_atomically(out / SENSITIVITY_JSON, record.model_dump_json(indent=2) + "\n")
