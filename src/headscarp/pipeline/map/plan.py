"""The plan of a run: which files, in which role, on which grid, split at which dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from headscarp.config import MapOptions
from headscarp.detect.pseudo_event import MIN_DATES, PseudoEvent, plan_pseudo_event
from headscarp.errors import EventError
from headscarp.event import Event
from headscarp.features.change import Split
from headscarp.grid import Bounds
from headscarp.ingest.area import MapGrid, choose_grid
from headscarp.ingest.dem import check_dem
from headscarp.ingest.files import read_scene_files
from headscarp.ingest.passes import drop_repeats, group_scenes, refuse_contradictions
from headscarp.ingest.raster import bounds_in
from headscarp.ingest.stack import open_stacks, stack_label, touches
from headscarp.pipeline.map.view import View, plan_view
from headscarp.scene import Scene, SceneFile, Stack
from headscarp.vocabulary import Role

MOST_STEPS = 5
"""Earlier states of knowledge that are shown, at most; of more passes the first and every so-manieth."""
EARLIER = "before the event, outside both windows; used for the pseudo-event check only"


@dataclass(frozen=True)
class Assigned:
    """An acquisition, its role in the run and the reason for it."""

    scene: Scene
    role: Role
    reason: str

    def turned(self, reason: str) -> Assigned:
        """Return the same acquisition, rejected."""
        return Assigned(self.scene, Role.REJECTED, reason)


@dataclass(frozen=True)
class Step:
    """What was there after some of the passes.

    Attributes
    ----------
    until : datetime
        Of the last pass.
    label : str
        Orbit of that pass.
    passes : int
        After the event, of all orbits.
    splits : dict of str to Split
        By orbit label; orbits without a pass yet are left out.
    """

    until: datetime
    label: str
    passes: int
    splits: dict[str, Split]


@dataclass(frozen=True)
class Plan:
    """Everything decided before a pixel of the map is computed.

    Attributes
    ----------
    options : MapOptions
    event : Event
    grid : MapGrid
    assigned : list of Assigned
        Every acquisition found.
    repeats : list of (SceneFile, str)
        Files left out because a newer processing of the same acquisition is there.
    skipped : tuple of (Path, str)
        Rasters that are no scenes.
    stacks : dict of str to Dataset
        By orbit label, lazy.
    splits : dict of str to Split
        Dates before and after the event, by orbit label.
    pseudo : PseudoEvent or None
    pseudo_note : str
        Which dates the pseudo-event uses, or why there is none.
    view : View or None
        Nominal looks over the DEM; none without one.
    steps : tuple of Step
        Earlier states of knowledge, pass by pass; the last pass is the map itself.
    """

    options: MapOptions
    event: Event
    grid: MapGrid
    assigned: list[Assigned]
    repeats: list[tuple[SceneFile, str]]
    skipped: tuple[tuple[Path, str], ...]
    stacks: dict[str, Stack]
    splits: dict[str, Split]
    pseudo: PseudoEvent | None
    pseudo_note: str
    view: View | None
    steps: tuple[Step, ...] = ()

    @property
    def geobox(self) -> GeoBox:
        """The grid of the map."""
        return self.grid.geobox

    def footprints(self) -> list[Bounds]:
        """Bounds of the files before and after the event, in the grid's CRS, each once."""
        files = _files(a for a in self.assigned if a.role is not Role.REJECTED)
        return sorted({bounds_in(file.geobox, self.geobox.crs) for file in files})

    def scenes_of(self, label: str, role: Role) -> list[Scene]:
        """Acquisitions of an orbit in a role, by time."""
        pooling = self.options.change.pooling
        return [a.scene for a in self.assigned if a.role is role and stack_label(a.scene, pooling) == label]


def make_plan(options: MapOptions) -> Plan:
    """Decide everything that can be decided from facts alone.

    Raises
    ------
    HeadscarpError
        If the event, the scenes, the area or the DEM cannot give a map.
    """
    event = Event.from_options(options.event)
    found = read_scene_files(options.scenes, options.ingest)
    kept, repeats = drop_repeats(found.files)
    assigned = [_assign(scene, event) for scene in group_scenes(kept)]
    refuse_one_sided(assigned, event, "among the scenes")
    grid = choose_grid(_files(a for a in assigned if a.role is not Role.REJECTED), options.area)
    assigned = _cut_to_area(assigned, grid)
    refuse_one_sided(assigned, event, "over the area")
    assigned = _reject_one_sided_orbits(assigned, options, event)
    if options.terrain.dem is not None:
        check_dem(options.terrain.dem, grid.geobox)
    by_orbit, earlier_used = _stack_scenes(assigned, options, event)
    refuse_contradictions(scene for scenes in by_orbit.values() for scene in scenes)
    stacks = open_stacks(
        (scene for scenes in by_orbit.values() for scene in scenes),
        grid.geobox,
        options.change.pooling,
    )
    splits = {label: _split(scenes, assigned) for label, scenes in by_orbit.items()}
    pseudo, note = _pseudo_event(by_orbit, splits, event, earlier_used)
    view = plan_view(options.terrain, grid.geobox)
    steps = plan_steps(by_orbit, splits)
    return Plan(
        options, event, grid, assigned, repeats, found.skipped, stacks, splits, pseudo, note, view, steps
    )


def refuse_one_sided(assigned: Sequence[Assigned], event: Event, where: str) -> None:
    """Refuse a run without a scene before, or without one after the event.

    Raises
    ------
    EventError
        Saying when the nearest scene on that side was.
    """
    for role, window, side in (
        (Role.PRE_EVENT, event.pre, "before"),
        (Role.POST_EVENT, event.post, "after"),
    ):
        if not any(a.role is role for a in assigned):
            raise EventError(
                f"at least one scene {side} the event, in the window {window}",
                f"none {where}: {_extent(assigned)}",
                f"without a scene {side} the event there is no change to see",
                f"fetch scenes {side} the event, or widen --{'pre' if side == 'before' else 'post'}",
            )


def _extent(assigned: Sequence[Assigned]) -> str:
    times = sorted(a.scene.acquired for a in assigned)
    if not times:
        return "no scene is left"
    return f"{len(times)} acquisitions, the first on {times[0]:%Y-%m-%d} and the last on {times[-1]:%Y-%m-%d}"


def _assign(scene: Scene, event: Event) -> Assigned:
    """Role of an acquisition; one known by its day only cannot be placed around a known moment."""
    if scene.day_only and event.is_instant and scene.acquired.date() == event.time_utc.date():
        return Assigned(scene, Role.REJECTED, "on the event day, its time of day not known")
    return Assigned(scene, *event.role_of(scene.acquired))


def _cut_to_area(assigned: Sequence[Assigned], grid: MapGrid) -> list[Assigned]:
    """Leave out files that do not reach the grid."""
    cut: list[Assigned] = []
    for a in assigned:
        inside = tuple(f for f in a.scene.files if _reaches(f, grid))
        outside = tuple(f for f in a.scene.files if not _reaches(f, grid))
        if inside:
            cut.append(Assigned(Scene(inside), a.role, a.reason))
        if outside:
            cut.append(Assigned(Scene(outside), Role.REJECTED, "outside the area of interest"))
    return cut


def _reaches(file: SceneFile, grid: MapGrid) -> bool:
    return touches(bounds_in(file.geobox, grid.geobox.crs), grid.geobox)


def _reject_one_sided_orbits(
    assigned: Sequence[Assigned], options: MapOptions, event: Event
) -> list[Assigned]:
    """Leave out orbits without a pair: a change is between scenes of the same orbit."""
    roles: dict[str, set[Role]] = {}
    for a in assigned:
        roles.setdefault(stack_label(a.scene, options.change.pooling), set()).add(a.role)
    paired = {label for label, seen in roles.items() if {Role.PRE_EVENT, Role.POST_EVENT} <= seen}
    if not paired:
        raise EventError(
            "an orbit with scenes before and after the event",
            "; ".join(f"{label}: {_sides(seen)}" for label, seen in sorted(roles.items())),
            "scenes of different orbits look at slopes from different sides and cannot be compared",
            "fetch scenes of one orbit on both sides of the event, or widen --pre and --post",
        )
    return [_unless_paired(a, stack_label(a.scene, options.change.pooling), paired) for a in assigned]


def _unless_paired(assigned: Assigned, label: str, paired: set[str]) -> Assigned:
    if label in paired or assigned.role is Role.REJECTED:
        return assigned
    missing = "after" if assigned.role is Role.PRE_EVENT else "before"
    return assigned.turned(f"{label} has no scene {missing} the event to compare with")


def _sides(roles: set[Role]) -> str:
    names = {Role.PRE_EVENT: "before", Role.POST_EVENT: "after"}
    return " and ".join(names[role] for role in names if role in roles) or "outside the windows"


def _stack_scenes(
    assigned: Sequence[Assigned], options: MapOptions, event: Event
) -> tuple[dict[str, list[Scene]], bool]:
    """Scenes of each paired orbit, by time, and whether earlier ones serve the pseudo-event.

    Where the pre-event window holds too few dates for a pseudo-event, all dates before the event are
    used for it, if those are enough.
    """
    by_orbit: dict[str, list[Assigned]] = {}
    for a in assigned:
        by_orbit.setdefault(stack_label(a.scene, options.change.pooling), []).append(a)
    paired = {label: own for label, own in by_orbit.items() if any(a.role is not Role.REJECTED for a in own)}
    in_window = max(sum(a.role is Role.PRE_EVENT for a in own) for own in paired.values())
    before = max(sum(_is_before(a, event) for a in own) for own in paired.values())
    earlier = in_window < MIN_DATES <= before
    stacked = {
        label: [
            a.scene
            for a in sorted(own, key=lambda a: a.scene.acquired)
            if a.role is not Role.REJECTED or (earlier and _is_earlier(a, event))
        ]
        for label, own in sorted(paired.items(), key=_by_orbit)
    }
    return stacked, earlier


def _by_orbit(item: tuple[str, Sequence[Assigned]]) -> tuple[str, int]:
    """Sort key: orbit state, then the number of the relative orbit."""
    file = item[1][0].scene.files[0]
    return file.orbit_state.value, file.relative_orbit or 0


def _is_before(assigned: Assigned, event: Event) -> bool:
    return assigned.role is Role.PRE_EVENT or _is_earlier(assigned, event)


def _is_earlier(assigned: Assigned, event: Event) -> bool:
    """Tell whether a scene was left out only because it is older than the windows."""
    rejected = assigned.role is Role.REJECTED and assigned.reason.endswith("outside both windows")
    return rejected and assigned.scene.acquired < event.time_utc


def _split(scenes: Sequence[Scene], assigned: Sequence[Assigned]) -> Split:
    role = {id(a.scene): a.role for a in assigned}
    places = {
        wanted: tuple(i for i, scene in enumerate(scenes) if role[id(scene)] is wanted)
        for wanted in (Role.PRE_EVENT, Role.POST_EVENT)
    }
    return Split(places[Role.PRE_EVENT], places[Role.POST_EVENT])


def plan_steps(scenes: Mapping[str, Sequence[Scene]], splits: Mapping[str, Split]) -> tuple[Step, ...]:
    """States of knowledge after the first pass and up to the last but one, at most ``MOST_STEPS`` of them.

    Parameters
    ----------
    scenes : mapping of str to sequence of Scene
        Of each orbit, by time.
    splits : mapping of str to Split
        Dates before and after, by the same labels.
    """
    passes = sorted((scenes[label][i].acquired, label) for label, split in splits.items() for i in split.post)
    wanted = np.unique(np.linspace(1, len(passes), MOST_STEPS + 1).round().astype(int))[:-1]
    return tuple(_step(scenes, splits, passes[:count]) for count in wanted.tolist())


def _step(
    scenes: Mapping[str, Sequence[Scene]], splits: Mapping[str, Split], passes: Sequence[tuple[datetime, str]]
) -> Step:
    until, last = passes[-1]
    early = {
        label: Split(split.pre, tuple(i for i in split.post if scenes[label][i].acquired <= until))
        for label, split in splits.items()
    }
    return Step(until, last, len(passes), {label: split for label, split in early.items() if split.post})


def _pseudo_event(
    by_orbit: dict[str, list[Scene]], splits: dict[str, Split], event: Event, earlier_used: bool
) -> tuple[PseudoEvent | None, str]:
    """Plan the pseudo-event, and say on which dates, or why not."""
    dates = {
        label: {
            i: scene.acquired
            for i, scene in enumerate(scenes)
            if i in splits[label].pre or (earlier_used and scene.acquired < event.time_utc)
        }
        for label, scenes in by_orbit.items()
    }
    post_dates = max(len(split.post) for split in splits.values())
    pseudo = plan_pseudo_event(dates, post_dates)
    if pseudo is None or not pseudo.splits:
        most = max(len(own) for own in dates.values())
        return (
            None,
            f"Not run: it needs {MIN_DATES} pre-event dates of one orbit, and there are {most}.",
        )
    source = (
        f"all dates before the event, since the pre-event window alone holds fewer than {MIN_DATES}"
        if earlier_used
        else "the dates of the pre-event window"
    )
    return pseudo, f"Run on {source}."


def _files(assigned: Iterable[Assigned]) -> list[SceneFile]:
    return [file for a in assigned for file in a.scene.files]
