"""An audit in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from headscarp.audit.findings import FindingKind
from headscarp.audit.record import CostRecord, InputRecord, RepairRecord, SeriesRecord, SharedRecord


def statements(
    inputs: Sequence[InputRecord],
    series: Sequence[SeriesRecord],
    shared: Sequence[SharedRecord],
    findings: Mapping[str, int],
    tolerance_m: Mapping[str, float],
) -> tuple[str, ...]:
    """Totals of an audit, one sentence each."""
    return (
        *_on_inputs(inputs),
        *(line for record in series if record.event is None for line in _on_series(record, tolerance_m)),
        *_on_quality(inputs, series),
        *(_on_shared(record) for record in shared if record.test_chips),
        *_on_kinds(findings),
    )


def repair_statements(repair: RepairRecord) -> Iterator[str]:
    """What a repair costs, one sentence for each series, and what it leaves."""
    unit = "events" if repair.leave_event_out else f"blocks of {repair.block_m:g} m"
    yield (
        f"repaired by {unit} ({repair.units} kept whole), {repair.buffer_m:g} m between splits, "
        f"seed {repair.seed}"
    )
    for cost in repair.costs:
        if cost.split is None and cost.event is None:
            yield _on_cost(cost, repair.costs)
    for reason, count in repair.dropped.items():
        yield f"dropped, {reason}: {count} chips over all series"
    left = ", ".join(f"{kind} {count}" for kind, count in repair.findings.items()) or "nothing"
    yield f"the repaired split is {_spoken(repair.verdict)}; findings left: {left}"
    if FindingKind.EVENT_SHARED.value in repair.findings:
        yield (
            "blocks share an event among splits by design: scores then tell how a model does on new "
            "ground of known events, not on new events (--leave-event-out keeps events whole)"
        )


def label(series: str) -> str:
    """Name of a series to read."""
    return series or "chips"


def _on_inputs(inputs: Sequence[InputRecord]) -> Iterator[str]:
    for record in inputs:
        if record.files_disagree:
            yield (
                f"{record.name}: the location file names another split for {record.files_disagree} chips; "
                "the split file was followed"
            )
        if record.unlisted:
            yield f"{record.name}: {record.unlisted} chips have a location but are in no split"


def _on_quality(inputs: Sequence[InputRecord], series: Sequence[SeriesRecord]) -> Iterator[str]:
    """Say that quality was not looked at, lest it pass for good."""
    listed = any(record.low_quality_list is not None for record in inputs)
    if not listed and not any(record.low_quality.total for record in series):
        yield "quality: no chip is marked, and no list of low-quality chips was found (--low-quality)"


def _on_series(record: SeriesRecord, tolerance_m: Mapping[str, float]) -> Iterator[str]:
    chips, near, name = record.chips, record.near, label(record.series)
    yield (
        f"{name}: {near.test} of {chips.test} test chips touch or overlap a training or validation chip "
        f"(within half a pixel, {tolerance_m[record.series]:g} m)"
    )
    if chips.validation:
        yield (
            f"{name}: {near.validation} of {chips.validation} validation chips touch or overlap "
            "a training or test chip"
        )
    if record.low_quality.total:
        bad = record.low_quality
        yield (
            f"{name}: low-quality chips: {bad.test} of {chips.test} in test, "
            f"{bad.validation} of {chips.validation} in validation, {bad.train} of {chips.train} in training"
        )


def _on_shared(record: SharedRecord) -> str:
    splits = record.splits
    return (
        f"of the {record.test_chips} {label(record.test_of)} test chips that also exist in "
        f"{label(record.found_in)}, {splits.train} are training and {splits.validation} validation there"
    )


def _on_kinds(findings: Mapping[str, int]) -> Iterator[str]:
    shared = findings.get(FindingKind.EVENT_SHARED.value)
    if shared:
        yield f"{shared} {'event has' if shared == 1 else 'events have'} chips in several splits"
    for kind in (FindingKind.DUPLICATE_ID, FindingKind.DUPLICATE_CONTENT):
        if findings.get(kind.value):
            yield f"{kind.value}: {findings[kind.value]} found"


def _on_cost(cost: CostRecord, costs: Sequence[CostRecord]) -> str:
    by_split = [c for c in costs if c.series == cost.series and c.split is not None and c.event is None]
    told = ", ".join(f"{c.split} {c.before} → {c.after}" for c in by_split)
    kept = cost.after / cost.before if cost.before else 0.0
    landslides = (
        f"; {cost.landslide_px_after / cost.landslide_px_before:.1%} of the landslide pixels"
        if cost.landslide_px_before
        else ""
    )
    return (
        f"{label(cost.series)}: {cost.after} of {cost.before} chips kept ({kept:.1%}{landslides}): {told}; "
        f"{cost.moved} moved, {cost.dropped} dropped"
    )


def _spoken(verdict: str) -> str:
    return "clean" if verdict == "clean" else "not clean"
