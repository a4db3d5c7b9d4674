"""The command `headscarp audit`: exit codes, what it prints, what it writes, what it refuses."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from matplotlib.image import imread

from headscarp.audit.record import AuditRecord
from headscarp.split import Chip, read_split, write_split
from tests.audit.made_splits import SIDE_M, chip, clean_chips, split_file
from tests.test_cli import assert_refused, run


def leaky_chips() -> list[Chip]:
    """Rows of touching chips, every third one for testing, at twelve places."""
    return [
        chip(
            f"c{row}-{i}",
            "test" if i % 3 == 2 else ("validation" if row % 4 == 3 else "train"),
            3e5 + 20_000 * row + i * SIDE_M,
            5e6,
            event=f"e{row % 2}",
        )
        for row in range(12)
        for i in range(4)
    ]


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    path = tmp_path / "leaky.json"
    write_split(path, split_file(leaky_chips()))
    return path


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "clean.json"
    write_split(path, split_file(clean_chips(9)))
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_clean_split_ends_with_0(clean: Path) -> None:
    done = run("audit", clean)
    assert (done.returncode, done.stderr) == (0, "")
    assert "verdict: clean (0 of 0 findings are leaks)" in done.stdout
    assert "no list of low-quality chips was found" in done.stdout
    assert names_in(clean.parent) == ["clean.json"]


def test_leaks_are_counted(leaky: Path) -> None:
    done = run("audit", leaky)
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 of 12 test chips touch or overlap a training or validation chip" in done.stdout
    assert "half a pixel, 5 m" in done.stdout
    assert "verdict: leaks (24 of 26 findings are leaks)" in done.stdout


def test_a_strict_audit_tells_by_its_exit_code(leaky: Path, clean: Path) -> None:
    assert run("audit", leaky, "--quiet", "--strict") == (1, "", "")
    assert run("audit", clean, "--quiet", "--strict") == (0, "", "")
    assert run("audit", leaky, "--quiet") == (0, "", "")


def test_notes_alone_end_with_0_unless_events_are_to_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "shared.json"
    write_split(path, split_file(c.model_copy(update={"event": "quake"}) for c in clean_chips(9)))
    assert run("audit", path, "--strict").returncode == 0
    strict = run("audit", path, "--leave-event-out", "--strict")
    assert strict.returncode == 1
    assert "1 event has chips in several splits" in strict.stdout


def test_the_folder_holds_the_record_the_findings_and_a_map(leaky: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    assert run("audit", leaky, "--out", out).returncode == 0
    assert names_in(out) == ["audit.json", "findings.csv", "map.png"]
    assert names_in(tmp_path) == ["audit", "leaky.json"]
    record = AuditRecord.model_validate_json((out / "audit.json").read_text())
    assert (record.verdict, record.leaks, record.tolerance_m) == ("leaks", 24, {"": 5.0})
    assert (record.series[0].near.test, record.series[0].chips.test) == (12, 12)
    assert record.findings == {"touching edges": 24, "event in several splits": 2}
    with (out / "findings.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == sum(record.findings.values())
    first = rows[0]
    assert (first["kind"], first["severity"], first["chip_a"], first["split_a"]) == (
        "touching edges", "leak", "c0-1", "train",
    )  # fmt: skip
    assert (first["chip_b"], first["split_b"], first["event"], first["gap_m"]) == (
        "c0-2", "test", "e0", "0.0",
    )  # fmt: skip
    assert imread(out / "map.png").std() > 0.05


def test_a_repair_is_told_and_written_and_is_clean(leaky: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    done = run("audit", leaky, "--repair", "blocks", "--buffer-m", "1280", "--out", out)
    assert done.returncode == 0
    assert "chips kept" in done.stdout
    assert "the repaired split is clean" in done.stdout
    assert "blocks share an event among splits by design" in done.stdout
    assert names_in(out) == [
        "audit.json", "findings.csv", "map.png", "map_repaired.png", "split_repaired.json",
    ]  # fmt: skip
    record = AuditRecord.model_validate_json((out / "audit.json").read_text())
    assert record.repair is not None
    assert record.repair.verdict == "clean"
    repaired = read_split(out / "split_repaired.json")
    assert len(repaired.chips) == record.repair.costs[0].after
    assert run("audit", out / "split_repaired.json", "--quiet", "--strict").returncode == 0


def test_a_repair_without_a_folder_only_tells(leaky: Path) -> None:
    done = run("audit", leaky, "--repair", "blocks", "--buffer-m", "500", "--block-m", "6000", "--seed", "3")
    assert done.returncode == 0
    assert "blocks of 6000 m" in done.stdout
    assert "500 m between splits, seed 3" in done.stdout
    assert names_in(leaky.parent) == ["leaky.json"]


def test_several_series_are_repaired_together(tmp_path: Path) -> None:
    chips = [c.model_copy(update={"series": "up"}) for c in leaky_chips()]
    turned = {"train": "test", "test": "train", "validation": "validation"}
    others = [c.model_copy(update={"series": "down", "split": turned[c.split]}) for c in chips]
    write_split(tmp_path / "up.json", split_file(chips, "up"))
    write_split(tmp_path / "down.json", split_file(others, "down"))
    out = tmp_path / "audit"
    done = run("audit", tmp_path / "up.json", tmp_path / "down.json", "--repair", "blocks", "--out", out)
    assert "of the 12 up test chips that also exist in down, 12 are training and 0 validation" in done.stdout
    up, down = (read_split(out / f"split_repaired_{name}.json") for name in ("up", "down"))
    assert {c.id: c.split for c in up.chips} == {c.id: c.split for c in down.chips}


def test_one_series_in_several_files_is_one_split(tmp_path: Path) -> None:
    for name in ("train", "validation", "test"):
        own = [c for c in leaky_chips() if c.split == name]
        write_split(tmp_path / f"{name}.json", split_file(own, name))
    out = tmp_path / "audit"
    paths = [tmp_path / f"{name}.json" for name in ("train", "validation", "test")]
    done = run("audit", *paths, "--repair", "blocks", "--out", out)
    assert "12 of 12 test chips touch or overlap a training or validation chip" in done.stdout
    written = [name for name in names_in(out) if name.startswith("split_repaired")]
    assert written == [f"split_repaired_{place}.json" for place in (1, 2, 3)]
    assert run("audit", *[out / name for name in written], "--quiet", "--strict").returncode == 0


def test_a_list_of_low_quality_chips(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("c2\nc0\n")
    done = run("audit", clean, "--low-quality", tmp_path / "bad.txt")
    assert done.returncode == 0
    assert "low-quality chips: 1 of 3 in test, 0 of 3 in validation, 1 of 3 in training" in done.stdout
    assert "no list" not in done.stdout


class TestOut:
    """What stands in --out is kept, or replaced whole."""

    def test_an_audit_is_kept_then_replaced(self, leaky: Path, clean: Path, tmp_path: Path) -> None:
        out = tmp_path / "audit"
        assert run("audit", leaky, "--out", out, "--repair", "blocks").returncode == 0
        before = (out / "audit.json").read_bytes()
        assert_refused(("audit", clean, "--out", out), "--overwrite")
        assert (out / "audit.json").read_bytes() == before
        assert run("audit", clean, "--out", out, "--overwrite").returncode == 0
        assert names_in(out) == ["audit.json", "findings.csv", "map.png"]
        assert json.loads((out / "audit.json").read_text())["verdict"] == "clean"

    def test_a_folder_of_something_else_is_never_replaced(self, clean: Path, tmp_path: Path) -> None:
        out = tmp_path / "thesis"
        out.mkdir()
        (out / "chapter.txt").write_text("years of work")
        assert_refused(("audit", clean, "--out", out, "--overwrite"), "audit.json")
        assert names_in(out) == ["chapter.txt"]

    def test_bad_input_leaves_nothing(self, leaky: Path, tmp_path: Path) -> None:
        broken = tmp_path / "broken.json"
        broken.write_text(leaky.read_text()[:-40])
        assert_refused(("audit", broken, "--out", tmp_path / "audit"), "JSON")
        small = tmp_path / "small.json"
        write_split(small, split_file(leaky_chips()[:4]))
        assert_refused(("audit", small, "--repair", "blocks", "--out", tmp_path / "audit"), "--block-m")
        assert names_in(tmp_path) == ["broken.json", "leaky.json", "small.json"]


class TestBadInput:
    """Four parts and exit code 2."""

    def test_paths(self, tmp_path: Path) -> None:
        assert_refused(("audit", tmp_path / "nowhere"), "nowhere")
        assert_refused(("audit", tmp_path), "splits.json")

    def test_an_unknown_split_name(self, clean: Path) -> None:
        clean.write_text(clean.read_text().replace('"test"', '"holdout"', 1))
        assert_refused(("audit", clean), "holdout", "docs/audit.md")

    def test_a_patch_without_a_location(self, tmp_path: Path) -> None:
        entry = {"id": "lost_1", "pixel_annotated": 60, "inventory": "lost"}
        (tmp_path / "splits.json").write_text(json.dumps({"train": [entry]}))
        (tmp_path / "patch_locations.geojson").write_text('{"features": []}')
        assert_refused(("audit", tmp_path), "lost_1", "patch_locations.geojson")

    @pytest.mark.parametrize(
        ("arguments", "fragment"),
        [
            (["--repair", "blocks", "--buffer-m", "-1"], "--buffer-m"),
            (["--repair", "blocks", "--block-m", "0"], "--block-m"),
            (["--repair", "blocks", "--buffer-m", "inf"], "--buffer-m"),
            (["--buffer-m", "10"], "--repair"),
            (["--low-quality", "missing.txt"], "missing.txt"),
        ],
    )
    def test_options(self, clean: Path, arguments: Sequence[str], fragment: str) -> None:
        assert_refused(("audit", clean, *arguments), fragment)

    def test_an_unknown_repair_and_no_split(self, clean: Path) -> None:
        assert run("audit", clean, "--repair", "magic").returncode == 2
        assert run("audit").returncode == 2
