"""A table as head and rows, written as CSV, Markdown and LaTeX; and numbers as tables show them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from headscarp.evaluate.intervals import seed_spread
from headscarp.run_folder import write_atomically

NOTHING = "—"
"""What stands where there is no number."""
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "²": r"\textsuperscript{2}",
    "≥": r"$\geq$",
    "—": "---",
}


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name : str
        Stem of its files.
    caption : str
        What it shows, and on which ground.
    head : tuple of str
    rows : tuple of tuple of str
        As long as the head, each.
    """

    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.head) for row in self.rows):
            raise ValueError(f"{self.name}: a row is not as long as the head")


def csv_text(table: Table) -> str:
    r"""A table as CSV; the caption is left out, and nothing is an empty cell.

    Examples
    --------
    >>> csv_text(Table("t", "", ("a", "b"), (("1,5", "—"),)))
    'a,b\n"1,5",\n'
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.head)
    writer.writerows([("" if cell == NOTHING else cell) for cell in row] for row in table.rows)
    return text.getvalue()


def markdown_text(table: Table) -> str:
    """A table in Markdown, its caption above; the first column is text, the others are numbers."""
    lines = [table.head, ("---", *("---:" for _ in table.head[1:])), *table.rows]
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"**{table.caption}**\n\n{body}\n" if table.caption else f"{body}\n"


def latex_text(table: Table) -> str:
    r"""A table in LaTeX, for the package booktabs.

    Examples
    --------
    >>> "Group 1 \\& 2" in latex_text(Table("t", "", ("a",), (("Group 1 & 2",),)))
    True
    """
    columns = "l" + "r" * (len(table.head) - 1)
    rows = [" & ".join(map(latex_escaped, row)) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{latex_escaped(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(latex_escaped, table.head)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def latex_escaped(text: str) -> str:
    r"""Text whose characters LaTeX takes as they are meant.

    Examples
    --------
    >>> latex_escaped("5 % of a_b")
    '5 \\% of a\\_b'
    """
    return "".join(_LATEX.get(character, character) for character in text)


def write_table(folder: Path, table: Table) -> None:
    """Write a table as ``NAME.csv``, ``NAME.md`` and ``NAME.tex``."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("csv", csv_text), ("md", markdown_text), ("tex", latex_text)):
        write_atomically(folder / f"{table.name}.{suffix}", text(table))


def number_text(value: float | None, digits: int = 3) -> str:
    """A number with so many digits behind the point; nothing where there is none.

    Examples
    --------
    >>> number_text(0.12345), number_text(None), number_text(float("nan"))
    ('0.123', '—', '—')
    """
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def spread_text(values: Sequence[float | None], digits: int = 3) -> str:
    """Mean ± sample standard deviation; the number alone where there is one.

    Examples
    --------
    >>> spread_text([0.5, 0.6, 0.7]), spread_text([0.5]), spread_text([0.5, None])
    ('0.600 ± 0.100', '0.500', '—')
    """
    if not values or any(value is None for value in values):
        return NOTHING
    spread = seed_spread([float(value) for value in values if value is not None])
    mean = number_text(spread.mean, digits)
    return mean if spread.seeds < 2 or mean == NOTHING else f"{mean} ± {number_text(spread.std, digits)}"


def signed_text(value: float | None, digits: int = 3) -> str:
    """A difference with its sign.

    Examples
    --------
    >>> signed_text(0.1), signed_text(-0.1)
    ('+0.100', '−0.100')
    """
    text = number_text(None if value is None else abs(value), digits)
    return text if text == NOTHING or value is None else f"{'−' if value < 0 else '+'}{text}"


def interval_text(interval: tuple[float, float] | None, digits: int = 3) -> str:
    """An interval in brackets.

    Examples
    --------
    >>> interval_text((0.1, 0.25)), interval_text(None)
    ('[0.100, 0.250]', '—')
    """
    if interval is None:
        return NOTHING
    low, high = (number_text(edge, digits).replace("-", "−") for edge in interval)
    return f"[{low}, {high}]"
