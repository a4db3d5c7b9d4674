"""Where the paper contradicts itself, found by computing with what it prints.

Rounding is given its due: a printed number is contradicted only where no numbers that round to the printed
ones could give it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from headscarp.studies.pan_shi.published import (
    Published,
    PublishedEvent,
    PublishedRow,
    f1_of,
    f1_range,
    iou_of,
    read_published,
)
from headscarp.studies.tables import Table

HALF_F1 = 0.005
"""Half of the last digit of F1 and IoU as printed."""
HALF_PERCENT, TOLERANCE = 0.005, 1e-6
KM_A_DEGREE = 111.32
"""Of latitude, and of longitude at the equator."""


class Finding(NamedTuple):
    """A contradiction, in words and numbers."""

    where: str
    text: str


def contradicted_rows(event: PublishedEvent) -> dict[str, float]:
    """Rows whose printed F1 cannot follow from their printed precision and recall, with the F1 that does.

    Examples
    --------
    >>> contradicted_rows(read_published().events["hokkaido"])
    {}
    """
    found = {}
    for name, row in event.rows.items():
        low, high = f1_range(row)
        if not low - HALF_F1 <= row.f1 <= high + HALF_F1:
            found[name] = round(f1_of(row.precision, row.recall), 2)
    return found


def f1_table(published: Published | None = None) -> Table:
    """F1 and IoU of every row as printed, and as they follow from precision and recall."""
    rows = []
    for event in (published or read_published()).events.values():
        wrong = contradicted_rows(event)
        for name, row in event.rows.items():
            follows = f1_of(row.precision, row.recall)
            verdict = "contradicted" if name in wrong else "agrees"
            cells = [row.f1, follows, row.iou, iou_of(row.f1), iou_of(follows)]
            rows.append((f"Table {event.table}, {name}", *(f"{cell:.2f}" for cell in cells), verdict))
    head = (
        "Row",
        "F1 printed",
        "F1 of its P and R",
        "IoU printed",
        "IoU of the printed F1",
        "IoU of P and R",
        "",
    )
    return Table(
        "published_f1", "F1 of the paper's Tables 3 and 4, printed and recomputed", head, tuple(rows)
    )


def percentage_table(published: Published | None = None) -> Table:
    """The stated increases of F1, from the printed F1 and from the one that follows from P and R."""
    source = published or read_published()
    rows = []
    for own in source.percentages:
        event = source.events[own.event]
        better, worse = event.rows[own.better], event.rows[own.worse]
        printed = increase_percent(better.f1, worse.f1)
        follows = increase_percent(_f1(better), _f1(worse))
        points = f"{100 * (better.f1 - worse.f1):.0f}"
        name = f"{event.title}: {own.better} over {own.worse}"
        rows.append((name, f"{own.percent:.2f}", f"{printed:.2f}", points, f"{follows:.2f}", own.where))
    head = ("Increase of F1", "stated, %", "of printed F1, %", "points of F1", "of P and R, %", "stated in")
    return Table("published_increases", "Increases of F1 that the paper states", head, tuple(rows))


def increase_percent(better: float, worse: float) -> float:
    """Relative increase, per cent.

    Examples
    --------
    >>> round(increase_percent(0.81, 0.77), 2)
    5.19
    """
    return 100.0 * (better / worse - 1.0)


def findings(published: Published | None = None) -> list[Finding]:
    """Every contradiction that was found, with the numbers behind it."""
    source = published or read_published()
    return [
        *_of_f1(source),
        *_of_percentages(source),
        *_of_polarisation(source),
        *_of_segnet(source),
        *_of_windows(source),
        *_of_images(source),
        *_of_pixels(source),
        *_of_groups(),
        *_of_captions(),
    ]


def _of_f1(source: Published) -> Iterator[Finding]:
    for event in source.events.values():
        wrong = contradicted_rows(event)
        if wrong:
            told = "; ".join(
                f"{name} {event.rows[name].f1:.2f} → {value:.2f}" for name, value in wrong.items()
            )
            sided = sum(
                abs(iou_of(value) - event.rows[name].iou)
                < abs(iou_of(event.rows[name].f1) - event.rows[name].iou)
                for name, value in wrong.items()
            )
            text = (
                f"F1 does not follow from precision and recall (equation 11) in {len(wrong)} of "
                f"{len(event.rows)} rows, even if both are rounded: {told}. In {sided} of them the "
                "printed IoU is "
                "nearer to the recomputed F1 than to the printed one."
            )
            yield Finding(f"Table {event.table}", text)


def _of_percentages(source: Published) -> Iterator[Finding]:
    lost = []
    for own in source.percentages:
        rows = source.events[own.event].rows
        better, worse = rows[own.better], rows[own.worse]
        printed, follows = increase_percent(better.f1, worse.f1), increase_percent(_f1(better), _f1(worse))
        if abs(printed - own.percent) > HALF_PERCENT + TOLERANCE:
            text = f"{own.better} over {own.worse}: stated {own.percent} %, printed F1 give {printed:.2f} %."
            yield Finding(own.where, text)
        if follows < own.percent / 2:
            where = source.events[own.event].title
            lost.append(f"{where}, {own.better} over {own.worse}: {own.percent} % → {follows:.1f} %")
    if lost:
        text = (
            "The stated increases are those of the printed F1. With the F1 that follows from precision and "
            f"recall, less than half is left of {'; '.join(lost)}."
        )
        yield Finding("Abstract, §4, §6", text)
    text = (
        "The abstract gives one increase of fusion for each event, 5.19 % and 8.82 %. The first is over "
        "Group 2, the "
        "second over Group 3: each time the larger of two. All are relative: 5.19 % is 4 points of F1."
    )
    yield Finding("Abstract", text)


def _of_polarisation(source: Published) -> Iterator[Finding]:
    rows = source.events["hokkaido"].rows
    vv, vh = rows["Group 5"].f1, rows["Group 6"].f1
    if vh > vv:
        text = (
            "§4.1 concludes from Group 5 (VV) below Group 6 (VH) that VH has less capability at Hokkaido "
            "than VV. "
            f"Table 3 has VV {vv:.2f} and VH {vh:.2f}, and §5.2 says that VH was the better one there."
        )
        yield Finding("§4.1, §5.2, Table 3", text)


def _of_segnet(source: Published) -> Iterator[Finding]:
    event = source.events["hokkaido"]
    row = event.rows["1-SegNet"]
    share = event.training_landslide_px / event.training_px
    if row.recall == 1.0:
        text = (
            f"SegNet has recall 1 and precision {row.precision:.2f}. {share:.1%} of the training pixels "
            "are landslide: "
            f"a map of nothing but landslides has precision {share:.2f} and F1 {f1_of(share, 1.0):.2f}. "
            "The row does "
            "not show a network that learned."
        )
        yield Finding("Table 3", text)


def _of_windows(source: Published) -> Iterator[Finding]:
    for event in source.events.values():
        last, moment = event.pre_window[1], event.event_utc
        if last > moment.date():
            text = (
                f"{event.title}: the pre-event window ends on {last:%-d %B %Y}, after the event of "
                f"{moment:%-d %B %Y, %H:%M} UTC. A pass of that day would count as before it. (The "
                "windows here end "
                "on the event's day, and a pass after its moment is not before it.)"
            )
            yield Finding("Table 2", text)


def _of_images(source: Published) -> Iterator[Finding]:
    told = []
    for event in source.events.values():
        days = (event.pre_window[1] - event.pre_window[0]).days
        most = days // source.revisit_days + 1
        for state, count in event.pre_images.items():
            if count > most:
                told.append(f"{event.title} {state} {count}, one track {most}")
    if told:
        text = (
            "Table 2 names Sentinel-1A alone and one track. One track has a pass every "
            f"{source.revisit_days} days, "
            f"which gives fewer dates before the event than images: {'; '.join(told)}. So images are "
            "counted by "
            "frame, or are of several tracks; the paper does not say which, nor how their medians are formed."
        )
        yield Finding("Table 2", text)


def _of_pixels(source: Published) -> Iterator[Finding]:
    event = source.events["hokkaido"]
    if event.extent_deg is None or event.extent_km2 is None:
        return
    _, south, _, north = event.extent_deg
    across_m = source.pixel_deg * KM_A_DEGREE * 1e3 * np.cos(np.radians((south + north) / 2))
    along_m = source.pixel_deg * KM_A_DEGREE * 1e3
    km2 = (event.training_px + event.validation_px) * source.pixel_m**2 / 1e6
    text = (
        f"Pixels are said to be {source.pixel_m:g} m and {source.pixel_deg:g}°. At "
        f"{(south + north) / 2:.2f}° N the "
        f"latter are {across_m:.1f} × {along_m:.1f} m. Both areas together have "
        f"{event.training_px + event.validation_px:,} pixels: {km2:.0f} km² at {source.pixel_m:g} m, more "
        "than the "
        f"{event.extent_km2:g} km² of the county that they are said to lie in "
        f"({km2 * across_m * along_m / source.pixel_m**2:.0f} km² in degrees)."
    )
    yield Finding("§3.1, §3.2", text)


def _of_groups() -> Iterator[Finding]:
    yield Finding(
        "Table 1, §4",
        "Group 4 against Groups 5 and 6 is said to be two polarisations against one. Group 4 looks at the "
        "change between two images, Groups 5 and 6 at the images themselves, which also show what was there "
        "before: the comparison does not tell the polarisations from the form of the input.",
    )


def _of_captions() -> Iterator[Finding]:
    yield Finding(
        "Figure 7, §4.1",
        "The text says that Figure 7a shows the landslides and 7b–d the maps; by its caption a is the "
        "DEM, b the "
        "optical image, c the landslides, d–f the maps.",
    )
    yield Finding(
        "Figure 10, §4.2",
        "The caption dates the optical image of Papua New Guinea as that of Hokkaido (12 September 2018 "
        "to 12 "
        "September 2019); the text and Figure 12 say 26 February to 30 December 2018.",
    )
    yield Finding(
        "§3.2, §4.1",
        "The validation chips of Tables 3 and 4 are those “exclusively used to test the accuracy … for "
        "acquiring the "
        "optimal weights”: the scores are a maximum over epochs and hyperparameters on the chips they "
        "are stated "
        "for. No number is given for the validation areas.",
    )


def _f1(row: PublishedRow) -> float:
    return f1_of(row.precision, row.recall)
