"""``claims.md``: each claim with what was measured, and where the paper contradicts itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headscarp.studies.paired import Gap
from headscarp.studies.pan_shi.claims import FAR_SIDE, RULE, Compared, Judgement, recall_path
from headscarp.studies.pan_shi.contradictions import f1_table, findings, percentage_table
from headscarp.studies.pan_shi.results import StudyResults
from headscarp.studies.tables import (
    NOTHING,
    Table,
    interval_text,
    markdown_text,
    number_text,
    signed_text,
    spread_text,
)

FACINGS = ("toward", "along", "away", "flat")


def claims_page(judgements: Sequence[Judgement], results: StudyResults) -> str:
    """The page in Markdown."""
    parts = [
        "# The claims of Pan & Shi (2023), measured",
        _standing(results),
        RULE,
        markdown_text(summary_table(judgements)),
    ]
    for claim in dict.fromkeys(own.claim for own in judgements):
        parts += _section([own for own in judgements if own.claim == claim])
        if claim == FAR_SIDE[0]:
            parts.append(markdown_text(facing_table(results)))
    parts += ["## Where the paper contradicts itself", *_findings()]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def summary_table(judgements: Sequence[Judgement]) -> Table:
    """A row a claim, a column an event: its verdict."""
    events = list(dict.fromkeys(own.event for own in judgements))
    verdicts = {(own.claim, own.event): own.verdict for own in judgements}
    claims = dict.fromkeys(own.claim for own in judgements)
    rows = tuple((claim, *(verdicts[claim, event] for event in events)) for claim in claims)
    return Table("claims", "", ("Claim", *events), rows)


def difference_table(judgements: Sequence[Judgement]) -> Table:
    """Every comparison with its differences and intervals."""
    rows = [
        (own.event, compared.what, *_numbers(compared), compared.verdict)
        for own in judgements
        for compared in own.compared
    ]
    head = (
        "Event",
        "Difference",
        "F1 (or recall)",
        "95 %, blocks",
        "by seed",
        "AP",
        "95 %, blocks",
        "Verdict",
    )
    caption = "Differences on the validation areas, paired over blocks of ground and by seed"
    return Table("differences", caption, head, tuple(rows))


def facing_table(results: StudyResults) -> Table:
    """Recall by facing relative to the look of each orbit, mean ± standard deviation over seeds."""
    rows = []
    for row in results.rows:
        if row.judged is None:
            continue
        for state in ("ascending", "descending"):
            recalls = [row.judged.by_seed(recall_path(state, facing)).tolist() for facing in FACINGS]
            if any(value == value for own in recalls for value in own):  # noqa: PLR0124  (NaN)
                rows.append((f"{row.event}: {row.label}", state, *map(_spread, recalls)))
    caption = "Recall by facing relative to the look of an orbit, at the threshold of the choosing chips"
    return Table("recall_by_facing", caption, ("Row", "Look", *FACINGS), tuple(rows))


def _spread(values: Sequence[float]) -> str:
    return NOTHING if any(value != value for value in values) else spread_text(values)  # noqa: PLR0124


def _section(judgements: Sequence[Judgement]) -> Iterator[str]:
    first = judgements[0]
    yield f"## {first.claim}"
    yield f"The paper: {first.quote}."
    table = difference_table(judgements)
    yield markdown_text(Table(table.name, "", table.head, table.rows))
    yield " ".join(f"**{own.event}: {own.verdict}.**{_why(own)}" for own in judgements)


def _why(judgement: Judgement) -> str:
    waiting = [own.what for own in judgement.compared if own.verdict == "not yet"]
    return f" Not yet measured: {', '.join(waiting)}." if waiting else ""


def _numbers(compared: Compared) -> tuple[str, ...]:
    return (*_told(compared.f1), _seeds(compared.f1), *_told(compared.average_precision))


def _told(found: Gap | None) -> tuple[str, str]:
    return (NOTHING, NOTHING) if found is None else (signed_text(found.value), interval_text(found.interval))


def _seeds(found: Gap | None) -> str:
    if found is None or not found.by_seed:
        return NOTHING
    spread = number_text(found.std)
    each = " ".join(signed_text(value, 2) for value in found.by_seed)
    return each if spread == NOTHING else f"± {spread} ({each})"


def _standing(results: StudyResults) -> str:
    done = sum(record.state == "done" for record in results.records)
    text = f"{done} of {len(results.records)} cells are done; {len(results.options.seeds)} seeds are planned."
    return text if done == len(results.records) else f"**Unfinished.** {text} What follows rests on those."


def _findings() -> Iterator[str]:
    yield "Recomputed from the numbers that it prints (`published.yaml`)."
    for found in findings():
        yield f"- **{found.where}.** {found.text}"
    yield markdown_text(f1_table())
    yield markdown_text(percentage_table())
