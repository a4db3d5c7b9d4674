"""Finished passes are taken again only as wholes, and only where they follow from the same."""

from __future__ import annotations

from pathlib import Path

from headscarp.backscatter.record import AcquisitionRecord
from headscarp.pipeline.backscatter.finished import bring, find_kept, keep
from headscarp.pipeline.backscatter.write import files_of

FILE = "S1B_20211223T051122_DESC_R022.tif"
DONE = AcquisitionRecord(
    file=FILE, acquired="2021-12-23T05:11:22Z", platform="S1B", orbit_state="descending", relative_orbit=22,
    polarizations=["VV"], slices=[], observed_share=1.0, floor_share=0.0, claim="these options",
)  # fmt: skip


def test_a_pass_of_other_options_or_with_a_file_missing_is_not_taken(tmp_path: Path) -> None:
    for name in files_of(FILE):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert find_kept(tmp_path, FILE, "these options") is None  # nobody said that it is finished
    keep(tmp_path, DONE)
    assert find_kept(tmp_path, FILE, "these options") == DONE
    assert find_kept(tmp_path, FILE, "other options") is None
    (tmp_path / "out").mkdir()
    bring(tmp_path, tmp_path / "out", DONE)
    assert [(tmp_path / "out" / name).read_text() for name in files_of(FILE)] == list(files_of(FILE))
    (tmp_path / files_of(FILE)[2]).unlink()
    assert find_kept(tmp_path, FILE, "these options") is None
