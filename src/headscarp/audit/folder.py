"""The files of an audit folder; who calls gives a folder that is moved into place when it is whole."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from headscarp.audit.findings import Finding
from headscarp.audit.record import AuditRecord

AUDIT_JSON = "audit.json"
FINDINGS_CSV = "findings.csv"
MAP_PNG = "map.png"
REPAIRED_MAP_PNG = "map_repaired.png"


def write_audit(folder: Path, record: AuditRecord) -> None:
    """Write ``audit.json``."""
    (folder / AUDIT_JSON).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def write_findings(folder: Path, findings: Sequence[Finding]) -> None:
    """Write ``findings.csv``, one row a finding; what does not apply is empty."""
    with (folder / FINDINGS_CSV).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Finding._fields)
        writer.writerows(findings)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, format="png", metadata={"Software": None})
