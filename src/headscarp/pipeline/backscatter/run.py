"""``headscarp backscatter``: from products to a GeoTIFF of backscatter for each pass."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from headscarp import __version__
from headscarp.backscatter.correct import Image
from headscarp.backscatter.measurement import Subset, refuse_empty, write_subset
from headscarp.backscatter.options import BackscatterOptions
from headscarp.backscatter.record import (
    BACKSCATTER_JSON,
    AcquisitionRecord,
    BackscatterRecord,
    SliceRecord,
    write_backscatter_record,
)
from headscarp.errors import HeadscarpError
from headscarp.grid import tiles
from headscarp.pipeline.backscatter.blocks import BlockMaker, Store
from headscarp.pipeline.backscatter.finished import (
    FINISHED,
    bring,
    claim_of,
    find_kept,
    find_written,
    keep,
)
from headscarp.pipeline.backscatter.plan import Pass, Plan, Slice, make_plan
from headscarp.pipeline.backscatter.write import GEOMETRY, Sums, tag_pass, write_pass
from headscarp.pipeline.provenance import command_line, source_commit
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.run_folder import block_cache, staged_folder
from headscarp.vocabulary import Polarization

BLOCK_PX = 512
"""Side of a block; it changes memory and time."""


class _Cut(NamedTuple):
    """A pass's slices as images, and how many samples of each were border noise."""

    images: tuple[Image, ...]
    border: tuple[dict[str, int], ...]


def tell_nobody(text: str) -> None:
    """A sentence that nobody reads."""


def run_backscatter(
    options: BackscatterOptions,
    out: Path,
    overwrite: bool = False,
    progress: Progress = silent,
    block_px: int = BLOCK_PX,
    tell: Callable[[str], None] = tell_nobody,
) -> BackscatterRecord:
    """Process Sentinel-1 GRD products into a folder that ``headscarp map`` takes as scenes.

    Parameters
    ----------
    options : BackscatterOptions
    out : Path
        Folder to write; it appears whole or not at all. What is done stays in a hidden folder beside it
        until then, and a run that was stopped goes on from there.
    overwrite : bool
        Replace what an earlier call wrote there; passes that would come out the same are kept.
    progress : callable, optional
        Told of each stage's progress.
    block_px : int
        Side of a block, a multiple of 16.
    tell : callable, optional
        Told, in a sentence, which passes were finished before.

    Returns
    -------
    BackscatterRecord
        What ``backscatter.json`` holds.

    Raises
    ------
    HeadscarpError
        On bad input; nothing is written then.
    """
    stages, place = Stages(progress), out.resolve()
    work = place.with_name(f".{place.name}.backscatter-work")
    with block_cache(), staged_folder(out, overwrite, BACKSCATTER_JSON) as folder:
        with stages.stage("plan"):
            plan = make_plan(options)
        record, done = _record(plan, options), []
        for one in plan.passes:
            claim, file = claim_of(one, plan, options, block_px), f"{one.acquisition.name}.tif"
            found = _find(work / FINISHED, place, file, claim)
            if found is None:
                with _kept_if_stopped(work, one):
                    made = _process(one, plan, record, claim, work, stages, block_px)
                found = Found(work / FINISHED, made)
            else:
                tell(f"{file} was made before, from the same by the same steps, and is used again.")
            bring(found.folder, folder, found.done)
            done.append(found.done)
        record = record.model_copy(update={"acquisitions": done, "stages": stages.records})
        write_backscatter_record(folder, record)
    shutil.rmtree(work, ignore_errors=True)
    return record


class Found(NamedTuple):
    """A finished pass and the folder of its files."""

    folder: Path
    done: AcquisitionRecord


def _find(kept: Path, out: Path, file: str, claim: str) -> Found | None:
    """A pass that a stopped run, or an earlier one, has finished."""
    for folder, find in ((kept, find_kept), (out, find_written)):
        done = find(folder, file, claim)
        if done is not None:
            return Found(folder, done)
    return None


@contextmanager
def _kept_if_stopped(work: Path, one: Pass) -> Iterator[None]:
    """Work stays where a run is stopped; where its input is refused, only passes that were finished do."""
    try:
        yield
    except HeadscarpError:
        shutil.rmtree(work / one.acquisition.name, ignore_errors=True)
        if not list((work / FINISHED).glob("*.json")):
            shutil.rmtree(work, ignore_errors=True)
        raise


def _process(
    one: Pass,
    plan: Plan,
    whole: BackscatterRecord,
    claim: str,
    work: Path,
    stages: Stages,
    block_px: int,
) -> AcquisitionRecord:
    """Cut, correct and write one pass into the folder of the finished ones."""
    name, options = one.acquisition.name, whole.options
    store, folder = Store(work / name, claim), work / FINISHED
    (folder / GEOMETRY).mkdir(parents=True, exist_ok=True)
    with stages.stage(f"{name}: cut"):
        cut = _cut(one, options, store.folder, stages)
    maker = BlockMaker(
        cut.images, one.acquisition.polarizations, plan.ground, plan.geobox, plan.pixel_m, options
    )
    every = list(tiles(plan.geobox, block_px))
    todo = [tile for tile in every if not store.has(tile)]
    with stages.stage(f"{name}: correct"):
        for _ in stages.map(f"{name}: correct", lambda tile: store.write(tile, maker.make(tile)), todo):
            pass
    with stages.stage(f"{name}: write"):
        sums = write_pass(folder, one, plan, store, every)
    done = _acquisition_record(one, plan, whole.options, cut, sums, claim)
    tag_pass(folder, one, done, whole)
    keep(folder, done)
    store.remove()
    return done


def _cut(one: Pass, options: BackscatterOptions, scratch: Path, stages: Stages) -> _Cut:
    """Cut every measurement to its window, its borders cleaned."""
    work = [(number, part, pol) for number, part in enumerate(one.slices) for pol in part.product.annotations]

    def cut(item: tuple[int, Slice, Polarization]) -> Subset:
        number, part, pol = item
        return _cut_one(part, pol, options, scratch / f"slice_{number}_{pol}.tif")

    found = dict(
        zip(
            [(number, pol) for number, _, pol in work],
            stages.map(f"{one.acquisition.name}: cut", cut, work),
            strict=True,
        )
    )
    images, border = [], []
    for number, part in enumerate(one.slices):
        subsets = {pol: found[number, pol] for pol in part.product.annotations}
        images.append(Image(part.imaging, subsets, part.radiometry))
        border.append({str(pol): subset.dropped for pol, subset in subsets.items()})
    return _Cut(tuple(images), tuple(border))


def _cut_one(part: Slice, pol: Polarization, options: BackscatterOptions, scratch: Path) -> Subset:
    safe, annotation = part.product.safe, part.product.annotation
    subset = write_subset(
        safe.gdal_path(safe.channels[pol].measurement),
        scratch,
        (annotation.lines, annotation.samples),
        part.window,
        part.noise.get(pol) if options.border_noise else None,
    )
    if not options.allow_empty:
        refuse_empty(subset, f"{safe.name} {pol}")
    return subset


def _record(plan: Plan, options: BackscatterOptions) -> BackscatterRecord:
    rows, cols = plan.geobox.shape
    return BackscatterRecord(
        headscarp=__version__,
        commit=source_commit(),
        command=command_line(),
        options=options,
        crs=str(plan.geobox.crs),
        rows=rows,
        columns=cols,
        spacing=abs(plan.geobox.transform.a),
        grid_source=plan.grid_source,
        heights=plan.ground.source,
        dem_coverage=round(plan.dem_coverage, 6),
        left_out=plan.left_out,
        acquisitions=[],
        stages=[],
    )


def _acquisition_record(
    one: Pass, plan: Plan, options: BackscatterOptions, cut: _Cut, sums: Sums, claim: str
) -> AcquisitionRecord:
    annotation, rows_cols = one.acquisition.annotation, plan.geobox.shape
    return AcquisitionRecord(
        file=f"{one.acquisition.name}.tif",
        acquired=f"{annotation.acquired:%Y-%m-%dT%H:%M:%SZ}",
        platform=annotation.platform,
        orbit_state=annotation.orbit_state.value,
        relative_orbit=one.acquisition.relative_orbit,
        polarizations=list(one.acquisition.polarizations),
        slices=[
            SliceRecord(
                product=part.product.safe.name,
                processed=part.product.processed,
                noise={pol: noise_words(part, pol, options) for pol in part.product.annotations},
                orbit=part.orbit.source,
                orbit_residual_m=part.orbit.residual_m,
                border_samples=border,
            )
            for part, border in zip(one.slices, cut.border, strict=True)
        ],
        observed_share=sums.observed / (rows_cols[0] * rows_cols[1]),
        floor_share=sums.at_floor / sums.values if sums.values else 0.0,
        claim=claim,
    )


def noise_words(part: Slice, polarization: Polarization, options: BackscatterOptions) -> str:
    """What was done about thermal noise, in words."""
    if not options.thermal_noise:
        return "not denoised (switched off)"
    noise = part.noise[polarization]
    if noise.empty:
        return "not denoised: the product's noise table is all zeros"
    return f"subtracted ({noise.layout})"
