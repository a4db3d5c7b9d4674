"""The page of an evaluation: one file that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from headscarp.evaluate.files import REPORT
from headscarp.evaluate.record import Evaluation
from headscarp.report.evaluation.curves import draw_precision_recall, draw_roc
from headscarp.report.evaluation.drawing import Drawing, write_drawing
from headscarp.report.evaluation.enlarged import draw_largest_errors
from headscarp.report.evaluation.folder import FILES, EvaluationFolder, read_folder
from headscarp.report.evaluation.maps import draw_grounds
from headscarp.report.evaluation.matrix import draw_confusion
from headscarp.report.evaluation.reliability import draw_reliability
from headscarp.report.evaluation.sizes import draw_by_size, draw_frequency_area
from headscarp.report.evaluation.strata import draw_strata
from headscarp.report.evaluation.tables import (
    difference_table,
    ground_facts,
    headline_table,
    provenance,
    size_table,
    strata_table,
)
from headscarp.report.evaluation.values import Method, methods_of
from headscarp.report.evaluation.verdict import key_tiles, say_found, say_rivals
from headscarp.report.wording import flatten, say_number, say_time
from headscarp.run_folder import block_cache

_MOST_MAPS = 8
"""Maps embedded in the page; those of further grounds are files beside it."""


def write_evaluation_report(folder: Path) -> None:
    """Write the figures and the page of an evaluation into its folder.

    The page, ``report.html``, holds its pictures and styles and loads nothing; the figures stand in
    ``figures/`` as PNG and, but for maps, as SVG. Equal folders make equal pages and figures.

    Parameters
    ----------
    folder : Path
        With ``metrics.json`` and ``curves.parquet``; with ``outcome*.tif``, ``label*.tif`` and
        ``landslides_scored.gpkg`` as far as there are any.

    Raises
    ------
    OutputError
        If one of the first two is missing, or not of this version.
    """
    with block_cache():
        read = read_folder(folder)
        methods = methods_of(read.evaluation)
        pictures = {name: _write(folder, drawings) for name, drawings in _draw(read, methods).items()}
    page = _environment().get_template("evaluation.html").render(
        evaluation=read.evaluation,
        grounds=[ground_facts(ground) for ground in read.evaluation.grounds],
        most_maps=_MOST_MAPS,
        pictures=pictures,
        files=_files(folder),
        **_words(read.evaluation, methods),
    )  # fmt: skip
    part = folder / f"{REPORT}.part"
    part.write_text(page, encoding="utf-8")
    part.replace(folder / REPORT)


def _draw(folder: EvaluationFolder, methods: Sequence[Method]) -> dict[str, list[Drawing]]:
    """Figures by section of the page."""
    main = methods[0]
    return {
        "curves": [draw_precision_recall(methods, folder.curves), draw_roc(methods, folder.curves)],
        "matrix": [draw_confusion(main)],
        "reliability": [draw_reliability(methods)],
        "maps": draw_grounds(folder),
        "errors": [draw_largest_errors(folder)],
        "sizes": [draw_by_size(methods), draw_frequency_area(main)],
        "strata": [draw_strata(main)],
    }


def _write(folder: Path, drawings: Sequence[Drawing]) -> list[Any]:
    return [write_drawing(folder, drawing) for drawing in drawings]


def _words(evaluation: Evaluation, methods: Sequence[Method]) -> dict[str, Any]:
    return {
        "tiles": key_tiles(evaluation, methods[0]),
        "verdict": say_found(methods[0]),
        "rivals": say_rivals(evaluation, methods),
        "headlines": headline_table(methods),
        "differences": difference_table(evaluation),
        "sizes": size_table(methods[0]),
        "strata": strata_table(methods[0]),
        "provenance": provenance(evaluation),
        "options": [(g.name, list(flatten(g.options))) for g in evaluation.grounds],
    }


def _files(folder: Path) -> list[tuple[str, str, str]]:
    """Name, size and purpose of the folder's files."""
    found = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    return [
        (path.name, f"{say_number(path.stat().st_size / 1e6)} MB", _purpose(path.name))
        for path in found
        if path.name != REPORT
    ]


def _purpose(name: str) -> str:
    if name.startswith("outcome") and name.endswith(".tif"):
        return "outcome of each pixel: 0 neither, 1 missed, 2 false, 3 hit, 255 not evaluated"
    if name.startswith("label") and name.endswith(".tif"):
        return "the truth on the grid: 1 landslide, 0 none, 255 not evaluated"
    return FILES.get(name, "")


def _environment() -> jinja2.Environment:
    own = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.FileSystemLoader(own),
                jinja2.PrefixLoader({"report": jinja2.FileSystemLoader(own.parent)}),
            ]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(time=say_time)
    return environment
