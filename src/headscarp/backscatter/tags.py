"""Every fact of an acquisition as tags of its GeoTIFF, named as readers look for them."""

from __future__ import annotations

from headscarp.backscatter.options import BackscatterOptions
from headscarp.backscatter.passes import Acquisition
from headscarp.backscatter.radiometry import FLOOR_SHARE
from headscarp.backscatter.record import AcquisitionRecord, BackscatterRecord


def acquisition_tags(
    acquisition: Acquisition, record: AcquisitionRecord, whole: BackscatterRecord
) -> dict[str, str]:
    """Tags of the backscatter of an acquisition: its facts, then each step of the chain.

    Parameters
    ----------
    acquisition : Acquisition
    record : AcquisitionRecord
        What was found while it was processed.
    whole : BackscatterRecord
        Options, heights and grid.
    """
    one, options = acquisition.annotation, whole.options
    facts = {
        "HEADSCARP": f"backscatter {whole.headscarp}",
        "UNITS": "linear power",
        "ACQUIRED": f"{one.acquired:%Y-%m-%dT%H:%M:%SZ}",
        "PLATFORM": one.platform,
        "ORBIT_STATE": one.orbit_state.value,
        "ABSOLUTE_ORBIT": str(one.absolute_orbit),
        "DATA_TAKE": str(one.data_take),
        "PRODUCTS": " ".join(part.product for part in record.slices),
        "PROCESSED": " ".join(part.processed or "unknown" for part in record.slices),
    }
    if acquisition.relative_orbit is not None:
        facts["RELATIVE_ORBIT"] = str(acquisition.relative_orbit)
    return facts | _steps(options, record) | _ground(whole)


def _steps(options: BackscatterOptions, record: AcquisitionRecord) -> dict[str, str]:
    slices = record.slices
    borders = {pol: sum(part.border_samples.get(pol, 0) for part in slices) for pol in record.polarizations}
    dropped = ", ".join(f"{pol} {count} samples" for pol, count in borders.items())
    return {
        "ORBIT": "; ".join(dict.fromkeys(part.orbit for part in slices)),
        "BORDER_NOISE": f"removed ({dropped})" if options.border_noise else "kept",
        "THERMAL_NOISE": "; ".join(
            dict.fromkeys(f"{pol} {done}" for part in slices for pol, done in part.noise.items())
        ),
        "NOISE_FLOOR": f"{FLOOR_SHARE} of the noise-equivalent power, {record.floor_share:.4%} of the values",
        "CALIBRATION": options.coefficient.value,
        "TERRAIN_FLATTENING": "gamma0 by projected area" if options.flatten else "none",
        "BACKSCATTER": backscatter_words(options),
        "GROUND_RANGE": f"{options.ground_range} polynomial",
        "TERRAIN_CORRECTION": "range-Doppler, bilinear in power",
    }


def _ground(whole: BackscatterRecord) -> dict[str, str]:
    dem = whole.options.dem
    return {
        "DEM": dem.name if dem is not None else "",
        "HEIGHTS": whole.heights,
        "DEM_COVERAGE": f"{whole.dem_coverage:.4f}",
        "SUBSET": whole.grid_source,
    }


def backscatter_words(options: BackscatterOptions) -> str:
    """What the numbers are, in words."""
    if options.flatten:
        return "gamma0, radiometrically terrain flattened"
    return f"{options.coefficient.value} of the ellipsoid, geometrically terrain corrected"
