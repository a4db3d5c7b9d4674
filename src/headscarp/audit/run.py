"""An audit from paths to a record, and, where a folder is wanted, its files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from headscarp.audit.cost import repair_costs
from headscarp.audit.figure import draw_splits
from headscarp.audit.findings import Finding, NearPairs, Severity, find_all, near_across_splits
from headscarp.audit.folder import (
    MAP_PNG,
    REPAIRED_MAP_PNG,
    write_audit,
    write_figure,
    write_findings,
)
from headscarp.audit.options import AuditOptions, RepairOptions
from headscarp.audit.record import AuditRecord, RepairRecord
from headscarp.audit.repair import repair_splits
from headscarp.audit.sources import Source, find_disagreements, input_records, read_sources
from headscarp.audit.table import ChipTable, chip_table
from headscarp.audit.totals import count_kinds, series_records, shared_records, verdict
from headscarp.audit.wording import statements
from headscarp.split import SplitFile, write_split


@dataclass(frozen=True)
class Audit:
    """The findings of some splits, and what they were found on."""

    table: ChipTable
    near: NearPairs
    findings: list[Finding]


def run_audit(
    options: AuditOptions, repair: RepairOptions | None = None, folder: Path | None = None
) -> AuditRecord:
    """Audit splits; propose a repaired one where asked; fill a folder where one is given.

    Parameters
    ----------
    options : AuditOptions
    repair : RepairOptions, optional
        How to repair; none: no repair.
    folder : Path, optional
        Gets ``audit.json``, ``findings.csv``, ``map.png`` and, after a repair, the repaired split files and
        ``map_repaired.png``.

    Raises
    ------
    SplitError
        If a split cannot be read, or a repair leaves a split without chips.
    """
    sources = read_sources(options)
    splits = [source.split for source in sources]
    audit = audit_splits(splits, options.leave_event_out)
    findings = [*audit.findings, *find_disagreements(sources)]
    told = None
    if repair is not None:
        told = _repair(splits, audit.table, repair, options.leave_event_out, folder)
    record = _record(sources, audit, findings, options, told)
    if folder is not None:
        write_audit(folder, record)
        write_findings(folder, findings)
        write_figure(folder / MAP_PNG, draw_splits(audit.table, audit.near))
    return record


def audit_splits(splits: Sequence[SplitFile], leave_event_out: bool = False) -> Audit:
    """Findings of one or several splits, in memory.

    Parameters
    ----------
    splits : sequence of SplitFile
        Audited together: chips of one series may come from several files.
    leave_event_out : bool
        Count an event in several splits as a leak.
    """
    table = chip_table(splits)
    near = near_across_splits(table)
    return Audit(table, near, find_all(table, near, leave_event_out))


def _record(
    sources: Sequence[Source],
    audit: Audit,
    findings: list[Finding],
    options: AuditOptions,
    repair: RepairRecord | None,
) -> AuditRecord:
    inputs, kinds = input_records(sources), count_kinds(findings)
    series, shared = series_records(audit.table, audit.near), shared_records(audit.table)
    tolerance = _tolerances(audit.table)
    return AuditRecord(
        headscarp=version("headscarp"),
        created_utc=datetime.now(UTC),
        inputs=inputs,
        leave_event_out=options.leave_event_out,
        tolerance_m=tolerance,
        verdict=verdict(findings),
        findings=kinds,
        leaks=sum(finding.severity is Severity.LEAK for finding in findings),
        series=series,
        shared=shared,
        statements=statements(inputs, series, shared, kinds, tolerance),
        repair=repair,
    )


def _repair(
    splits: Sequence[SplitFile],
    table: ChipTable,
    options: RepairOptions,
    leave_event_out: bool,
    folder: Path | None,
) -> RepairRecord:
    """Draw a repaired split, audit it again, and write it where a folder is given."""
    repaired = repair_splits(splits, table, options, leave_event_out)
    again = audit_splits(repaired.splits, leave_event_out)
    names = _file_names(splits)
    if folder is not None:
        for name, split in zip(names, repaired.splits, strict=True):
            write_split(folder / name, split)
        write_figure(folder / REPAIRED_MAP_PNG, draw_splits(again.table, again.near))
    return RepairRecord(
        method=options.repair.value,
        buffer_m=options.buffer_m,
        block_m=options.block_m,
        seed=options.seed,
        leave_event_out=leave_event_out,
        units=repaired.units,
        dropped=repaired.reasons,
        costs=repair_costs(table, repaired.split),
        files=tuple(names),
        findings=count_kinds(again.findings),
        verdict=verdict(again.findings),
    )


def _tolerances(table: ChipTable) -> dict[str, float]:
    """Half a pixel of the coarsest chip of each series, m."""
    return {
        name: float(np.max(table.spacing_m[table.series == code])) / 2.0
        for code, name in enumerate(table.series_names)
    }


def _file_names(splits: Sequence[SplitFile]) -> list[str]:
    """Name of each repaired split: by its series where that tells them apart."""
    if len(splits) == 1:
        return ["split_repaired.json"]
    series = [re.sub(r"[^\w.-]", "_", split.chips[0].series) for split in splits]
    if len(set(series)) < len(series) or "" in series:
        series = [str(place) for place in range(1, len(splits) + 1)]
    return [f"split_repaired_{name}.json" for name in series]
