"""Orbit files: of the right mission and time, the best kind first; the annotation's vectors otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headscarp.backscatter.annotation import Annotation, StateVectors
from headscarp.backscatter.orbit import choose_vectors, fit_orbit
from headscarp.backscatter.passes import Product
from headscarp.errors import SceneError

DAY = ("20211222T225942", "20211224T005942")


def eof(
    annotation: Annotation,
    folder: Path,
    mission: str = "Sentinel-1B",
    short: str = "S1B",
    kind: str = "POE",
    validity: tuple[str, str] = DAY,
    shift_m: float = 0.0,
    every: int = 1,
) -> Path:
    """An EOF with the annotation's vectors, its positions moved."""
    vectors = annotation.orbit
    osv = "".join(
        f"<OSV><TAI>TAI={t}</TAI><UTC>UTC={str(t)[:26]}</UTC><Absolute_Orbit>+30148</Absolute_Orbit>"
        + "".join(f'<{n} unit="m">{v + shift_m:.6f}</{n}>' for n, v in zip("XYZ", p, strict=True))
        + "".join(f'<V{n} unit="m/s">{v:.6f}</V{n}>' for n, v in zip("XYZ", s, strict=True))
        + "<Quality>NOMINAL</Quality></OSV>"
        for t, p, s in list(zip(vectors.utc, vectors.position_m, vectors.velocity_m_s, strict=True))[::every]
    )
    iso = [f"UTC={t[:4]}-{t[4:6]}-{t[6:8]}T{t[9:11]}:{t[11:13]}:{t[13:]}" for t in validity]
    text = (
        '<?xml version="1.0"?><Earth_Explorer_File><Earth_Explorer_Header><Fixed_Header>'
        f"<Mission>{mission}</Mission><Validity_Period><Validity_Start>{iso[0]}</Validity_Start>"
        f"<Validity_Stop>{iso[1]}</Validity_Stop></Validity_Period></Fixed_Header></Earth_Explorer_Header>"
        f'<Data_Block type="xml"><List_of_OSVs count="1">{osv}</List_of_OSVs></Data_Block>'
        "</Earth_Explorer_File>"
    )
    folder.mkdir(exist_ok=True)
    path = folder / f"{short}_OPER_AUX_{kind}ORB_OPOD_20220112T110000_V{validity[0]}_{validity[1]}.EOF"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def annotation(products: dict[str, Product]) -> Annotation:
    return products["rome"].annotation


def test_the_annotation_is_the_stated_fallback(annotation: Annotation) -> None:
    orbit = fit_orbit(choose_vectors(annotation, None), annotation)
    assert orbit.source == "annotation"
    assert orbit.residual_m < 0.001


def test_a_file_moves_the_orbit(annotation: Annotation, tmp_path: Path) -> None:
    path = eof(annotation, tmp_path, shift_m=5.0)
    orbit = fit_orbit(choose_vectors(annotation, path), annotation)
    plain = fit_orbit(annotation.orbit, annotation)
    moved = orbit.at(np.array(12.0)).position - plain.at(np.array(12.0)).position
    np.testing.assert_allclose(moved, 5.0, atol=1e-3)
    assert orbit.source == f"precise orbit {path.name}"


def test_of_a_folder_the_best_that_fits_is_taken(annotation: Annotation, tmp_path: Path) -> None:
    eof(annotation, tmp_path, kind="RES")
    eof(annotation, tmp_path, kind="POE", short="S1A", mission="Sentinel-1A")
    eof(annotation, tmp_path, validity=("20211122T225942", "20211124T005942"))
    assert "RESORB" in choose_vectors(annotation, tmp_path).source
    eof(annotation, tmp_path)
    assert "POEORB" in choose_vectors(annotation, tmp_path).source


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mission": "Sentinel-1A"}, "of Sentinel-1A"),
        ({"validity": ("20211222T225942", "20211223T051130")}, "valid 2021-12-22"),
        ({"validity": ("20211224T225942", "20211226T005942")}, "valid 2021-12-24"),
        ({"every": 6}, "state vectors or more"),
    ],
)
def test_a_file_of_another_mission_or_time_is_refused(
    annotation: Annotation, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    path = eof(annotation, tmp_path, **changed)  # type: ignore[arg-type]
    with pytest.raises(SceneError, match=message):
        fit_orbit(choose_vectors(annotation, path), annotation)


def test_vectors_that_end_before_the_image_are_refused(annotation: Annotation) -> None:
    utc, position, velocity, source = annotation.orbit
    short = StateVectors(utc[:9], position[:9], velocity[:9], source)
    with pytest.raises(SceneError, match="before to after"):
        fit_orbit(short, annotation)


def test_a_folder_without_a_file_for_the_image_is_refused(annotation: Annotation, tmp_path: Path) -> None:
    eof(annotation, tmp_path, short="S1A", mission="Sentinel-1A")
    with pytest.raises(SceneError, match="with none"):
        choose_vectors(annotation, tmp_path)
    with pytest.raises(SceneError, match="check --orbit"):
        choose_vectors(annotation, tmp_path / "none.EOF")
