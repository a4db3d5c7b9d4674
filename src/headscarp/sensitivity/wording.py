"""The result in a sentence, worded from the counts."""

from __future__ import annotations

from collections.abc import Sequence

from headscarp.sensitivity.record import Cell

OFTEN = 0.8
"""Recall from which a size counts as found reliably: 4 times in 5."""
USUAL_DB = 3.0
"""Loss of VH that the sentence is about; the nearest of those planted."""
_SMALLEST, _LARGEST = (1, 10), (9, 10)
_FRACTIONS = [(k, n) for n in (2, 3, 4, 5, 10) for k in range(1, n)]


def how_often(found: int, planted: int) -> str:
    """How often something was found, as people say it: the nearest of halves to fifths, and tenths.

    Raises
    ------
    ValueError
        If nothing was tried, or more was found than tried.

    Examples
    --------
    >>> [how_often(k, 50) for k in (0, 5, 25, 40, 50)]
    ['never', '1 time in 10', '1 time in 2', '4 times in 5', 'every time']
    >>> [how_often(k, 50) for k in (2, 48)]
    ['less than 1 time in 10', 'more than 9 times in 10']
    """
    if not 0 <= found <= planted or planted == 0:
        raise ValueError(f"{found} of {planted}")
    if found in (0, planted):
        return "never" if found == 0 else "every time"
    share = found / planted
    k, n = min(_FRACTIONS, key=lambda pair: (abs(share - pair[0] / pair[1]), pair[1]))
    times = f"{k} time{'s' if k > 1 else ''} in {n}"
    if (k, n) == _SMALLEST and share < 0.075:
        return f"less than {times}"
    if (k, n) == _LARGEST and share > 0.925:
        return f"more than {times}"
    return times


def sentence(cells: Sequence[Cell]) -> str:
    """Say what is found at one rate of false alarms, at the loss of VH nearest to 3 dB.

    The sentence is about the smallest size that, like every larger one, is found 4 times in 5; without
    one, about the size that is found most often.

    Parameters
    ----------
    cells : sequence of Cell
        Of one rate.
    """
    rate = cells[0].rate_per_100km2
    known = [cell for cell in cells if cell.recall is not None]
    alarms = f"at {rate:g} false alarm{'' if rate == 1 else 's'} per 100 km²"
    if not known:
        why = "no threshold keeps to that" if any(c.planted for c in cells) else "nothing was planted"
        return f"on this stack nothing can be said {alarms}: {why}"
    usual = min({cell.change_db for cell in known}, key=lambda change: (abs(change - USUAL_DB), change))
    by_size = sorted((c for c in known if c.change_db == usual), key=lambda c: c.size_ha)
    told = _smallest_reliable(by_size)
    if told is not None:
        return f"on this stack, {_cell(told)} {alarms} ({_counted(told)})"
    best = max(by_size, key=lambda c: (c.recall or 0.0, -c.size_ha))
    return (
        f"on this stack, no size planted at {usual:g} dB is found 4 times in 5 {alarms}: "
        f"{_cell(best)} ({_counted(best)})"
    )


def sentences(cells: Sequence[Cell]) -> list[str]:
    """One sentence for each rate, in their order."""
    rates = list(dict.fromkeys(cell.rate_per_100km2 for cell in cells))
    return [sentence([cell for cell in cells if cell.rate_per_100km2 == rate]) for rate in rates]


def _smallest_reliable(by_size: Sequence[Cell]) -> Cell | None:
    reliable = None
    for cell in reversed(by_size):
        if (cell.recall or 0.0) < OFTEN:
            break
        reliable = cell
    return reliable


def _cell(cell: Cell) -> str:
    return f"{cell.size_ha:g} ha at {cell.change_db:g} dB is found {how_often(cell.found, cell.planted)}"


def _counted(cell: Cell) -> str:
    return f"{cell.found} of {cell.planted}; 95% interval {cell.low:.2f} to {cell.high:.2f}"
