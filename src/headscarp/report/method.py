"""The paragraphs of the page: how the map came about, and how often it is wrong."""

from __future__ import annotations

from headscarp.record import RunRecord, TerrainRecord
from headscarp.report.wording import (
    flatten,
    own_false_alarms,
    say_count,
    say_km2,
    say_number,
    say_share,
    say_time,
)

_SINGLE_ORBITS = ("ascending only", "descending only")


def _say_expected(record: RunRecord) -> str:
    """Carry the rate over to the ground of this map."""
    alarms, results = own_false_alarms(record), record.results
    if alarms is None:
        return ""
    expected = alarms.per_100km2 * results.observed_km2 / 100
    return (
        f" At the threshold of this run that rate gives about {say_number(expected, 2)} false "
        f"alarms on the {say_km2(results.observed_km2)} observed here, where "
        f"{say_count(results.landslides, 'polygon')} stand on the map. The rate carries over only as far "
        "as both comparisons are equally noisy: more dates, or a quieter season, mean fewer."
    )


def tell_pseudo_event(record: RunRecord) -> str:
    """Tell in plain words what the check for false alarms did.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    str
        A paragraph.
    """
    check = record.pseudo_event
    if check.date_utc is None:
        return (
            "How often this detector flags ground where nothing happened was not measured for "
            "this run. Judge small and isolated polygons with more care."
        )
    return (
        "To see how often this detector flags ground where nothing happened, the scenes from "
        f"before the event were split at a made-up date, {say_time(check.date_utc, False)}, and "
        "compared as if an event had struck then: "
        f"{say_count(check.pre_dates, 'date')} before it with "
        f"{say_count(check.post_dates, 'date')} after it, on {', '.join(check.orbits)}, over "
        f"{say_km2(check.area_km2)}. Whatever is flagged in that comparison is a false alarm, "
        f"unless the ground did change then.{_say_expected(record)}"
    )


def _say_prior(record: RunRecord) -> str:
    found = [(k, v) for k, v in flatten(record.detector.fitted) if "prior" in k.lower()]
    stated = "; ".join(f"{key} = {value}" for key, value in found)
    return f" (stated prior: {stated})" if stated else ""


def _say_shifts(record: RunRecord) -> str:
    shifts = [
        f"{orbit.label}: "
        + ", ".join(
            f"{pol} {shift:+.2f} dB".replace("-", "−") for pol, shift in orbit.regional_shift_db.items()
        )
        for orbit in record.orbits
        if orbit.regional_shift_db
    ]
    return f" ({'; '.join(shifts)})" if shifts else ""


def _tell_terrain(terrain: TerrainRecord | None) -> str:
    if terrain is None:
        return (
            "No DEM was given, so the map has no hillshade, no slope limit and no water mask: "
            "fields, rivers and shores can be flagged."
        )
    return (
        f"With the DEM, ground gentler than {terrain.min_slope_deg:g}° "
        f"({say_km2(terrain.gentle_km2)}) and water ({say_km2(terrain.water_km2)}) were excluded; "
        f"{say_km2(terrain.missing_km2)} of observed ground without a height were kept. "
        f"{terrain.note}{_say_view(terrain)}"
    )


def _say_view(terrain: TerrainRecord) -> str:
    """What the orbits can see of the steep ground; nothing where that was not worked out."""
    if not terrain.steep_km2 or terrain.incidence_deg is None:
        return ""
    shares = {name: area / terrain.steep_km2 for name, area in terrain.steep_seen_km2.items()}
    single = ", ".join(f"{say_share(shares.get(name, 0.0))} {name}" for name in _SINGLE_ORBITS)
    return (
        f" Of the {say_km2(terrain.steep_km2)} of steeper ground, both orbits can see "
        f"{say_share(shares.get('both', 0.0))}, {single}, and nobody "
        f"{say_share(shares.get('neither', 0.0))}: that lies in layover or shadow, from the DEM and "
        f"nominal orbits at an incidence angle of {terrain.incidence_deg:g}°."
    )


def _tell_change(record: RunRecord) -> list[str]:
    count = say_count(len(record.orbits), "orbit")
    medians = (
        "For each orbit and polarisation, the scenes before the event are reduced to their "
        "median, and so are those after it, both in linear power. The change is the median before "
        "minus the median after, in dB, so a positive change is a loss of backscatter."
    )
    if is_network(record) or reads_ndvi(record):
        return [medians]
    return [
        medians,
        "The regional shift of each orbit, its robust median change, is taken out"
        f"{_say_shifts(record)}: it stems from rain, season or calibration, not from landslides. "
        f"The orbits ({count}) are then fused into one change per polarisation.",
    ]


_SCORES = {
    "fusion": "The dates before and after are compared by a t-test for each orbit and polarisation, with "
    "variances moderated by those of the area; the scores of the orbits that can see the ground are combined "
    "and pooled over neighbours. A loss of VH speaks for a landslide, most on vegetation; VV may go either "
    "way; steeper ground is likelier. The weights were set on simulated events.",
    "log-ratio": "The fused changes are standardised by their noise and added.",
    "t-test": "The dates before and after are compared by a t-test for each orbit and polarisation, with "
    "variances moderated by those of the area.",
    "mahalanobis": "The change of all polarisations is measured as a distance, in units of their scatter "
    "before the event.",
    "cusum": "Departures of the dates after the event from the mean before it are summed up date by date.",
}


def _say_score(record: RunRecord) -> str:
    """How the detector makes its score, and over which windows it is pooled."""
    windows = record.detector.fitted.get("windows_px", [1])
    pooled = f" It is pooled over windows of {', '.join(map(str, windows))} pixels." if windows != [1] else ""
    clean = " The composites were despeckled first." if "despeckle" in record.detector.fitted else ""
    return f"{_SCORES.get(record.detector.name, '')}{pooled}{clean}"


def is_network(record: RunRecord) -> bool:
    """Whether the map comes from a trained network rather than from a detector that learned from the area."""
    return "checkpoint_sha256" in record.detector.fitted


def reads_ndvi(record: RunRecord) -> bool:
    """Whether the map comes from the loss of an NDVI that a network predicted."""
    return "ndvi" in record.detector.fitted


def _tell_ndvi(record: RunRecord) -> list[str]:
    fitted = record.detector.fitted
    network = fitted["ndvi"]
    beside = fitted["backscatter"]
    combined = (
        ""
        if beside is None
        else " The loss of backscatter, all orbits and polarisations fused, counts beside it, in units of "
        f"its own spread over the area ({beside['spread_db']:.2g} dB)."
    )
    return [
        f"A network trained elsewhere (checkpoint {network['checkpoint_sha256'][:12]}) predicts NDVI from "
        "the backscatter before the event and after it. The score is the loss of NDVI over the network’s own "
        f"error on its validation chips.{combined} On ground unlike that of its training it cannot be "
        "trusted.",
        _say_probability(record),
    ]


def _tell_network(record: RunRecord) -> list[str]:
    detector, fitted = record.detector, record.detector.fitted
    options, features, trained = fitted["network"], fitted["features"], fitted["trained"]
    stored = dict(fitted["calibration"] or {})
    method = stored.pop("method", None)
    values = ", ".join(f"{name} {value:.3g}" for name, value in stored.items())
    calibrated = "" if method is None else f", calibrated on validation chips ({method}: {values})"
    return [
        f"A network, {options['network']} with {options['filters']} filters, looks at the channels of "
        f"“{features['name']}”: {', '.join(features['channels'])}. It was trained elsewhere "
        f"({trained['epochs']} epochs, seed {trained['seed']}, {trained['created_utc'][:10]}; checkpoint "
        f"{fitted['checkpoint_sha256'][:12]}) and learned nothing from this area: on ground unlike "
        "that of its training its probability cannot be trusted.",
        f"The probability of a landslide is the network’s own{calibrated}. Ground with a probability of "
        f"{detector.threshold:.4g} or more is flagged ({detector.threshold_source}); connected flagged "
        f"ground of at least {say_number(record.results.min_area_m2)} m² becomes a polygon.",
    ]


def _tell_detector(record: RunRecord) -> list[str]:
    detector, pols = record.detector, " and ".join(record.polarizations)
    score = (
        f"The changes of {pols} are combined into one score, {detector.score_name}."
        if len(record.polarizations) > 1
        else f"The score, {detector.score_name}, comes from {pols} alone."
    )
    return [
        f"The noise of the change is estimated robustly from the whole area. {_say_score(record)} {score}",
        _say_probability(record),
    ]


def _say_probability(record: RunRecord) -> str:
    """How a score becomes a probability under an empirical null, and a probability a polygon."""
    detector = record.detector
    return (
        "The probability of a landslide is one minus the local false-discovery rate under an "
        "empirical null, a description of noise fitted to the bulk of this run’s own scores "
        f"(Efron 2004, JASA 99:96–104){_say_prior(record)}.{_say_calibration(record)} Ground with a "
        "probability of "
        f"{detector.threshold:.4g} or more is flagged ({detector.threshold_source}); connected "
        f"flagged ground of at least {say_number(record.results.min_area_m2)} m² becomes a "
        "polygon."
    )


def _say_calibration(record: RunRecord) -> str:
    """How the probability was calibrated on validation ground; nothing where it was not."""
    stored = record.detector.fitted.get("calibration", {})
    method = stored.get("method", "none")
    if method == "none":
        return ""
    ground = str(stored.get("validation_label_sha256", ""))[:12]
    return f" It was then calibrated as fitted on validation ground {ground} ({method})."


def tell_method(record: RunRecord) -> list[str]:
    """Tell in plain words how the map came about.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    list[str]
        Paragraphs.
    """
    if reads_ndvi(record):
        found = _tell_ndvi(record)
    else:
        found = _tell_network(record) if is_network(record) else _tell_detector(record)
    return [*_tell_change(record), *found, _tell_terrain(record.terrain)]
