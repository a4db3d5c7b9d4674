"""Tables in three forms: CSV read back, Markdown and LaTeX with their special characters."""

from __future__ import annotations

import csv
import re
import statistics
from io import StringIO
from pathlib import Path

import pytest

from headscarp.studies.tables import (
    NOTHING,
    Table,
    csv_text,
    interval_text,
    latex_escaped,
    latex_text,
    markdown_text,
    signed_text,
    spread_text,
    write_table,
)

TABLE = Table(
    "scores",
    "50 % of a_b & more",
    ("Row", "F1 | IoU", "#"),
    (("Group 1, blocks", "0.5 ± 0.1", NOTHING), ('"x" {y}', "−0.1", "2")),
)


def test_csv_is_read_back() -> None:
    head, *rows = csv.reader(StringIO(csv_text(TABLE)))
    assert tuple(head) == TABLE.head
    assert [tuple(cell or NOTHING for cell in row) for row in rows] == list(TABLE.rows)


def test_markdown_has_a_cell_for_each_column() -> None:
    lines = [line for line in markdown_text(TABLE).splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [4] * 4
    assert lines[0] == r"| Row | F1 \| IoU | # |"
    assert lines[1] == "| --- | ---: | ---: |"


def test_latex_escapes_what_it_must() -> None:
    text = latex_text(TABLE)
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    assert body.count(r"\\") == 3
    assert all(len(re.findall(r"(?<!\\)&", line)) == 2 for line in body.splitlines() if line.endswith(r"\\"))
    assert r"\begin{tabular}{lrr}" in text
    assert r"\caption{50 \% of a\_b \& more}" in text
    assert r"0.5 $\pm$ 0.1" in text
    assert r'"x" \{y\} & $-$0.1 & 2 \\' in text


@pytest.mark.parametrize("character", list("&%$#_{}"))
def test_special_characters_of_latex(character: str) -> None:
    assert latex_escaped(f"a{character}b") == f"a\\{character}b"


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="row"):
        Table("t", "", ("a", "b"), (("1",),))


def test_three_files_are_written(tmp_path: Path) -> None:
    write_table(tmp_path / "tables", TABLE)
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == [
        "scores.csv",
        "scores.md",
        "scores.tex",
    ]
    assert (tmp_path / "tables" / "scores.csv").read_text(encoding="utf-8") == csv_text(TABLE)


def test_spread_is_mean_and_sample_deviation() -> None:
    values = [0.31, 0.52, 0.44]
    expected = f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
    assert spread_text(values) == expected
    assert spread_text([]) == NOTHING


def test_signs_and_intervals() -> None:
    assert (signed_text(-0.0312), signed_text(0.5, 1), signed_text(None)) == ("−0.031", "+0.5", NOTHING)
    assert interval_text((-0.1, 0.2), 1) == "[−0.1, 0.2]"
