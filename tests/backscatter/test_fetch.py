"""Orbit files fetched by the package itself, from a server on the loopback that stands in for the archive.

The package names its host in its code; the ways out, ``requests.get`` and ``urlopen``, are turned to the
local server here. Everything else is as it is: the package's list of the archive, its choice, the download.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse
from urllib.request import urlopen

import pytest
import requests

from headscarp.backscatter import fetch
from headscarp.backscatter.annotation import Annotation
from headscarp.backscatter.fetch import fetch_orbit
from headscarp.backscatter.options import BackscatterOptions
from headscarp.backscatter.orbit import choose_vectors
from headscarp.backscatter.passes import Product, read_product
from headscarp.backscatter.safe import open_safe
from headscarp.errors import HeadscarpError, OptionsError, SceneError
from headscarp.pipeline.backscatter.plan import make_plan
from headscarp.pipeline.backscatter.run import run_backscatter
from tests.backscatter.conftest import Known
from tests.backscatter.test_orbit_files import eof
from tests.backscatter.writer import UTM

BUCKET = "https://s1-orbits.s3.amazonaws.com"


class Archive:
    """Files by key, and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def add(self, path: Path) -> None:
        kind = "AUX_POEORB" if "POEORB" in path.name else "AUX_RESORB"
        self.files[f"{kind}/{path.name}"] = path.read_bytes()


class Handler(BaseHTTPRequestHandler):
    def __init__(self, archive: Archive, *arguments: object) -> None:
        self.archive = archive
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        url = urlparse(self.path)
        key = url.path.strip("/")
        self.archive.asked.append(key or parse_qs(url.query)["prefix"][0])
        found = self.archive.files.get(key) if key else self.listing(parse_qs(url.query)["prefix"][0])
        self.send_response(200 if found is not None else 404)
        self.end_headers()
        self.wfile.write(found or b"")

    def listing(self, prefix: str) -> bytes:
        keys = "".join(
            f"<Contents><Key>{key}</Key></Contents>" for key in self.archive.files if key.startswith(prefix)
        )
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        return f'<R xmlns="{space}"><IsTruncated>false</IsTruncated>{keys}</R>'.encode()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name there)
        pass


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    from eof import _asf_s3
    from eof.asf_client import ASFClient

    held = Archive()
    server = HTTPServer(("127.0.0.1", 0), partial(Handler, held))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here, get = f"http://127.0.0.1:{server.server_port}", requests.get

    def local(url: str, **more: object) -> requests.Response:
        assert url.startswith(BUCKET), url
        return get(url.replace(BUCKET, here), **more)  # type: ignore[arg-type]

    monkeypatch.setattr(requests, "get", local)
    monkeypatch.setattr(
        fetch, "urlopen", lambda url, timeout: urlopen(url.replace(BUCKET, here), timeout=timeout)
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # no ~/.netrc, no list of an earlier call
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(ASFClient, "eof_lists", {"precise": None, "restituted": None})
    _asf_s3.list_public_bucket.cache_clear()
    yield held
    server.shutdown()
    server.server_close()


@pytest.fixture
def annotation(products: dict[str, Product]) -> Annotation:
    return products["rome"].annotation


def test_the_precise_orbit_of_the_image_is_fetched_once(
    annotation: Annotation, archive: Archive, tmp_path: Path
) -> None:
    right = eof(annotation, tmp_path / "made", shift_m=5.0)
    archive.add(right)
    archive.add(eof(annotation, tmp_path / "made", short="S1A", mission="Sentinel-1A"))
    archive.add(eof(annotation, tmp_path / "made", validity=("20211122T225942", "20211124T005942")))
    archive.add(eof(annotation, tmp_path / "made", kind="RES"))
    folder = tmp_path / "orbits"
    fetch_orbit(annotation, folder)
    assert [path.name for path in folder.iterdir()] == [right.name]
    assert (folder / right.name).read_bytes() == right.read_bytes()
    assert choose_vectors(annotation, folder).source == f"precise orbit {right.name}"
    asked = list(archive.asked)
    assert asked == ["AUX_POEORB", f"AUX_POEORB/{right.name}"]
    fetch_orbit(annotation, folder)
    assert archive.asked == asked


def test_a_restituted_orbit_comes_where_the_precise_one_is_not_there_yet(
    annotation: Annotation, archive: Archive, tmp_path: Path
) -> None:
    archive.add(eof(annotation, tmp_path / "made", validity=("20211122T225942", "20211124T005942")))
    archive.add(eof(annotation, tmp_path / "made", kind="RES"))
    fetch_orbit(annotation, tmp_path / "orbits")
    assert choose_vectors(annotation, tmp_path / "orbits").source.startswith("restituted orbit")


def test_what_the_archive_does_not_have_is_told(
    annotation: Annotation, archive: Archive, tmp_path: Path
) -> None:
    archive.add(eof(annotation, tmp_path / "made", validity=("20211122T225942", "20211124T005942")))
    with pytest.raises(SceneError, match="leave --fetch-orbits out"):
        fetch_orbit(annotation, tmp_path / "orbits")
    assert not (tmp_path / "orbits").exists()


def test_a_file_that_is_not_what_its_name_says_is_not_kept(
    annotation: Annotation, archive: Archive, tmp_path: Path
) -> None:
    archive.add(eof(annotation, tmp_path / "made", mission="Sentinel-1A"))  # under the name of S1B
    with pytest.raises(SceneError, match="of Sentinel-1A"):
        fetch_orbit(annotation, tmp_path / "orbits")
    assert not (tmp_path / "orbits").exists()


def test_without_a_connection_the_error_says_what_to_do(
    annotation: Annotation, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(url: str, **more: object) -> requests.Response:
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(requests, "get", closed)
    with pytest.raises(SceneError) as error:
        fetch_orbit(annotation, tmp_path / "orbits")
    assert "no route to host" in str(error.value) and "annotation's own state vectors" in str(error.value)
    assert not (tmp_path / "orbits").exists()


def test_without_the_package_the_extra_is_named(
    annotation: Annotation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "eof.asf_client", None)
    with pytest.raises(OptionsError, match=r"headscarp\[orbits\]"):
        fetch_orbit(annotation, tmp_path / "orbits")


def test_a_run_uses_what_it_fetched_and_says_so(known: Known, archive: Archive, tmp_path: Path) -> None:
    values = {
        "products": (known.frame.safe,), "dem": known.dem, "heights": "ellipsoid", "visibility": False,
        "area": {"bbox": known.frame.bbox(), "crs": UTM, "spacing": 40.0}, "fetch_orbits": True,
    }  # fmt: skip
    for orbit in (None, known.dem):
        with pytest.raises(HeadscarpError, match="folder for the orbit files"):
            make_plan(BackscatterOptions.model_validate(values | {"orbit": orbit}))
    right = eof(read_product(open_safe(known.frame.safe)).annotation, tmp_path / "made")
    archive.add(right)
    options = BackscatterOptions.model_validate(values | {"orbit": tmp_path / "orbits"})
    record = run_backscatter(options, tmp_path / "out")
    assert record.acquisitions[0].slices[0].orbit == f"precise orbit {right.name}"
