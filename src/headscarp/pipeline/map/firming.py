"""How the map firms up, pass by pass: the same detector on what was there after each of the passes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headscarp.detect.protocol import Detector, FittedDetector
from headscarp.detect.sample import counted_values
from headscarp.errors import HeadscarpError
from headscarp.features.change import Change
from headscarp.pipeline.map.plan import Plan, Step
from headscarp.pipeline.map.tiles import Walk
from headscarp.pipeline.stages import Stages
from headscarp.record import PassRecord
from headscarp.vocabulary import Role


def measure_firming(
    plan: Plan, walk: Walk, detector: Detector, fitted: FittedDetector, threshold: float, stages: Stages
) -> list[PassRecord]:
    """Hold the map after each step of the plan against the final one, over sampled ground.

    Parameters
    ----------
    plan : Plan
    walk : Walk
    detector : Detector
        Fitted anew at each step: it learns the noise of what was there.
    fitted : FittedDetector
        On all passes.
    threshold : float
        Probability from which ground is flagged.
    stages : Stages
        Told of the progress.

    Returns
    -------
    list of PassRecord
        A row for each step and a last one for the map itself; empty where there is one pass only.
    """
    if not plan.steps or not walk.step_paths[-1]:
        return []
    final = _flagged(fitted, walk.step_sample(-1), threshold)
    rows: list[PassRecord] = []
    total = len(plan.steps)
    stages.progress("pass by pass", 0, total)
    for k, step in enumerate(plan.steps):
        early = _early(detector, walk.step_sample(k), threshold) if walk.step_paths[k] else None
        if early is not None:
            rows.append(_row(step, early, final))
        stages.progress("pass by pass", k + 1, total)
    return [*rows, _row(_last_step(plan), final, final)] if rows else []


def _early(detector: Detector, sample: Change, threshold: float) -> NDArray[np.float32] | None:
    """What would have been flagged; none where too little had been seen to learn from."""
    try:
        return _flagged(detector.fit(sample), sample, threshold)
    except HeadscarpError:
        return None


def _flagged(fitted: FittedDetector, sample: Change, threshold: float) -> NDArray[np.float32]:
    """1 where flagged, 0 where not, NaN where not observed, at each counted pixel."""
    probability = fitted.probability(fitted.score(sample))
    flags = (probability >= threshold).astype(np.float32).where(probability.notnull())
    return counted_values(flags, sample)


def _row(step: Step, early: NDArray[np.float32], final: NDArray[np.float32]) -> PassRecord:
    seen, known = np.isfinite(early), np.isfinite(final)
    then, now = early == 1, final == 1
    both = int((then & now).sum())
    return PassRecord(
        until_utc=step.until,
        orbit=step.label,
        passes=step.passes,
        observed_share=float(seen.sum() / max(known.sum(), 1)),
        flagged_share=float(then.sum() / max(seen.sum(), 1)),
        found_share=both / int(now.sum()) if now.any() else None,
        kept_share=both / int(then.sum()) if then.any() else None,
    )


def _last_step(plan: Plan) -> Step:
    passes = [
        (scene.acquired, label) for label in plan.splits for scene in plan.scenes_of(label, Role.POST_EVENT)
    ]
    until, label = max(passes)
    return Step(until, label, len(passes), plan.splits)
