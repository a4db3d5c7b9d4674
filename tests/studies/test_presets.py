"""Studies that come with the package load, and their commands say what there is to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from headscarp.cli import app
from headscarp.config import load
from headscarp.errors import OptionsError
from headscarp.studies.areas import missing
from headscarp.studies.pan_shi.options import PanShiOptions
from headscarp.studies.presets import PRESETS, study_file
from headscarp.studies.sar2ndvi.options import Sar2NdviOptions
from headscarp.studies.sar2ndvi.plan import plan_cells
from headscarp.studies.sen12.options import Sen12Options

OPTIONS = {"pan_shi": PanShiOptions, "sen12": Sen12Options, "sar2ndvi": Sar2NdviOptions}


@pytest.mark.parametrize(("study", "name"), [(study, name) for study in PRESETS for name in PRESETS[study]])
def test_presets_load(study: str, name: str) -> None:
    options = load(OPTIONS[study], study_file(study, None, name))
    assert type(options) is OPTIONS[study]


def test_one_file_or_one_preset_is_wanted(tmp_path: Path) -> None:
    assert study_file("sen12", tmp_path / "own.yaml", None) == tmp_path / "own.yaml"
    for config, preset in ((None, None), (tmp_path, "small"), (None, "large")):
        with pytest.raises(OptionsError, match="small"):
            study_file("sen12", config, preset)


def test_what_a_real_event_lacks_is_named() -> None:
    options = load(Sar2NdviOptions, study_file("sar2ndvi", None, "hualien"))
    assert options.event is not None
    names = [str(path) for path in missing(options.event)]
    assert names == [f"hualien/{n}" for n in ("scenes", "inventory", "dem.tif", "ndvi_pre", "ndvi_post")]
    twin = load(Sar2NdviOptions, study_file("sar2ndvi", None, "small"))
    assert twin.event is not None
    assert missing(twin.event) == []


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["headscarp", *arguments])
    with pytest.raises(SystemExit) as ended:
        app()
    return int(ended.value.code or 0), capsys.readouterr().out


def test_a_dry_run_lists_the_cells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    code, told = run(
        capsys, monkeypatch, "study", "sar2ndvi", "--preset", "small", "--out", str(out), "--dry-run"
    )
    options = load(Sar2NdviOptions, study_file("sar2ndvi", None, "small"))
    *cells, summed = told.splitlines()
    assert (code, len(cells)) == (0, len(plan_cells(options)))
    assert (
        summed == f"{len(cells)} cells, {len(cells)} not done; time is known once a cell of each row is done"
    )
    assert "window_29-seed2: waiting" in told
    code, told = run(
        capsys,
        monkeypatch,
        "study",
        "sen12",
        "--preset",
        "small",
        "--with",
        "dem",
        "--out",
        str(out),
        "--dry-run",
    )
    assert code == 0
    assert "convlstm_unet-blocked2-seed1: waiting" in told
    assert not out.exists()


def test_a_check_ends_with_1_where_something_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, told = run(
        capsys, monkeypatch, "study", "sar2ndvi", "--preset", "hualien", "--out", str(tmp_path), "--check"
    )
    assert code == 1
    assert "missing: hualien/ndvi_post" in told
    code, told = run(
        capsys, monkeypatch, "study", "sar2ndvi", "--preset", "small", "--out", str(tmp_path), "--check"
    )
    assert (code, told) == (0, "")
