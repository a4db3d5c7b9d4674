"""Fixtures that the tests of detectors share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headscarp.event import Event, EventOptions
from headscarp.features.change import Change, change_of_stacks, split_dates
from headscarp.ingest.area import AreaOptions, choose_grid
from headscarp.ingest.files import read_scene_files
from headscarp.ingest.passes import drop_repeats, group_scenes
from headscarp.ingest.stack import open_stacks
from tests.detect.made_change import ALL_MOMENTS


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20231112)


@pytest.fixture(scope="session")
def t137_change(real_data: Path) -> Change:
    """Real change around 2023-11-12, when nothing happened: four dates before, four after."""
    folder = real_data / "opera_rtc_s1" / "T137"
    paths = sorted(path for month in (10, 11, 12) for path in folder.glob(f"*_2023{month}??T*_v1.0_V?.tif"))
    options = EventOptions(
        date="2023-11-12", pre=("2023-10-01", "2023-11-11"), post=("2023-11-13", "2023-12-31")
    )
    files = read_scene_files(paths).files
    geobox = choose_grid(files, AreaOptions()).geobox
    stacks = open_stacks(group_scenes(drop_repeats(files)[0]), geobox)
    event = Event.from_options(options)
    splits = {label: split_dates(stack, event) for label, stack in stacks.items()}
    assert [(len(split.pre), len(split.post)) for split in splits.values()] == [(4, 4)]
    change = change_of_stacks(stacks, splits, ALL_MOMENTS)
    seen = change["change_db"].notnull().any(("orbit", "polarization"))  # the crops lie far apart
    return change.isel(y=seen.any("x").values, x=seen.any("y").values)
