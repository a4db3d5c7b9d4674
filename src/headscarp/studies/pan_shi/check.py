"""What a study still needs: files that are not there; image counts that differ from the paper's Table 2."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from headscarp.errors import HeadscarpError
from headscarp.pipeline.map.plan import make_plan
from headscarp.studies.areas import missing, ready_event
from headscarp.studies.pan_shi.grounds import EventImages, count_images
from headscarp.studies.pan_shi.options import PanShiOptions, StudyEvent


class EventCheck(NamedTuple):
    """What stands in the way of an event.

    Attributes
    ----------
    event : str
    missing : list of str
        Files and options that are not there.
    where : str
        Where they are to be had.
    problem : str
        Of files that are there and cannot be used; empty where there is none.
    differing : list of str
        Image counts that differ from those that the config states, the paper's.
    is_simulated : bool
    """

    event: str
    missing: list[str]
    where: str
    problem: str
    differing: list[str]
    is_simulated: bool

    @property
    def is_ready(self) -> bool:
        """Whether its cells can be done."""
        return not self.missing and not self.problem


def check_study(options: PanShiOptions, root: Path) -> list[EventCheck]:
    """Check every event; nothing is simulated, and nothing written."""
    return [check_event(event, root) for event in options.events]


def check_event(event: StudyEvent, root: Path) -> EventCheck:
    """Check one event."""
    simulated = event.simulate is not None
    absent = [str(each) for each in missing(event)]
    if simulated or absent:
        return EventCheck(event.name, absent, event.where if absent else "", "", [], simulated)
    try:
        images = count_images(make_plan(ready_event(event, root).map_options()))
    except HeadscarpError as error:
        return EventCheck(event.name, [], "", f"{error.given}: {error.why}; {error.fix}", [], simulated)
    return EventCheck(event.name, [], "", "", differing_images(event, images), simulated)


def differing_images(event: StudyEvent, images: EventImages) -> list[str]:
    """Counts of images that are not those that the config states.

    Parameters
    ----------
    event : StudyEvent
    images : EventImages
        As found.
    """
    told = []
    for state, stated in event.images.items():
        for side in ("pre", "post"):
            found, wanted = getattr(images, side).get(state, 0), getattr(stated, side)
            if found != wanted:
                told.append(f"{event.name}: {found} {state} images {side}-event, Table 2 has {wanted}")
    return told
