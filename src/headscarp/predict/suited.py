"""Whether a stack has what a checkpoint looks at, before a pixel is read."""

from __future__ import annotations

from collections.abc import Iterator

from headscarp.checkpoint import CheckpointError, Task
from headscarp.detect.protocol import StackFacts
from headscarp.features.channels import FUSED, GROUND_NEEDS, RASTER
from headscarp.vocabulary import OrbitState

MOST_SPACING_RATIO = 1.25
"""Pixels may be larger or smaller than those of the training by so much: a network knows shapes in pixels."""


def require_suited(task: Task, stack: StackFacts, name: str) -> None:
    """Refuse a stack that lacks what a checkpoint looks at, or whose pixels are of another size.

    Parameters
    ----------
    task : Task
        Of the checkpoint.
    stack : StackFacts
    name : str
        Of the checkpoint, for the message.

    Raises
    ------
    CheckpointError
        Naming every channel, or both sizes.
    """
    lacking = list(_lacking(task, stack))
    if lacking:
        raise CheckpointError(
            f"scenes that have every channel of {name}: {', '.join(task.features.channels)}",
            f"none for {'; '.join(lacking)}",
            "a network that was trained on a channel knows nothing of ground without it",
            _fix(task, stack),
        )
    ratio = max(stack.spacing_m / task.spacing_m, task.spacing_m / stack.spacing_m)
    if ratio > MOST_SPACING_RATIO:
        raise CheckpointError(
            f"a grid of about {task.spacing_m:g} m a pixel, on which {name} was trained",
            f"{stack.spacing_m:g} m",
            "a network knows landslides by their size in pixels",
            f"pass --spacing {task.spacing_m:g} (in the units of the grid), or another checkpoint",
        )


def suited_notes(task: Task, stack: StackFacts) -> tuple[str, ...]:
    """Where a stack differs from the training in ways that a network bears, in plain sentences."""
    return tuple(_notes(task, stack))


def _lacking(task: Task, stack: StackFacts) -> Iterator[str]:
    """Channels without a value anywhere, with the reason."""
    for own in task.features.parsed:
        if own.radar:
            words = own.name.upper().split("_")
            pol = next(word for word in words if word in ("VV", "VH", "HH", "HV"))
            states = [s for s in OrbitState if s.upper() in words] or list(OrbitState)
            if not any(pol in stack.polarizations.get(state, frozenset()) for state in states):
                looks = FUSED if len(states) > 1 else states[0].value
                yield f"{own.name} (no {pol} of {'any' if looks == FUSED else looks} orbit)"
        for need in own.needs:
            if need in GROUND_NEEDS and not stack.has_dem:
                yield f"{own.name} (no DEM)"
            if need.startswith(RASTER) and need.removeprefix(RASTER) not in stack.rasters:
                yield f"{own.name} (no raster {need.removeprefix(RASTER)})"


def _fix(task: Task, stack: StackFacts) -> str:
    needs = task.features.needs
    rasters = [need.removeprefix(RASTER) for need in needs if need.startswith(RASTER)]
    wanted = ["--dem FILE"] if not stack.has_dem and set(needs) & set(GROUND_NEEDS) else []
    wanted += [f"--raster {name}=FILE" for name in rasters if name not in stack.rasters]
    return f"give {' and '.join(wanted)}" if wanted else "add such scenes, or take another checkpoint"


def _notes(task: Task, stack: StackFacts) -> Iterator[str]:
    if stack.pooling != task.pooling:
        yield (
            f"The network was trained on medians pooled by {task.pooling}; here they are pooled by "
            f"{stack.pooling} (--pooling)."
        )
    sides = ((stack.pre_dates, task.pre_dates, "before"), (stack.post_dates, task.post_dates, "after"))
    for here, trained, side in sides:
        if here[0] < trained[0] or here[1] > trained[1]:
            yield (
                f"The network was trained on {_span(trained)} dates {side} the event; here orbits have "
                f"{_span(here)}, and with them another level of noise."
            )


def _span(dates: tuple[int, int]) -> str:
    return str(dates[0]) if dates[0] == dates[1] else f"{dates[0]} to {dates[1]}"
