"""Dates of mapped landslides, in whatever column and form an inventory holds them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headscarp.errors import GridError
from headscarp.ingest.vector_files import VectorLayer

DATE_COLUMNS = (
    "event_date", "date", "eventdate", "date_event", "ev_date",
    "landslide_date", "slide_date", "occurrence_date",
)  # fmt: skip
"""Looked for in this order, in any case, where no column is named."""


def layer_dates(layer: VectorLayer, column: str | None, required: bool) -> NDArray[np.object_]:
    """Date of each feature of a layer as ISO text, none where there is none.

    Parameters
    ----------
    layer : VectorLayer
        Takes a note of values that are no dates.
    column : str or None
        Name of the column, in any case; none: found by its name.
    required : bool
        Whether a layer with features must have such a column.

    Raises
    ------
    GridError
        If the column is named or required, and missing.
    """
    columns = {str(c).casefold(): str(c) for c in layer.frame.columns.drop("geometry", errors="ignore")}
    wanted = DATE_COLUMNS if column is None else (column.casefold(),)
    found = next((columns[name] for name in wanted if name in columns), None)
    out = np.full(len(layer.frame), None, dtype=object)
    if found is None:
        if len(out) and (required or column is not None):
            raise _without_dates(layer, column, sorted(columns.values()))
        return out
    values = layer.frame[found]
    read = [None if pd.isna(value) else date_of(value) for value in values]
    out[:] = [None if day is None else day.isoformat() for day in read]
    strange = sorted({str(v) for v, d in zip(values, read, strict=True) if d is None and not pd.isna(v)})
    if strange:
        layer.notes.append(
            f"{layer.path.name}: {found} holds no date in {', '.join(map(repr, strange[:3]))}."
        )
    return out


def date_of(value: Any) -> date | None:
    """Day of a date, a moment (in UTC), ISO text, ``YYYYMMDD`` or ``YYYY/MM/DD``; none for anything else.

    Examples
    --------
    >>> date_of("2018/09/06"), date_of(20180906), date_of("06.09.2018")
    (datetime.date(2018, 9, 6), datetime.date(2018, 9, 6), None)
    """
    if isinstance(value, float) and value.is_integer():  # a number column with gaps
        value = int(value)
    text = value.isoformat() if isinstance(value, date) else str(value).strip().replace("/", "-")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.date() if moment.tzinfo is None else moment.astimezone(UTC).date()


def _without_dates(layer: VectorLayer, column: str | None, columns: list[str]) -> GridError:
    wanted = column or "one of " + ", ".join(DATE_COLUMNS)
    return GridError(
        f"a column of dates: {wanted}",
        f"{layer.path}, layer {layer.name}, with the columns {', '.join(columns) or '(none)'}",
        "landslides of other events could not be told from those of this one",
        "name the column (date_column), or do not filter by date",
    )
