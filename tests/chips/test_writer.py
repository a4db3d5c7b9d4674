"""The store: what is written is read, it appears when it is whole, and it is taken up where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from headscarp.chips.store import IGNORE, ChipError, open_store
from headscarp.chips.writer import JOURNAL, CutChip, Layout, StoreWriter, content_sha256, open_writer
from headscarp.features.sets import feature_set
from tests.chips.made_chips import make_chip, make_facts, write_chips

SIZE = 8
LAYOUT = Layout(feature_set("group1"), SIZE, 0, 10)


def drawn(place: int) -> CutChip:
    rng = np.random.default_rng(place)
    x = rng.normal(size=(2, SIZE, SIZE)).astype(np.float32)
    x[0, 0, 0] = np.nan
    label = rng.choice(np.array([0, 1, IGNORE], np.uint8), (SIZE, SIZE))
    return CutChip(make_chip("a", 0, place * SIZE, side_m=80), x, label, None)


def finish(writer: StoreWriter) -> None:
    writer.finish(make_facts(writer.chips, SIZE))


def test_what_is_written_is_read_in_any_order(tmp_path: Path) -> None:
    chips = [drawn(i) for i in range(5)]
    writer = open_writer(tmp_path / "s.zarr", "key", LAYOUT)
    writer.append("one", chips[:3])
    writer.append("none", [])
    writer.append("two", chips[3:])
    assert not (tmp_path / "s.zarr").exists(), "it appears when it is complete"
    finish(writer)
    store = open_store(tmp_path / "s.zarr")
    assert len(store) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["s.zarr"]
    x, label, days = store.read([4, 0, 2])
    assert days is None
    for i, place in enumerate((4, 0, 2)):
        np.testing.assert_array_equal(x[i], chips[place].x)
        np.testing.assert_array_equal(label[i], chips[place].label)
    assert store.place_of()[chips[3].facts.id] == 3
    assert store.facts.chips == tuple(chip.facts for chip in chips)


def test_one_chip_is_one_chunk(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "s.zarr", "key", LAYOUT)
    writer.append("one", [drawn(i) for i in range(3)])
    finish(writer)
    arrays = zarr.open_group(tmp_path / "s.zarr", mode="r")
    assert arrays["x"].shape == (3, 2, SIZE, SIZE)
    assert arrays["x"].chunks == (1, 2, SIZE, SIZE)
    assert arrays["label"].shape == (3, SIZE, SIZE)
    assert arrays["label"].chunks == (1, SIZE, SIZE)
    assert "days" not in arrays


def test_series_are_padded_to_the_most_dates(tmp_path: Path) -> None:
    features = feature_set("series_ascending")
    x = [np.ones((n, 2, SIZE, SIZE), np.float32) * n for n in (3, 5)]
    days = [np.arange(n, dtype=np.float32) - 2 for n in (3, 5)]
    label = np.zeros((2, SIZE, SIZE), np.uint8)
    store = write_chips(tmp_path / "s.zarr", features, x, label, days)
    read, _, read_days = store.read([0, 1])
    assert read.shape == (2, 5, 2, SIZE, SIZE)
    assert read_days is not None
    np.testing.assert_array_equal(read_days[0], [-2, -1, 0, np.nan, np.nan])
    np.testing.assert_array_equal(read_days[1], [-2, -1, 0, 1, 2])
    assert (read[0, :3] == 3).all()
    assert np.isnan(read[0, 3:]).all()
    assert store.facts.chips[0].content_sha256 == content_sha256(x[0], label[0]), "of what was observed"


def test_it_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    final = tmp_path / "s.zarr"
    first = open_writer(final, "key", LAYOUT)
    first.append("one", [drawn(0), drawn(1)])
    first.append("two", [drawn(2)])
    journal = first.part / JOURNAL
    cut_off = journal.read_text(encoding="utf-8").rstrip("\n")[:-20]
    journal.write_text(cut_off, encoding="utf-8")  # killed while it noted the second region
    again = open_writer(final, "key", LAYOUT)
    assert again.done == {"one"}
    assert [chip.id for chip in again.chips] == [drawn(i).facts.id for i in range(2)]
    again.append("two", [drawn(2)])
    third = open_writer(final, "key", LAYOUT)
    assert third.done == {"one", "two"}
    third.append("three", [drawn(3)])
    finish(third)
    x, label, _ = open_store(final).read(range(4))
    np.testing.assert_array_equal(x, [drawn(i).x for i in range(4)])
    np.testing.assert_array_equal(label, [drawn(i).label for i in range(4)])
    assert not (final / JOURNAL).exists()


def test_what_was_begun_with_another_key_is_thrown_away(tmp_path: Path) -> None:
    first = open_writer(tmp_path / "s.zarr", "key", LAYOUT)
    first.append("one", [drawn(0)])
    other = open_writer(tmp_path / "s.zarr", "another", LAYOUT)
    assert other.done == set()
    assert other.chips == []
    assert json.loads((other.part / JOURNAL).read_text().splitlines()[0]) == {"key": "another"}


def test_a_disk_without_room_is_told_and_what_is_there_stays(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "s.zarr", "key", LAYOUT)
    writer.append("one", [drawn(0)])

    class Full:
        def __setitem__(self, place: int, values: object) -> None:
            raise OSError(28, "No space left on device")

    writer.arrays.update(x=Full(), label=Full())
    with pytest.raises(ChipError, match="No space left") as error:
        writer.append("two", [drawn(1)])
    assert "run the same command again" in error.value.fix
    assert writer.done == {"one"}
    assert open_writer(tmp_path / "s.zarr", "key", LAYOUT).done == {"one"}


def test_the_hash_is_of_features_and_labels() -> None:
    chip = drawn(0)
    own = content_sha256(chip.x, chip.label)
    assert own == content_sha256(chip.x.copy(), chip.label.copy())
    assert own == content_sha256(np.asfortranarray(chip.x), chip.label)
    turned = chip.label.copy()
    turned[0, 0] ^= 1
    assert content_sha256(chip.x, turned) != own
    assert content_sha256(chip.x + 1, chip.label) != own


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChipError, match="nothing"):
        open_store(tmp_path / "nothing")
    open_writer(tmp_path / "s.zarr", "key", LAYOUT)
    with pytest.raises(ChipError, match="run headscarp chips again"):
        open_store(tmp_path / ".s.zarr.part")
