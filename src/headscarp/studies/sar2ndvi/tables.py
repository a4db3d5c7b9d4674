"""Tables of the study: the paper's Table 1 beside ours, variants and baselines, errors by kind of ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import yaml
from scipy.stats import f_oneway

from headscarp.studies.cells import CellRecord
from headscarp.studies.sar2ndvi.options import Sar2NdviOptions
from headscarp.studies.sar2ndvi.plan import NETWORK
from headscarp.studies.tables import NOTHING, Table, interval_text, number_text, spread_text

COLUMNS = {"rmse": ("RMSE", 4), "mae": ("MAE", 4), "ssim": ("SSIM", 4), "psnr_db": ("PSNR (dB)", 2)}
"""Figures of Table 1, with title and digits."""
SIGNIFICANT = 0.05
FEWEST_SEEDS = 2


class Published(NamedTuple):
    """What the paper prints.

    Attributes
    ----------
    rows : dict of int to dict of str to float
        Table 1 by window: figures by name.
    average : dict of str to float
        The averages its text states.
    """

    rows: dict[int, dict[str, float]]
    average: dict[str, float]


def read_published() -> Published:
    """Read the paper's numbers."""
    text = resources.files("headscarp.studies.sar2ndvi").joinpath("published.yaml").read_text("utf-8")
    content = yaml.safe_load(text)
    rows = {int(row[0]): dict(zip(COLUMNS, row[1:], strict=True)) for row in content["table_1"]}
    return Published(rows, content["average"])


def table_1(options: Sar2NdviOptions, records: Sequence[CellRecord]) -> Table:
    """The paper's Table 1: windows and their errors, the published row beside ours, and the means."""
    published = read_published()
    titles = [title for title, _ in COLUMNS.values()]
    head = ("Window size", *titles, "RMSE, interval", *(f"published {title}" for title in titles))
    rows = []
    for window in options.windows:
        own = figures_of_row(records, str(window))
        printed = published.rows.get(window, {})
        rows.append(
            (
                str(window),
                *(spread_text([one[name] for one in own], digits) for name, (_, digits) in COLUMNS.items()),
                interval_text(_interval(own), 4),
                *(number_text(printed.get(name), digits) for name, (_, digits) in COLUMNS.items()),
            )
        )
    rows.append(_mean_row(options, records, published))
    return Table(
        "table_1",
        "Effect of the window of local statistics: errors on the mosaic of the judged area, mean ± standard "
        "deviation over seeds, interval over blocks of ground of the first seed; published: Chen & Chiang, "
        "Table 1, other ground and other scenes",
        head,
        tuple(rows),
    )


def comparison_table(options: Sar2NdviOptions, records: Sequence[CellRecord]) -> Table:
    """Windows, variants and baselines by one measure each, with chips and minutes."""
    names = [*options.baselines, *(row.name for row in options.rows)]
    head = ("Row", "RMSE", "MAE", "SSIM", "PSNR (dB)", "R²", "bias", "runs", "chips", "training, s")
    rows = []
    for name in names:
        own = figures_of_row(records, name)
        rows.append(
            (
                f"window {name}" if name.isdigit() else name,
                *(
                    spread_text([one[figure] for one in own], digits)
                    for figure, (_, digits) in COLUMNS.items()
                ),
                spread_text([one["r2"] for one in own], 3),
                spread_text([one["bias"] for one in own], 4),
                str(len(own)),
                str(own[0]["chips"]) if own else NOTHING,
                spread_text([_training_s(one) for one in own], 0),
            )
        )
    caption = "Networks and baselines on the same judged area; R² and bias of the mosaic's pixels"
    return Table("comparison", caption, head, tuple(rows))


def strata_table(options: Sar2NdviOptions, records: Sequence[CellRecord]) -> Table:
    """Errors by kind of ground, over every network of the window study."""
    head = ("Ground", "pixels", "runs", "RMSE", "lowest", "highest", "MAE", "bias")
    runs = [one["strata"] for w in options.windows for one in figures_of_row(records, str(w))]
    rows = []
    for kind, classes in (runs[0] if runs else {}).items():
        for name in classes:
            nodes = [run[kind][name] for run in runs]
            rmse = [node["rmse"] for node in nodes]
            known = [value for value in rmse if value is not None]
            rows.append(
                (
                    f"{kind}: {name}",
                    f"{nodes[0]['pixels']:,}",
                    str(len(nodes)),
                    spread_text(rmse, 4),
                    number_text(min(known, default=None), 4),
                    number_text(max(known, default=None), 4),
                    *(spread_text([node[figure] for node in nodes], 4) for figure in ("mae", "bias")),
                )
            )
    caption = "Errors by kind of ground: mean ± standard deviation over the networks of all windows and seeds"
    return Table("strata", caption, head, tuple(rows))


def verdicts(options: Sar2NdviOptions, records: Sequence[CellRecord]) -> list[str]:
    """What the window study says, and what of the paper's text can be held against it, in sentences."""
    published = read_published()
    told = [_verdict_on_windows(options, records, name) for name in ("rmse", "ssim")]
    means = {name: float(np.mean([row[name] for row in published.rows.values()])) for name in COLUMNS}
    told.append(
        "The paper's Table 1 averages to "
        + ", ".join(
            f"{title} {means[name]:.{digits}f} (its text: {published.average[name]:g})"
            for name, (title, digits) in COLUMNS.items()
        )
        + "."
    )
    apart = [
        window
        for window, row in published.rows.items()
        if abs(20 * np.log10(2.0 / row["rmse"]) - row["psnr_db"]) > 0.02
    ]
    told.append(
        "Its PSNR follows from its RMSE with a data range of 2 in every row."
        if not apart
        else f"Its PSNR does not follow from its RMSE with a data range of 2 for windows {apart}."
    )
    return told


def figures_of_row(records: Sequence[CellRecord], name: str) -> list[Mapping[str, Any]]:
    """Figures of the runs of a row that are done, by seed."""
    own = [record for record in records if record.values["row"] == name and record.state == "done"]
    return [record.figures for record in sorted(own, key=lambda record: int(record.values["seed"]))]


def _verdict_on_windows(options: Sar2NdviOptions, records: Sequence[CellRecord], name: str) -> str:
    groups = {w: [one[name] for one in figures_of_row(records, str(w))] for w in options.windows}
    whole = {w: values for w, values in groups.items() if len(values) >= FEWEST_SEEDS and None not in values}
    title = COLUMNS[name][0]
    if len(whole) < 2:
        return (
            f"{title}: fewer than two windows have {FEWEST_SEEDS} seeds; whether they differ cannot be told."
        )
    means = {w: float(np.mean(values)) for w, values in whole.items()}
    noise = float(np.sqrt(np.mean([np.var(values, ddof=1) for values in whole.values()])))
    p = float(f_oneway(*whole.values()).pvalue)
    best = (max if name == "ssim" else min)(means, key=lambda w: means[w])
    differ = (
        "differ by more than their seeds do"
        if p < SIGNIFICANT
        else "do not differ by more than their seeds do: the order of the windows is noise"
    )
    return (
        f"{title}: means of {len(whole)} windows span {max(means.values()) - min(means.values()):.4f}, seeds "
        f"of one window scatter by {noise:.4f} (standard deviation); the windows {differ} (one-way analysis "
        f"of variance, p = {p:.2g}). Best: window {best}, {means[best]:.4f}."
    )


def _mean_row(
    options: Sar2NdviOptions, records: Sequence[CellRecord], published: Published
) -> tuple[str, ...]:
    means = []
    for name, (_, digits) in COLUMNS.items():
        rows = [[one[name] for one in figures_of_row(records, str(window))] for window in options.windows]
        known = [np.mean(values) for values in rows if values and None not in values]
        means.append(number_text(float(np.mean(known)) if len(known) == len(rows) else None, digits))
    printed = [
        number_text(float(np.mean([row[name] for row in published.rows.values()])), digits)
        for name, (_, digits) in COLUMNS.items()
    ]
    return ("mean", *means, NOTHING, *printed)


def _interval(figures: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    span = figures[0]["intervals"]["rmse"] if figures else None
    return None if span is None else (span[0], span[1])


def _training_s(figures: Mapping[str, Any]) -> float:
    training = figures.get("training")
    return float(training["seconds"] if training else figures["training_s"])


def is_network(record: CellRecord) -> bool:
    """Whether a cell is a trained network that is done."""
    return record.values["kind"] == NETWORK and record.state == "done"
