"""The official download, against a hub on this machine."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

import headscarp.cli.fetch  # noqa: F401  (it registers the command)
from headscarp.cli.app import app
from headscarp.errors import OptionsError, OutputError
from headscarp.fetch import hub as hub_module
from headscarp.fetch.hub import TRIES, fetch_file, fetch_listing, is_whole
from headscarp.fetch.options import FetchError, FetchOptions
from headscarp.fetch.sen12 import FETCH_JSON, fetch_patches, left_to_fetch
from tests.sen12.hub import COMMIT, REPO, Hub, Served

pytest.importorskip("huggingface_hub")

PART = "data_harmonized/s1asc/s1asc_part01.tar.gz"
SPLITS = "tasks/S12LS-LD/harmonized/splits_aligned.json"


def archive(names: dict[str, bytes]) -> bytes:
    """A tar.gz; bytes that do not shrink, so that it can be cut anywhere."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz", compresslevel=1) as members:
        for name, content in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            members.addfile(info, io.BytesIO(content))
    return whole.getvalue()


def noise(seed: int, size: int = 40_000) -> bytes:
    return np.random.default_rng(seed).bytes(size)


PATCHES = {f"hokkaido_s1asc_{n}.nc": noise(n) for n in range(3)}
MEMBERS = {f"s1asc_part01/{name}": content for name, content in PATCHES.items()}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    own = Hub(
        {
            PART: archive(MEMBERS | {"../../evil_s1asc_9.nc": b"evil", "s1asc_part01/notes.txt": b"x"}),
            "data_harmonized/s2/s2_part01.tar.gz": archive({"hokkaido_s2_1.nc": noise(9)}),
            "data_raw/s1asc/s1asc_part01.tar.gz": archive({"hokkaido_s1asc_1.nc": noise(8)}),
            SPLITS: b'{"train": []}',
            "tasks/S12LS-LD/raw/splits_aligned.json": b"{}",
            "low_quality_patches.txt": b"newzealand_1001\n",
            "README.md": b"# Sen12Landslides\n",
        }
    )
    monkeypatch.setattr(hub_module, "_WAIT_S", 0.0)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with Served(own) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


OPTIONS = FetchOptions(sensors=("s1asc",))


def test_the_listing_is_exact_and_pinned(hub: Hub) -> None:
    listing = fetch_listing(OPTIONS)
    assert (listing.repo, listing.commit) == (REPO, COMMIT)
    assert {file.path: file.size for file in listing.files} == {
        path: len(hub.files[path]) for path in (PART, SPLITS, "low_quality_patches.txt")
    }
    assert listing.size == sum(file.size for file in listing.files)
    both = fetch_listing(FetchOptions(sensors=("s1asc", "s2"), tasks=False))
    assert [file.path.split("/")[1] for file in both.files] == ["s1asc", "s2"]
    assert hub.asked == []


def test_a_fetch_verifies_and_unpacks(hub: Hub, tmp_path: Path) -> None:
    listing = fetch_listing(OPTIONS)
    told: list[tuple[str, int, int]] = []
    record = fetch_patches(listing, tmp_path / "out", OPTIONS, lambda *step: told.append(step))
    folder = tmp_path / "out" / "data_harmonized" / "s1asc"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == PATCHES | {
        "evil_s1asc_9.nc": b"evil"
    }
    assert not (tmp_path / "evil_s1asc_9.nc").exists()
    assert record.files[PART].patches == 4
    assert record.files[PART].others == ("s1asc_part01/notes.txt",)
    assert (tmp_path / "out" / SPLITS).read_bytes() == hub.files[SPLITS]
    assert {stage for stage, _, _ in told} == {file.path for file in listing.files}
    asked = len(hub.asked)
    assert left_to_fetch(listing, tmp_path / "out") == []
    assert fetch_patches(listing, tmp_path / "out", OPTIONS) == record
    assert len(hub.asked) == asked
    (tmp_path / "out" / SPLITS).unlink()
    assert [file.path for file in left_to_fetch(listing, tmp_path / "out")] == [SPLITS]


def test_archives_can_be_kept(hub: Hub, tmp_path: Path) -> None:
    keep = OPTIONS.model_copy(update={"keep_archives": True})
    fetch_patches(fetch_listing(keep), tmp_path, keep)
    assert (tmp_path / PART).read_bytes() == hub.files[PART]


@pytest.mark.parametrize("ranges", [True, False])
def test_it_goes_on_where_the_connection_was_cut(hub: Hub, tmp_path: Path, ranges: bool) -> None:
    hub.cut_after[PART], hub.ranges = 50_000, ranges
    listing = fetch_listing(OPTIONS)
    file = listing.files[0]
    arrived: list[int] = []
    fetch_file(listing, file, tmp_path / "part.tar.gz", arrived.append)
    assert (tmp_path / "part.tar.gz").read_bytes() == hub.files[PART]
    assert hub.asked == [(PART, None), (PART, "bytes=50000-")]
    assert sum(arrived) == file.size + (0 if ranges else 50_000)


def test_another_call_goes_on_too(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = fetch_listing(OPTIONS)
    file, target = listing.files[0], tmp_path / "part.tar.gz"
    (tmp_path / "part.tar.gz.part").write_bytes(hub.files[PART][:70_000])
    fetch_file(listing, file, target)
    assert hub.asked == [(PART, "bytes=70000-")]
    assert target.read_bytes() == hub.files[PART]
    target.unlink()
    (tmp_path / "part.tar.gz.part").write_bytes(hub.files[PART] + b"more")
    fetch_file(listing, file, target)
    assert hub.asked[1:] == [(PART, None)]
    assert target.read_bytes() == hub.files[PART]
    monkeypatch.setattr(Path, "touch", _no_space)
    with pytest.raises(FetchError, match="No space"):
        fetch_file(listing, file, tmp_path / "other")


def _no_space(self: Path) -> None:
    raise OSError(28, "No space left on device")


def test_a_server_that_fails_is_given_up_and_what_arrived_is_kept(hub: Hub, tmp_path: Path) -> None:
    hub.failing.add(PART)
    listing = fetch_listing(OPTIONS)
    (tmp_path / PART).parent.mkdir(parents=True)
    (tmp_path / f"{PART}.part").write_bytes(hub.files[PART][:1000])
    with pytest.raises(FetchError, match=f"1,000 after {TRIES} tries"):
        fetch_patches(listing, tmp_path, OPTIONS)
    assert len(hub.asked) == TRIES
    hub.failing.clear()
    fetch_patches(listing, tmp_path, OPTIONS)
    assert hub.asked[TRIES] == (PART, "bytes=1000-")


@pytest.mark.parametrize("path", [PART, SPLITS])
def test_other_bytes_are_thrown_away(hub: Hub, tmp_path: Path, path: str) -> None:
    own = bytearray(hub.files[path])
    own[len(own) // 2] ^= 1
    hub.replaced[path] = bytes(own)
    listing = fetch_listing(OPTIONS)
    file = next(file for file in listing.files if file.path == path)
    with pytest.raises(FetchError, match="hash"):
        fetch_file(listing, file, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
    hub.replaced.clear()
    fetch_file(listing, file, tmp_path / "file")
    assert is_whole(file, tmp_path / "file")
    assert not is_whole(file, tmp_path / "nowhere")


def test_a_token_is_for_the_hub_alone(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "made-up")
    listing = fetch_listing(OPTIONS)
    fetch_file(listing, listing.files[0], tmp_path / "file")
    resolved, sent = hub.authorised[-2:]
    assert resolved[1] == "Bearer made-up"
    assert sent == (f"/cdn/{PART}", None)


def test_what_is_not_there_is_refused(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"the data set nobody/nothing"):
        fetch_listing(FetchOptions(repo="nobody/nothing"))
    with pytest.raises(FetchError, match=r"which has README.md, data_harmonized, data_raw"):
        fetch_listing(FetchOptions(sensors=("s1dsc",), tasks=False))
    listing = fetch_listing(OPTIONS)
    del hub.files[SPLITS]
    gone = next(file for file in listing.files if file.path == SPLITS)
    with pytest.raises(FetchError, match="HTTP 404"):
        fetch_file(listing, gone, tmp_path / "file")


def test_a_folder_of_something_else_is_refused(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = fetch_listing(OPTIONS)
    (tmp_path / FETCH_JSON).write_text("{}")
    with pytest.raises(OutputError, match="cannot be read"):
        fetch_patches(listing, tmp_path, OPTIONS)
    (tmp_path / FETCH_JSON).write_text('{"repo": "nobody/nothing", "commit": "1"}')
    with pytest.raises(OutputError, match="nobody/nothing"):
        fetch_patches(listing, tmp_path, OPTIONS)
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("headscarp.fetch.sen12.shutil.disk_usage", lambda _: full)
    with pytest.raises(OutputError, match="room for"):
        fetch_patches(listing, tmp_path / "new", OPTIONS)
    assert not (tmp_path / "new").exists()


def test_archives_that_are_none_are_refused(hub: Hub, tmp_path: Path) -> None:
    for content in (b"no archive", hub.files[PART][:60_000]):
        hub.files[PART] = content
        with pytest.raises(FetchError, match="archive of patches"):
            fetch_patches(fetch_listing(OPTIONS), tmp_path, OPTIONS)
        (tmp_path / PART).unlink()


def command(*arguments: object, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["fetch", "sen12", *map(str, arguments)], input=answer)


def test_the_command_tells_sizes_and_asks(hub: Hub, tmp_path: Path) -> None:
    refused = command("--out", tmp_path / "out", "--sensor", "s1asc", answer="n\n")
    assert refused.exit_code == 1
    assert f"{len(hub.files[PART]):,}" in refused.output
    assert not (tmp_path / "out").exists()
    assert hub.asked == []
    done = command("--out", tmp_path / "out", "--sensor", "s1asc", "--yes")
    assert done.exit_code == 0, done.output
    assert "3 files verified, 4 patches unpacked, 1 members left out" in done.output
    again = command("--out", tmp_path / "out", "--sensor", "s1asc")
    assert again.exit_code == 0
    assert "there already" in again.output
    bad = command("--out", tmp_path / "out", "--repo", "nobody/nothing")
    assert isinstance(bad.exception, FetchError)
    assert bad.exception.exit_code == 2


def test_without_the_client_people_are_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(OptionsError, match=r"pip install 'headscarp\[fetch\]'"):
        fetch_listing(OPTIONS)
