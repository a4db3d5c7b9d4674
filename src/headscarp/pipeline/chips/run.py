"""``headscarp chips``: the store of chips of many events, and its split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headscarp import __version__
from headscarp.chips.draw import draw_split, split_places
from headscarp.chips.options import CutOptions, SplitOptions
from headscarp.chips.store import ChipError, ChipStore, StoreFacts, open_store
from headscarp.chips.writer import Layout, StoreWriter, open_writer
from headscarp.config import ChipEventOptions
from headscarp.errors import OptionsError, OutputError
from headscarp.pipeline.chips.cut import cut_region, regions_with_data
from headscarp.pipeline.chips.prepare import PreparedEvent, prepare_event, refuse_mixed
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.run_folder import block_cache
from headscarp.split import SplitFile, read_split, split_json, write_split

SPLIT_JSON = "split.json"
_PATHS: Any = {
    "scenes": True,
    "inventory": True,
    "ignore": True,
    "rasters": True,
    "ndvi_pre": True,
    "ndvi_post": True,
    "terrain": {"dem"},
    "area": {"aoi"},
}
"""Options that name files: these count by their contents, wherever they lie."""


def make_chips(
    events: Sequence[ChipEventOptions],
    cut: CutOptions,
    store: Path,
    progress: Progress = silent,
    overwrite: bool = False,
) -> ChipStore:
    """Build a store of chips, take it up where it stopped, or use the one that stands there.

    Parameters
    ----------
    events : sequence of ChipEventOptions
    cut : CutOptions
    store : Path
        The zarr store; it appears when it is complete.
    progress : callable, optional
        Told of each stage's progress.
    overwrite : bool
        Replace a store of other options or inputs.

    Returns
    -------
    ChipStore
        Open; of the same options, inputs and version as one that stood there, that one.

    Raises
    ------
    HeadscarpError
        On bad input; a store that stood there is then untouched.
    """
    if not events:
        raise OptionsError(
            "at least one event",
            "none",
            "there is nothing to cut chips from",
            "give events: [{scenes: [FOLDER]}]",
        )
    stages = Stages(progress)
    with block_cache():
        prepared = [prepare_event(event, cut, stages) for event in events]
        refuse_mixed(prepared, cut.feature_set)
        key = store_key(prepared, cut)
        if _is_reusable(store, key, overwrite):
            return open_store(store)
        writer = open_writer(store, key, _layout(prepared, cut))
        for event in prepared:
            _cut_event(event, cut, writer, stages)
        writer.finish(_facts(prepared, cut, key, writer))
    return open_store(store)


def choose_split(store: ChipStore, options: SplitOptions) -> SplitFile:
    """Split of a store: the file of the options where they name one, else one drawn from it.

    Raises
    ------
    HeadscarpError
        If the file cannot be read or does not fit the store, or the chips cannot be split so.
    """
    split = draw_split(store.facts, options) if options.file is None else read_split(options.file)
    split_places(store.facts, split)
    return split


def keep_split(path: Path, split: SplitFile, overwrite: bool = False) -> None:
    """Write a split, unless another stands there.

    Raises
    ------
    OutputError
        If another does: whoever reads it would find other chips than those it trained on.
    """
    if path.exists() and not overwrite and path.read_text(encoding="utf-8") != split_json(split):
        raise OutputError(
            "no other split where this one is to be written",
            str(path),
            "models that used it could no longer be compared with it",
            "pass --overwrite to replace it, or write the store to another folder",
        )
    write_split(path, split)


def store_key(events: Sequence[PreparedEvent], cut: CutOptions) -> str:
    """SHA-256 of what decides about every byte of a store: options, contents of files, version."""
    content = {
        "headscarp": __version__,
        "cut": cut.model_dump(mode="json", exclude={"features"}),
        "features": cut.feature_set.model_dump(mode="json"),
        "events": [
            [event.facts.inputs_sha256, event.options.model_dump(mode="json", exclude=_PATHS)]
            for event in events
        ],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_reusable(path: Path, key: str, overwrite: bool) -> bool:
    """Whether the store that stands there is the one asked for.

    Raises
    ------
    OutputError
        If something else stands there that is not to be replaced.
    """
    if not path.exists():
        return False
    try:
        standing = open_store(path).facts
    except ChipError as error:
        raise _taken(path, "no store of chips", "choose another --out") from error
    if standing.key != key and not overwrite:
        found = f"a store of {len(standing.chips)} chips of other options, inputs or version"
        raise _taken(path, found, "pass --overwrite to replace it, or choose another --out")
    return standing.key == key


def _taken(path: Path, found: str, fix: str) -> OutputError:
    return OutputError(
        "no file or folder there, or the store of the same options and inputs",
        f"{path}, {found}",
        "chips that others train on would be lost",
        fix,
    )


def _layout(events: Sequence[PreparedEvent], cut: CutOptions) -> Layout:
    dates = max(0 if event.days is None else len(event.days) for event in events)
    most = sum(
        len(region.corners) * max(len(event.references), 1)
        for event in events
        for region in regions_with_data(event, cut)
    )
    return Layout(cut.feature_set, cut.size_px, dates, most, cut.target == "ndvi")


def _cut_event(event: PreparedEvent, cut: CutOptions, writer: StoreWriter, stages: Stages) -> None:
    """Cut the regions of an event that are not there yet, in order."""
    name = event.options.name
    keys = {f"{name}/{region.name}": region for region in regions_with_data(event, cut)}
    left = {key: region for key, region in keys.items() if key not in writer.done}
    found = stages.map(f"cutting {name}", lambda region: cut_region(event, cut, region), left.values())
    for key, chips in zip(left, found, strict=True):
        writer.append(key, chips)
    if not any(chip.event == name for chip in writer.chips):
        raise ChipError(
            f"chips of {name} of which {cut.min_observed:.0%} were observed"
            + (", and have an NDVI" if cut.target == "ndvi" else ""),
            f"none, of {sum(len(region.corners) for region in keys.values())} places",
            "the event would be missing from the training without a sign",
            "lower chips.min_observed or chips.size_px, widen the area, or leave the event out",
        )


def _facts(events: Sequence[PreparedEvent], cut: CutOptions, key: str, writer: StoreWriter) -> StoreFacts:
    first = events[0]
    return StoreFacts(
        headscarp=__version__,
        key=key,
        features=cut.feature_set,
        size_px=cut.size_px,
        stride_px=cut.stride_px,
        spacing_m=abs(first.plan.geobox.transform.a),
        pooling=first.options.change.pooling,
        target=cut.target,
        events=tuple(event.facts for event in events),
        chips=tuple(writer.chips),
    )
