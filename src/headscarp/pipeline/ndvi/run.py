"""``headscarp ndvi``: scenes and a network of values to a map of NDVI, and of how far to believe it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headscarp import __version__
from headscarp.checkpoint import read_checkpoint
from headscarp.config import NdviOptions
from headscarp.errors import OptionsError
from headscarp.grid import crs_wkt, tiles
from headscarp.ingest.raster import read_sha256
from headscarp.models import keep_memory
from headscarp.pipeline.map.declared import refuse_undeclared
from headscarp.pipeline.map.method import stack_facts
from headscarp.pipeline.map.plan import Plan, make_plan
from headscarp.pipeline.ndvi.form import Formed, form_inputs_of, new_values
from headscarp.pipeline.ndvi.picture import PICTURE_PX, draw_ndvi
from headscarp.pipeline.ndvi.record import NdviInput, NdviRecord, NdviValues
from headscarp.pipeline.provenance import command_line, source_commit
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.predict.mosaic import predict_mosaic
from headscarp.predict.values import ValuePredictor
from headscarp.run_folder import (
    RUN_JSON,
    RasterWriter,
    block_cache,
    refuse_taken,
    staged_folder,
    write_atomically,
)
from headscarp.vocabulary import Role

NDVI, UNCERTAINTY = "ndvi.tif", "uncertainty.tif"
SCRATCH = ".scratch"
FloatArray = NDArray[np.float32]


MOST_PX = 4_000_000
"""Pixels that percentiles are taken of; of larger maps a regular part."""


def run_ndvi(
    options: NdviOptions, out: Path, overwrite: bool = False, progress: Progress = silent
) -> NdviRecord:
    """Predict the NDVI of one moment, before or after the event.

    Parameters
    ----------
    options : NdviOptions
    out : Path
        Run folder: ``ndvi.tif``, ``uncertainty.tif``, ``ndvi.png``, ``run.json``. It appears whole or not
        at all.
    overwrite : bool
        Replace a run that stands there.
    progress : callable, optional
        Told of each stage's progress.

    Returns
    -------
    NdviRecord
        What ``run.json`` holds.

    Raises
    ------
    HeadscarpError
        On bad input; nothing is written then, and a run that stood there is untouched.
    """
    started, stages = datetime.now(UTC), Stages(progress)
    refuse_taken(out, overwrite)
    predictor = _predictor(options)
    with block_cache():
        with stages.stage("plan"):
            refuse_undeclared(predictor.features(options.ndvi.moment), options, "the map")
            plan = make_plan(options.map_options())
            notes = predictor.require_suited(stack_facts(plan))
        with staged_folder(out, overwrite) as folder:
            (folder / SCRATCH).mkdir()
            values = _write_map(plan, predictor, options, folder, stages)
            shutil.rmtree(folder / SCRATCH)
            with stages.stage("inputs"):
                inputs = _inputs(plan, options, stages)
            record = _record(plan, predictor, options, values, inputs, notes, stages, started)
            write_atomically(folder / RUN_JSON, record.model_dump_json(indent=2) + "\n")
    return record


def _predictor(options: NdviOptions) -> ValuePredictor:
    if options.ndvi.checkpoint is None:
        raise OptionsError(
            "a checkpoint of a network of NDVI",
            "none",
            "there is nothing to predict with",
            "pass --checkpoint best.safetensors; docs/ndvi.md says how to train one",
        )
    keep_memory()
    return ValuePredictor(read_checkpoint(options.ndvi.checkpoint))


def _write_map(
    plan: Plan, predictor: ValuePredictor, options: NdviOptions, folder: Path, stages: Stages
) -> NdviValues:
    scratch = folder / SCRATCH
    with stages.stage("channels"):
        formed = form_inputs_of(plan, predictor, options.ndvi.moment, scratch, stages)
    with stages.stage("predict"):
        ndvi = _predict(predictor, formed, options, scratch, stages)
    with stages.stage("map"):
        residual = predictor.residual
        _write_raster(folder / NDVI, plan, "ndvi", ndvi, lambda part: part)
        _write_raster(folder / UNCERTAINTY, plan, "ndvi_std", ndvi, residual.at)
        when = "before" if options.ndvi.moment == "pre" else "after"
        title = f"NDVI {when} {plan.event.time_utc:%Y-%m-%d}, predicted from radar"
        step = -(-max(ndvi.shape) // PICTURE_PX)
        draw_ndvi(folder, ndvi[::step, ::step], residual.at(ndvi[::step, ::step]), title)
    step = math.ceil(math.sqrt(ndvi.size / MOST_PX))
    thin = ndvi[::step, ::step]
    return _values(float(formed.seen.mean()), thin, residual.at(thin))


def _predict(
    predictor: ValuePredictor, formed: Formed, options: NdviOptions, scratch: Path, stages: Stages
) -> FloatArray:
    """NDVI of the whole grid, NaN where radar saw nothing."""
    blend = options.ndvi.tiling == "blend"
    tiling = predictor.blend(options.ndvi.window_px) if blend else predictor.halo()
    values = predict_mosaic(
        predictor.predict,
        formed.x,
        tiling,
        new_values(scratch, formed.seen.shape),
        lambda done, total: stages.progress("predicting", done, total),
    )
    values[~formed.seen] = np.nan
    return values


def _write_raster(
    path: Path, plan: Plan, band: str, ndvi: FloatArray, of: Callable[[FloatArray], FloatArray]
) -> None:
    writer = RasterWriter(path, plan.geobox, [band], tags={"UNITS": "1"})
    for tile in tiles(plan.geobox):
        part = ndvi[tile.rows, tile.cols]
        if np.isfinite(part).any():
            writer.write(tile, of(part)[np.newaxis])
    writer.finish()


def _values(observed_share: float, ndvi: FloatArray, std: FloatArray) -> NdviValues:
    known = ndvi[np.isfinite(ndvi)].astype(np.float64)
    spread = std[np.isfinite(std)].astype(np.float64)
    nothing = known.size == 0
    return NdviValues(
        observed_share=observed_share,
        mean=None if nothing else float(known.mean()),
        percentiles={f"{q}": None if nothing else float(np.percentile(known, q)) for q in (5, 50, 95)},
        mean_std=None if nothing else float(spread.mean()),
    )


def _inputs(plan: Plan, options: NdviOptions, stages: Stages) -> list[NdviInput]:
    """Files that the map rests on, with their hashes."""
    scenes = {f.path for a in plan.assigned if a.role is not Role.REJECTED for f in a.scene.files}
    work = [("scene", path) for path in sorted(scenes)]
    work += [("dem", options.terrain.dem)] if options.terrain.dem is not None else []
    work += [(f"raster:{name}", path) for name, path in sorted(options.rasters.items())]
    hashes = stages.map("hashing the inputs", lambda each: read_sha256(each[1]), work)
    return [
        NdviInput(path=str(path), sha256=sha256, what=what)
        for (what, path), sha256 in zip(work, hashes, strict=True)
    ]


def _record(
    plan: Plan,
    predictor: ValuePredictor,
    options: NdviOptions,
    values: NdviValues,
    inputs: list[NdviInput],
    notes: tuple[str, ...],
    stages: Stages,
    started: datetime,
) -> NdviRecord:
    moment = options.ndvi.moment
    role = Role.PRE_EVENT if moment == "pre" else Role.POST_EVENT
    rows, columns = plan.geobox.shape
    return NdviRecord(
        headscarp=__version__,
        commit=source_commit(),
        command=command_line(),
        started_utc=started,
        finished_utc=datetime.now(UTC),
        moment=moment,
        tiling=options.ndvi.tiling,
        options=options.model_dump(mode="json"),
        predictor=predictor.record(),
        crs=crs_wkt(plan.geobox),
        rows=rows,
        columns=columns,
        spacing=abs(plan.geobox.transform.a),
        dates_utc={label: [scene.acquired for scene in plan.scenes_of(label, role)] for label in plan.splits},
        values=values,
        inputs=inputs,
        notes=list(notes),
        stages=stages.records,
    )
