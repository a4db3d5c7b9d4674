"""Products among the scenes of a map: made into backscatter once, beside the run, and mapped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from sklearn.metrics import average_precision_score
from typer.testing import CliRunner

import headscarp as hs
import headscarp.cli.map
import headscarp.cli.simulate
from headscarp.backscatter.record import read_backscatter_record
from headscarp.cli.app import app
from headscarp.errors import HeadscarpError
from headscarp.pipeline.backscatter.blocks import BlockMaker
from headscarp.pipeline.simulate import run_simulate
from headscarp.simulate.options import SimulateOptions
from tests.backscatter.writer import zip_safe

ROME = "S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE"
SCENES = [f"S1B_{day}T051122_DESC_R022.tif" for day in ("20240529", "20240610", "20240622")]


@pytest.fixture(scope="module")
def annotation(real_data: Path) -> Path:
    return real_data / "safe_grd" / ROME


@pytest.fixture(scope="module")
def event(annotation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three products of a square of 1.3 km: two before the event, one after."""
    out = tmp_path_factory.mktemp("safe") / "event"
    run_simulate(
        SimulateOptions(product="safe", annotation=annotation, size_px=128, pre=2, post=1, landslides=12), out
    )
    return out


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the images that blocks were made of."""
    calls: list[str] = []
    make = BlockMaker.make

    def counting(self: BlockMaker, tile: object) -> object:
        calls.append(next(iter(self.images[0].subsets.values())).path.parent.name)
        return make(self, tile)  # type: ignore[arg-type]

    monkeypatch.setattr(BlockMaker, "make", counting)
    yield calls


def products(event: Path) -> list[Path]:
    return sorted((event / "scenes").glob("*.SAFE"))


def options(event: Path, **more: object) -> hs.MapOptions:
    plain = {"backscatter.visibility": False, "terrain.min_slope_deg": 0.0}
    return hs.load_options(None, {"scenes": [event], **plain, **more})


def test_products_are_made_once_and_the_record_names_them(
    event: Path, tmp_path: Path, made: list[str]
) -> None:
    told: list[str] = []
    stages: set[str] = set()
    record = hs.run_map(options(event), tmp_path / "run", False, lambda *s: stages.add(s[0]), told.append)
    beside = tmp_path / "run.backscatter"
    assert sorted(set(made)) == [name.removesuffix(".tif") for name in SCENES]
    assert f"{SCENES[0].removesuffix('.tif')}: correct" in stages
    assert f"Of 3 Sentinel-1 GRD products, 3 passes, backscatter goes to {beside}." in told
    by_name = {Path(entry.path).name: entry for entry in record.inputs}
    assert sorted(by_name) == SCENES
    for entry, product in zip((by_name[name] for name in SCENES), products(event), strict=True):
        assert Path(entry.path).parent == beside
        assert entry.reason.endswith(f"; made of {product.name.removesuffix('.SAFE')}")
    assert [by_name[name].role.value for name in SCENES] == ["pre_event", "pre_event", "post_event"]
    assert (
        json.loads((tmp_path / "run" / "run.json").read_text())["inputs"]
        == json.loads(record.model_dump_json())["inputs"]
    )
    assert any(note.startswith("3 scenes were made of 3 Sentinel-1 GRD products") for note in record.notes)
    assert record.options["scenes"] == [str(event / "scenes")]
    assert record.stages[0].name == "backscatter"
    assert record.results.observed_km2 > 0.9 * 1.28**2
    made.clear()
    told.clear()
    again = hs.run_map(
        options(event, **{"polygons.threshold": 0.5}), tmp_path / "run", True, tell=told.append
    )
    assert not made and sum("is used again" in text for text in told) == 3
    assert {e.path: e.sha256 for e in again.inputs} == {e.path: e.sha256 for e in record.inputs}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_a_zip_a_named_product_and_a_scene_go_together_and_only_the_new_one_is_made(
    event: Path, tmp_path: Path, made: list[str]
) -> None:
    first, second, third = products(event)
    scenes = tmp_path / "scenes"
    (scenes / "deep").mkdir(parents=True)
    zip_safe(third, scenes / "deep" / third.name.replace(".SAFE", ".zip"))
    given = [first, scenes]
    out = tmp_path / "run"
    hs.run_map(options(event, scenes=given, **described(event)), out)
    assert sorted(set(made)) == [SCENES[0].removesuffix(".tif"), SCENES[2].removesuffix(".tif")]
    made.clear()
    shutil.copytree(second, scenes / second.name)
    record = hs.run_map(options(event, scenes=given, **described(event)), out, overwrite=True)
    assert sorted(set(made)) == [SCENES[1].removesuffix(".tif")]
    made.clear()
    assert len(read_backscatter_record(tmp_path / "run.backscatter").acquisitions) == 3
    # what was made is a scene as any other: a file beside products
    shutil.copy(tmp_path / "run.backscatter" / SCENES[2], scenes / SCENES[2])
    shutil.rmtree(scenes / "deep")
    mixed = hs.run_map(options(event, scenes=given, **described(event)), tmp_path / "mixed")
    assert sorted(set(made)) == [name.removesuffix(".tif") for name in SCENES[:2]]
    assert [e.reason.partition("; made of ")[2][:4] for e in mixed.inputs] == ["S1B_", "S1B_", ""]
    assert mixed.results.flagged_km2 == record.results.flagged_km2


def described(event: Path) -> dict[str, object]:
    """What the folder's event.yaml says, for scenes that stand elsewhere."""
    said = hs.load_options(None, {"scenes": [event]})
    return {
        "event.date": said.event.date, "event.pre": said.event.pre, "event.post": said.event.post,
        "terrain.dem": event / "dem.tif", "backscatter.heights": "ellipsoid", "area.bbox": said.area.bbox,
        "area.crs": said.area.crs, "area.spacing": said.area.spacing,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terrain.dem": None}, "3 products, the first S1B_IW_GRDH_1SDV_20240529"),
        ({"event.date": "2024-06-25", "event.pre": None, "event.post": None}, "none of 3 passes, 2024-05-29"),
        ({"event.date": "2024-05-01", "event.pre": None, "event.post": None}, "at least one product before"),
        ({"backscatter.heights": "auto"}, "--heights geoid"),
        ({"extra": Path("nowhere")}, "nowhere, which does not exist"),
    ],
)
def test_what_cannot_be_mapped_is_refused_before_anything_is_made(
    event: Path, tmp_path: Path, made: list[str], change: dict[str, object], message: str
) -> None:
    said = {**described(event), **change}
    extra = said.pop("extra", None)
    scenes = [*products(event), *([extra] if extra else [])]
    with pytest.raises(HeadscarpError) as error:
        hs.run_map(hs.load_options(None, {"scenes": scenes, **said}), tmp_path / "run")
    assert message in str(error.value)
    assert not made and not list(tmp_path.iterdir())


def test_a_product_that_is_refused_keeps_what_was_made_of_the_others(
    event: Path, tmp_path: Path, made: list[str]
) -> None:
    scenes = tmp_path / "scenes"
    shutil.copytree(event / "scenes", scenes)
    broken = next(products(tmp_path)[2].glob("measurement/*-vh-*"))
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    said = described(event)
    with pytest.raises(HeadscarpError):
        hs.run_map(options(event, scenes=[scenes], **said), tmp_path / "run")
    assert sorted(set(made)) == [name.removesuffix(".tif") for name in SCENES[:2]]
    assert not (tmp_path / "run").exists() and not (tmp_path / "run.backscatter").exists()
    made.clear()
    broken.write_bytes(whole)
    hs.run_map(options(event, scenes=[scenes], **said), tmp_path / "run")
    assert sorted(set(made)) == [SCENES[2].removesuffix(".tif")]


def test_other_steps_make_the_scenes_again(event: Path, tmp_path: Path, made: list[str]) -> None:
    from headscarp.backscatter.options import BackscatterOptions
    from headscarp.pipeline.backscatter.run import run_backscatter

    said = hs.load_options(None, {"scenes": [event]})
    base = {
        "products": tuple(products(event)[:1]), "dem": event / "dem.tif", "heights": "ellipsoid",
        "area": said.area, "visibility": False,
    }  # fmt: skip
    for change in ({}, {"coefficient": "sigma0"}, {"border_noise": False}):
        run_backscatter(BackscatterOptions.model_validate(base | change), tmp_path / "out", overwrite=True)
        assert made
        made.clear()
    run_backscatter(BackscatterOptions.model_validate(base | change), tmp_path / "out", overwrite=True)
    assert not made
    (event / "dem.tif").touch()
    run_backscatter(BackscatterOptions.model_validate(base | change), tmp_path / "out", overwrite=True)
    assert made


def test_readers_of_scenes_leave_the_images_of_products_alone(event: Path, tmp_path: Path) -> None:
    [product] = products(event)[:1]
    for given in (product, next(product.glob("measurement/*"))):
        with pytest.raises(HeadscarpError, match="make backscatter of it: headscarp backscatter"):
            hs.read_scene_files([given])
    with pytest.raises(HeadscarpError, match="of GRD products make backscatter first"):
        hs.read_scene_files([event / "scenes"])


@pytest.mark.slow
def test_the_command_line_hands_on_what_products_need(event: Path, tmp_path: Path) -> None:
    said = described(event)
    bbox = [str(edge) for edge in said["area.bbox"]]  # type: ignore[attr-defined]
    arguments = ["map", str(event / "scenes"), "--event-date", "2024-06-15", "--dem", str(event / "dem.tif")]
    out = tmp_path / "run"
    result = CliRunner().invoke(
        app, [*arguments, "--heights", "ellipsoid", "--bbox", *bbox, "--spacing", "20", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert "3 scenes were made of 3 Sentinel-1 GRD products" in result.output
    with rasterio.open(tmp_path / "run.backscatter" / SCENES[0]) as scene:
        assert scene.res == (20.0, 20.0) and scene.tags()["HEIGHTS"] == "ellipsoidal as they are"


@pytest.mark.slow
def test_from_grd_to_a_map_that_finds_landslides(annotation: Path, tmp_path: Path) -> None:
    """One event, one orbit: as products, and as GeoTIFFs that are terrain corrected already."""
    precision = {}
    for product in ("safe", "gtc"):
        event, run = tmp_path / product, tmp_path / f"{product}_run"
        arguments = ["simulate", "--product", product, "--annotation", str(annotation), "--size", "256"]
        simulated = CliRunner().invoke(app, [*arguments, "--pre", "6", "--post", "2", "--out", str(event)])
        assert simulated.exit_code == 0, simulated.output
        mapped = CliRunner().invoke(app, ["map", str(event), "--out", str(run), "--quiet"])
        assert mapped.exit_code == 0, mapped.output
        precision[product] = precision_of(run, event)
        with rasterio.open(event / "label.tif") as truth:
            chance = float((truth.read(1) > 0).mean())
    assert precision["safe"] > 0.5 * precision["gtc"]
    assert precision["safe"] > 5.0 * chance


def precision_of(run: Path, event: Path) -> float:
    """Average precision of a map's probability on the pixels of the truth."""
    with rasterio.open(event / "label.tif") as truth, rasterio.open(run / "probability.tif") as found:
        label = truth.read(1)
        probability = found.read(1, window=found.window(*truth.bounds).round_offsets().round_lengths())
    assert probability.shape == label.shape
    held = np.isfinite(probability)
    assert held.mean() > 0.85
    return float(average_precision_score(label[held], probability[held]))
