"""One small simulated event for the tests of this room."""

from __future__ import annotations

import pytest

from headscarp.simulate.event import SimulatedEvent, simulate_event
from headscarp.simulate.options import SimulateOptions

SMALL = SimulateOptions(size_px=192, spacing_m=20.0, pre=3, post=2, landslides=60)
"""192 pixels at 20 m: small enough for seconds, large enough for mountains, fields and layover."""


@pytest.fixture(scope="session")
def small() -> SimulatedEvent:
    return simulate_event(SMALL)
