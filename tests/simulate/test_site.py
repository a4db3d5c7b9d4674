"""Where simulated events lie."""

from __future__ import annotations

from headscarp.grid import lonlat_centre
from headscarp.simulate.land.site import make_site
from headscarp.simulate.options import SimulateOptions


def test_events_of_other_seeds_lie_elsewhere_at_one_latitude() -> None:
    """So that a split by events finds no two of them on the same ground, and none in another season."""
    sites = [make_site(SimulateOptions(seed=seed, size_px=64)).geobox for seed in (6, 7, 8, 67)]
    centres = [lonlat_centre(geobox) for geobox in sites]
    west = [round(longitude) for longitude, _ in centres]
    assert west == [136, 142, 148, 142]
    assert max(latitude for _, latitude in centres) - min(latitude for _, latitude in centres) < 1e-6
    assert len({str(geobox.crs) for geobox in sites}) == 3
