"""Sentinel-1 GRD products among the scenes of a map: made into backscatter, beside the run, once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headscarp.backscatter.options import BackscatterOptions
from headscarp.backscatter.passes import Acquisition, group, read_product
from headscarp.backscatter.record import BackscatterRecord
from headscarp.backscatter.safe import open_safe, products_inside
from headscarp.config import MapOptions
from headscarp.errors import EventError, OptionsError, SceneError
from headscarp.event import Event
from headscarp.ingest.files import find_rasters
from headscarp.pipeline.backscatter.run import run_backscatter
from headscarp.pipeline.map.resume import Tell
from headscarp.pipeline.stages import Stages
from headscarp.record import InputRecord, RunRecord
from headscarp.vocabulary import Role

BESIDE = ".backscatter"
"""What the folder of the scenes that were made is called, after the run's name."""


@dataclass(frozen=True)
class Prepared:
    """Options whose scenes are rasters alone, and what was made for that; none: there was no product."""

    options: MapOptions
    given: MapOptions
    folder: Path
    made: BackscatterRecord | None

    def told(self, record: RunRecord) -> RunRecord:
        """The record of a run, with the options as given and the products of each scene."""
        if self.made is None:
            return record
        inputs = [self._with_products(entry) for entry in record.inputs]
        notes = [*record.notes, *self._notes(self.made)]
        options = self.given.model_dump(mode="json")
        return record.model_copy(update={"inputs": inputs, "notes": notes, "options": options})

    def _with_products(self, entry: InputRecord) -> InputRecord:
        passes = self.made.acquisitions if self.made is not None else []
        slices = [
            part.product
            for one in passes
            if self.folder / one.file == Path(entry.path)
            for part in one.slices
        ]
        if not slices:
            return entry
        return entry.model_copy(update={"reason": f"{entry.reason}; made of {', '.join(slices)}"})

    def _notes(self, made: BackscatterRecord) -> list[str]:
        products = sum(len(one.slices) for one in made.acquisitions)
        first = (
            f"{len(made.acquisitions)} scenes were made of {products} Sentinel-1 GRD products, by the steps "
            f"in {self.folder.name}/backscatter.json beside the run."
        )
        left = [f"The product {name} was left out: {reason}." for name, reason in made.left_out.items()]
        undone = sorted(
            {
                f"{one.file} {pol}: {done}."
                for one in made.acquisitions
                for part in one.slices
                for pol, done in part.noise.items()
                if "not" in done
            }
        )
        return [first, *left, *undone]


def prepare_scenes(options: MapOptions, out: Path, stages: Stages, tell: Tell) -> Prepared:
    """Make backscatter of the products among the scenes, into a folder beside the run.

    A second run with the same products, chain, area and DEM finds them there and makes only what is new.

    Parameters
    ----------
    options : MapOptions
    out : Path
        The run folder.
    stages : Stages
    tell : callable
        Told what is made, and what was made before.

    Raises
    ------
    HeadscarpError
        Without a DEM, without products on both sides of the event, or if a product cannot be processed.
    """
    place = out.resolve()
    folder = place.with_name(place.name + BESIDE)
    found = {product.resolve(): None for path in options.scenes for product in products_inside(path)}
    if not found:
        return Prepared(options, options, folder, None)
    chain = _chain(options, list(found))
    event, rest = Event.from_options(options.event), _without(options.scenes)
    passes, _ = group(read_product(open_safe(path)) for path in found)
    if not rest:
        _refuse_one_sided(passes, event)
    tell(f"Of {len(found)} Sentinel-1 GRD products, {len(passes)} passes, backscatter goes to {folder}.")
    with stages.stage("backscatter"):
        made = run_backscatter(chain, folder, overwrite=True, progress=stages.progress, tell=tell)
    scenes = (*rest, *(folder / one.file for one in made.acquisitions))
    return Prepared(options.model_copy(update={"scenes": scenes}), options, folder, made)


def _chain(options: MapOptions, products: list[Path]) -> BackscatterOptions:
    if options.terrain.dem is None:
        raise OptionsError(
            "a DEM, for the Sentinel-1 GRD products among the scenes",
            f"{len(products)} products, the first {products[0].name}, and no --dem",
            "a radar image is laid on the map by the heights of the ground: without them it is misplaced by "
            "more than its height",
            "pass --dem FILE, such as SRTM or the Copernicus DEM, or give scenes that are terrain corrected",
        )
    steps = options.backscatter.model_dump()
    return BackscatterOptions(products=tuple(products), area=options.area, dem=options.terrain.dem, **steps)


def _without(scenes: tuple[Path, ...]) -> tuple[Path, ...]:
    """Scenes that are no products: files, and folders with anything else in them."""
    rest = [path for path in scenes if products_inside(path) != [path]]
    for path in rest:
        if not path.exists():
            raise SceneError(
                "files or folders of scenes",
                f"{path}, which does not exist",
                "it would be missed only once all products are processed",
                "check the path",
            )
    return tuple(path for path in rest if find_rasters(path))


def _refuse_one_sided(passes: list[Acquisition], event: Event) -> None:
    """Refuse before hours of work what would be refused after them."""
    times = [one.annotation.acquired for one in passes]
    roles = {event.role_of(time)[0] for time in times}
    for role, side, window in ((Role.PRE_EVENT, "before", event.pre), (Role.POST_EVENT, "after", event.post)):
        if role not in roles:
            raise EventError(
                f"at least one product {side} the event, in the window {window}",
                f"none of {len(times)} passes, {min(times):%Y-%m-%d} to {max(times):%Y-%m-%d}",
                f"without a scene {side} the event there is no change to see",
                f"fetch products {side} the event, or widen --{'pre' if side == 'before' else 'post'}",
            )
