"""What is written of a study, whole or in part: record, tables, claims, figures."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from headscarp.pipeline.stages import Progress, silent
from headscarp.run_folder import write_atomically
from headscarp.studies.drawing import write_png
from headscarp.studies.pan_shi.check import differing_images
from headscarp.studies.pan_shi.claims import judge
from headscarp.studies.pan_shi.claims_page import claims_page, difference_table, facing_table, summary_table
from headscarp.studies.pan_shi.contradictions import f1_table, percentage_table
from headscarp.studies.pan_shi.draw_maps import draw_maps
from headscarp.studies.pan_shi.draw_orbits import draw_orbits
from headscarp.studies.pan_shi.draw_places import draw_places, read_places
from headscarp.studies.pan_shi.draw_scores import draw_scores, pairwise_table
from headscarp.studies.pan_shi.grounds import kept_images
from headscarp.studies.pan_shi.options import StudyEvent
from headscarp.studies.pan_shi.results import StudyResults
from headscarp.studies.pan_shi.scores import (
    choosing_table,
    interval_table,
    missing_table,
    timing_table,
    validation_table,
)
from headscarp.studies.pan_shi.view import read_view
from headscarp.studies.record import Machine, StudyRecord, write_study
from headscarp.studies.tables import Table, markdown_text, write_table

TABLES, FIGURES, CLAIMS_MD, TABLES_MD = "tables", "figures", "claims.md", "tables.md"
STAGE = "tables and figures"


def write_outputs(
    results: StudyResults, study: str, machine: Machine, progress: Progress = silent
) -> StudyRecord:
    """Write everything that a study came to so far.

    Parameters
    ----------
    results : StudyResults
    study : str
        Its name.
    machine : Machine
    progress : callable
    """
    events = [event.name for event in results.options.events]
    steps = 2 + len(events)
    progress(STAGE, 0, steps)
    tables = list(all_tables(results))
    for table in tables:
        write_table(results.root / TABLES, table)
    write_atomically(results.root / TABLES_MD, "\n".join(map(markdown_text, tables)))
    write_atomically(results.root / CLAIMS_MD, claims_page(judge(results), results))
    progress(STAGE, 1, steps)
    figure = draw_places(read_places(results))
    if figure is not None:
        write_png(results.root / FIGURES / "locations.png", figure)
    for done, event in enumerate(results.options.events, start=2):
        for name, figure in event_figures(results, event):
            write_png(results.root / FIGURES / f"{name}_{event.name}.png", figure)
        progress(STAGE, done, steps)
    record = write_study(results.root, study, results.options, results.records, machine, _notes(results))
    progress(STAGE, steps, steps)
    return record


def all_tables(results: StudyResults) -> Iterator[Table]:
    """Every table, in the order of ``tables.md``."""
    judgements = judge(results)
    yield summary_table(judgements)
    for event in (event.name for event in results.options.events):
        yield choosing_table(results, event)
        yield validation_table(results, event)
        yield interval_table(results, event)
        yield pairwise_table(results, event)
    yield difference_table(judgements)
    yield facing_table(results)
    yield timing_table(results)
    yield f1_table()
    yield percentage_table()
    yield missing_table(results)


def event_figures(results: StudyResults, event: StudyEvent) -> Iterator[tuple[str, Figure]]:
    """Figures of an event, as far as its cells are done, with the stems of their names."""
    scores = draw_scores(results, event.name)
    if scores is not None:
        yield "scores", scores
    training = read_view(results, event, "training")
    if training is not None:
        yield "maps_training", draw_maps(training, f"{event.name}: training area")
    validation = read_view(results, event, "validation")
    if validation is not None:
        yield "maps_validation", draw_maps(validation, f"{event.name}: validation area")
        orbits = draw_orbits(validation, f"{event.name}: validation area, orbit by orbit")
        if orbits is not None:
            yield "orbits", orbits


def _notes(results: StudyResults) -> list[str]:
    """Image counts that differ from those that the config states."""
    found = [(event, kept_images(event.name, results.root)) for event in results.options.events]
    return [note for event, images in found if images is not None for note in differing_images(event, images)]
