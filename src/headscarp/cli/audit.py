"""The command of the leakage auditor: ``audit``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.markup import escape
from rich.table import Table

from headscarp.audit.options import AuditOptions, RepairMethod, RepairOptions
from headscarp.audit.record import AuditRecord
from headscarp.audit.wording import label, repair_statements
from headscarp.cli.app import Quiet, app, option, out_console
from headscarp.errors import OptionsError
from headscarp.split import SPLIT_NAMES

Model = TypeVar("Model", bound=BaseModel)
LEAKS_EXIT_CODE = 1
"""Of a strict audit that ran and found leaks."""


@app.command("audit")
def audit_command(
    splits: Annotated[
        list[Path],
        typer.Argument(metavar="SPLIT", help=str(AuditOptions.model_fields["splits"].description)),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Audit folder to write; none: print only.")
    ] = None,
    low_quality: Annotated[Path | None, option("low_quality", "--low-quality", model=AuditOptions)] = None,
    leave_event_out: Annotated[
        bool | None, option("leave_event_out", "--leave-event-out", model=AuditOptions)
    ] = None,
    repair: Annotated[
        RepairMethod | None,
        typer.Option("--repair", help=str(RepairOptions.model_fields["repair"].description)),
    ] = None,
    buffer_m: Annotated[float | None, option("buffer_m", "--buffer-m", model=RepairOptions)] = None,
    block_m: Annotated[float | None, option("block_m", "--block-m", model=RepairOptions)] = None,
    seed: Annotated[int | None, option("seed", "--seed", model=RepairOptions)] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the audit that stands in --out.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 1 when leaks are found, to stop a CI job.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Look for what a split leaks between training, validation and test."""
    from headscarp.audit.folder import AUDIT_JSON
    from headscarp.audit.run import run_audit
    from headscarp.run_folder import staged_folder

    options = _validated(
        AuditOptions, splits=tuple(splits), low_quality=low_quality, leave_event_out=leave_event_out
    )
    how = {"buffer_m": buffer_m, "block_m": block_m, "seed": seed}
    if repair is None:
        _refuse_idle(how)
    repairing = None if repair is None else _validated(RepairOptions, repair=repair, **how)
    with nullcontext(out) if out is None else staged_folder(out, overwrite, AUDIT_JSON) as folder:
        record = run_audit(options, repairing, folder)
    if not quiet:
        _tell(record, out)
    if strict and record.verdict == "leaks":
        raise typer.Exit(LEAKS_EXIT_CODE)


def _validated(model: type[Model], **values: Any) -> Model:
    try:
        return model.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise OptionsError(
            f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg'][0].lower()}{first['msg'][1:]}",
            repr(first["input"]),
            "the audit would not do what you meant",
            "see `headscarp audit --help`",
        ) from None


def _refuse_idle(how: dict[str, float | int | None]) -> None:
    """Refuse options of a repair that was not asked for."""
    given = [f"--{name.replace('_', '-')}" for name, value in how.items() if value is not None]
    if given:
        raise OptionsError(
            f"--repair together with {', '.join(given)}",
            f"{', '.join(given)} alone",
            "they say how a split is repaired, and would do nothing",
            "add --repair blocks, or leave them out",
        )


def _tell(record: AuditRecord, out: Path | None) -> None:
    """Print the counts, the totals in sentences, and the verdict."""
    out_console.print(_table(record), highlight=False)
    for line in _lines(record):
        out_console.print(escape(line), highlight=False, soft_wrap=True)
    if out is not None:
        where = f"look at {out / 'map.png'}; every finding in {out / 'findings.csv'}"
        out_console.print(escape(where), highlight=False, soft_wrap=True)


def _table(record: AuditRecord) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("series", "split", "chips", "near another split", "low quality", "landslide share"):
        table.add_column(name, justify="left" if name in ("series", "split") else "right")
    for series in record.series:
        if series.event is not None:
            continue
        for name in SPLIT_NAMES:
            counts = (series.chips, series.near, series.low_quality)
            chips, near, bad = (getattr(count, name) for count in counts)
            share = series.landslide_share[name]
            shown = "not known" if share is None else f"{share:.2%}"
            if chips:
                table.add_row(escape(label(series.series)), name, str(chips), str(near), str(bad), shown)
    return table


def _lines(record: AuditRecord) -> Iterator[str]:
    yield from record.statements
    if record.repair is not None:
        yield from repair_statements(record.repair)
    found = ", ".join(f"{kind} {count}" for kind, count in record.findings.items()) or "none"
    yield f"findings: {found}"
    yield f"verdict: {record.verdict} ({record.leaks} of {sum(record.findings.values())} findings are leaks)"
