"""What an evaluation comes to, in plain sentences, and the key figures at the head of its page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headscarp.evaluate.record import Evaluation
from headscarp.report.evaluation.values import (
    AT_THRESHOLD,
    MARKS,
    UNDEFINED,
    Method,
    Value,
    compare,
    difference_at,
    node_at,
    say,
    say_percent,
    say_ratio,
)
from headscarp.report.wording import Tile, say_count, say_km2, say_number

_RANKING = "pixel average_precision"
_MAPPING = ("pixel at_threshold f1", "landslides detection_rate", "landslides false_alarms_per_100km2")
_PHRASES = {
    "pixel at_threshold f1": "F1",
    "landslides detection_rate": "the share of landslides found",
    "landslides false_alarms_per_100km2": "false alarms",
}
_MAP_WORDS = {
    "worse": "ahead in",
    "not told apart": "level in",
    "better": "behind in",
}
"""What an outcome for the prediction means for the baseline."""
_ERROR = "expected_calibration_error"
_AP, _F1, _RATE, _ALARMS = "average_precision", "f1", "detection_rate", "false_alarms_per_100km2"


class Sentence(NamedTuple):
    """A sentence on a baseline."""

    mark: str
    """Whether the prediction is better or worse, or neither; empty where that cannot be said."""
    text: str


def say_found(method: Method) -> str:
    """Say what the prediction finds, in one sentence.

    Parameters
    ----------
    method : Method
        The prediction.
    """
    mapped, rate = landslide_count(method, "mapped"), method.value("landslides", _RATE)
    alarms, f1 = method.value("landslides", _ALARMS), method.value("pixel", AT_THRESHOLD, _F1)
    ranking = say(method.value("pixel", _AP), _AP, 2)
    if not node_at(method.tree, ("pixel",)).get("pixels"):
        return "No pixel was evaluated: every figure is undefined."
    if mapped is None:
        drawn = "without a threshold it draws no landslides"
        return f"{method.name} ranks pixels with an average precision of {ranking}; {drawn}."
    false = f"{say(alarms, _ALARMS)} false alarms per 100 km²"
    if mapped == 0:
        nothing = "No landslide was mapped on the evaluated ground, so nothing can be said of what"
        return f"{nothing} {method.name} finds; it draws {false}."
    found = f"{say(rate, _RATE)} of {say_number(mapped)} mapped landslides"
    return f"{method.name} finds {found}, with {false}; F1 {say(f1, _F1, 2)}, average precision {ranking}."


def say_rivals(evaluation: Evaluation, methods: Sequence[Method]) -> list[Sentence]:
    """Say how the baselines fare; plainly where one is as good or better.

    Parameters
    ----------
    evaluation : Evaluation
    methods : sequence of Method
        The prediction first.

    Returns
    -------
    list of Sentence
        The strongest baseline first, the map without a landslide last.
    """
    rivals = [method for method in methods[1:] if not method.is_constant]
    rivals.sort(key=lambda method: -(method.value("pixel", _AP).value or 0.0))
    sentences = [_say_rival(evaluation, methods[0], rival) for rival in rivals]
    share = methods[0].value("pixel", "landslide_share").value
    if share and any(method.is_constant for method in methods):
        right = f"A map without any landslide is right on {say_percent(1 - share)} % of the pixels"
        sentences.append(Sentence("", f"{right}: accuracy says nothing here."))
    return sentences


def key_tiles(evaluation: Evaluation, method: Method) -> list[Tile]:
    """Choose the figures at the head of the page.

    Parameters
    ----------
    evaluation : Evaluation
    method : Method
        The prediction.

    Returns
    -------
    list of Tile
        In reading order; undefined ones stay, as a dash.
    """
    found, mapped = landslide_count(method, "detected"), landslide_count(method, "mapped")
    false, predicted = landslide_count(method, "false"), landslide_count(method, "predicted")
    ground_km2 = sum(ground.evaluated_km2 for ground in evaluation.grounds)
    ground, blocks = (
        say_count(len(evaluation.grounds), "ground"),
        f"{say_count(evaluation.blocks.count, 'block')} for the intervals",
    )
    at = evaluation.threshold.value
    threshold = "no threshold" if at is None else f"pixels, at a threshold of {at:g}"
    share = method.value("pixel", "landslide_share").value
    error = method.value("calibration", _ERROR)
    return [
        _tile("Landslides found", method.value("landslides", _RATE), _RATE, _of(found, mapped, "mapped")),
        _tile("False alarms per 100 km²", method.value("landslides", _ALARMS), _ALARMS,
              _of(false, predicted, "predicted")),
        _tile("F1", method.value("pixel", AT_THRESHOLD, _F1), _F1, threshold),
        _tile("Average precision", method.value("pixel", _AP), _AP,
              _say_guess(share)),
        _tile("Calibration error", error, _ERROR, "probability off the observed share, on average"),
        Tile("Ground evaluated", say_km2(ground_km2), [ground, blocks]),
    ]  # fmt: skip


def landslide_count(method: Method, name: str) -> int | None:
    """Return a count of landslides over all sizes, None where landslides were not counted."""
    counts = node_at(method.tree, ("landslides", "counts")).get(name)
    return None if counts is None else int(sum(counts))


def _tile(label: str, value: Value, name: str, detail: str) -> Tile:
    text, _, interval = say(value, name, 3 if name == _ERROR else 2).partition(" [")
    return Tile(label, text, [f"{interval.rstrip(']').replace(', ', ' to ')}" if interval else "", detail])


def _say_guess(share: float | None) -> str:
    if not share:
        return "undefined without landslide pixels"
    return f"guessing gives {say_ratio(share, 3)}, the share of landslide pixels"


def _of(part: int | None, whole: int | None, what: str) -> str:
    if part is None or whole is None:
        return "no threshold: no landslides were drawn"
    return f"{say_number(part)} of {say_number(whole)} {what}"


def _say_rival(evaluation: Evaluation, main: Method, rival: Method) -> Sentence:
    difference, name = difference_at(evaluation, rival.name, _RANKING), rival.name
    precision = say(rival.value("pixel", _AP), _AP, 2)
    if precision == UNDEFINED or difference.value is None:
        return Sentence("", f"{name}: cannot be compared, its average precision is undefined.")
    by = say(Value(abs(difference.value)), _AP, 2)
    outcome = compare(_RANKING, difference)
    ranks = {
        "better": f"{main.name} ranks pixels better than {name}, whose average precision is {precision}",
        "worse": f"The baseline {name} ranks pixels better: its average precision is {precision}, "
        f"higher by {by}",
        "not told apart": f"The baseline {name} ranks pixels as well: its average precision is {precision}, "
        "and the difference is not told apart from zero",
        "no interval": f"The baseline {name} has an average precision of {precision}, "
        f"{'lower' if difference.value > 0 else 'higher'} by {by}; how sure that is cannot be said",
    }[outcome]
    return Sentence(MARKS[outcome], f"{ranks}.{_say_maps(evaluation, rival)}")


def _say_maps(evaluation: Evaluation, rival: Method) -> str:
    """Say in which figures of the map, at the thresholds in force, a baseline holds its own."""
    outcomes = {key: compare(key, difference_at(evaluation, rival.name, key)) for key in _MAPPING}
    parts = []
    for outcome, phrase in _MAP_WORDS.items():
        named = [_PHRASES[key] for key, found in outcomes.items() if found == outcome]
        if named:
            parts.append(f"{phrase} {_listed(named)}")
    return f" As maps, each at its own threshold, {rival.name} is {'; '.join(parts)}." if parts else ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
