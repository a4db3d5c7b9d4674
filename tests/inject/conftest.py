"""Small stacks to plant in: both orbits, or one file of many acquisitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headscarp.config import InjectOptions, load_stack_options
from tests.conftest import WriteScene
from tests.pipeline.conftest import EVENT_DATE, TIMES, backscatter, scene_path


def inject_options(scenes: Path, **more: object) -> InjectOptions:
    values = {"scenes": [scenes], "event.date": EVENT_DATE, **more}
    return load_stack_options(InjectOptions, None, {k.replace("__", "."): v for k, v in values.items()})


@pytest.fixture
def quiet_stack(tmp_path: Path, write_scene: WriteScene) -> Path:
    """Six dates before and two after of both orbits, without a landslide."""
    scenes = tmp_path / "scenes"
    for seed, orbit in enumerate(TIMES):
        for step in range(-6, 2):
            rng = np.random.default_rng([seed, step + 100])
            bands = {"VV": backscatter(rng, 0.12), "VH": backscatter(rng, 0.03)}
            write_scene(scene_path(scenes, orbit, step), bands)
    return scenes
