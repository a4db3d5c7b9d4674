"""The page: what it says, that it loads nothing, and that odd runs do not break it."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from PIL import Image

from headscarp.errors import OutputError
from headscarp.report import write_report

MakeRun = Callable[..., Path]
PICTURE = re.compile(r'"data:image/png;base64,([A-Za-z0-9+/=]+)"')


class Loads(HTMLParser):
    """Collects everything in a page that could load something, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read_page(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


def parse(page: str) -> Loads:
    loads = Loads()
    loads.feed(page)
    return loads


def pictures(page: str) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in PICTURE.findall(page)]


def words(page: str) -> str:
    return " ".join(" ".join(parse(page).text).split())


def test_page_stands_alone(page: str) -> None:
    loads = parse(page)
    assert all(address.startswith(("data:image/png", "#")) for address in loads.addresses)
    assert not {"link", "iframe", "object", "embed", "base"} & set(loads.tags)
    assert "@import" not in page
    assert "url(" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert len(page) < 1_000_000


def test_every_link_has_its_target(page: str) -> None:
    targets = [a for a in parse(page).addresses if a.startswith("#")]
    assert targets
    assert all(f'id="{target[1:]}"' in page for target in targets)


def test_page_tells_the_key_numbers(page: str) -> None:
    text = words(page)
    assert "Landslides after the event of 2022-09-18 06:44:15 UTC" in text
    assert "headscarp 0.1.0" in text
    for label, value in (
        ("Landslides found", "2"),
        ("Their area", "0.252 km² 25.2 ha"),
        ("Flagged share of observed ground", "0.78 %"),
        ("Observed", "35.6 km² 18.4 km² not observed"),
        ("False alarms per 100 km²", "7.5 9 objects in 120 km²"),
        ("First pass after the event", "4.25 days ascending 137: 4.25 days"),
    ):
        assert f"{label} {value}" in text
    assert "It is not a confirmed landslide." in text
    assert "Only one pass after the event." in text


def test_sections_come_in_reading_order(page: str) -> None:
    order = ("first", "map", "landslides", "false-alarms", "change", "dates", "method", "files")
    places = [page.index(f'<h2 id="{name}"') for name in order]
    assert places == sorted(places)


def test_pictures_are_pngs_of_sensible_size(page: str) -> None:
    found = pictures(page)
    # hillshade, probability, two changes, observations; two histograms, score, timeline
    assert len(found) == 9
    for picture in found:
        picture.load()
        assert picture.format == "PNG"
        assert 100 <= max(picture.size) <= 1600
    sizes = {picture.size for picture in found[:5]}
    assert len(sizes) == 1
    assert np.ptp(np.asarray(found[1])) > 0


def test_table_lists_landslides_the_largest_first(page: str) -> None:
    body = page[page.index('<table class="sortable">') :]
    body = body[: body.index("</table>")]
    assert re.findall(r'href="#landslide-(\d+)"', body) == ["2", "1"]
    assert ">216\u202f000<" in body
    assert body.count(">31.4<") == 2
    assert body.count(">+4.8<") == 4
    assert re.search(r'class="copy"[^>]*>37\.\d{5}, -117\.\d{5}<', body)


def test_outlines_are_drawn_where_the_landslides_lie(page: str) -> None:
    outlines = re.findall(r'id="landslide-\d"><title>([^<]+)</title>', page)
    assert sorted(outlines)[0].startswith("Landslide 1, 3.6 ha, mean probability 0.91")
    image = np.asarray(pictures(page)[1])
    dark = np.argwhere(image == image.max())  # the top of the ramp: probability 0.97
    view = re.search(r'viewBox="-1 -1 ([\d.]+) ([\d.]+)"', page)
    assert view is not None
    units = (float(view[1]) - 2) / image.shape[1]
    path = re.search(r'id="landslide-2">.*?class="outline" d="M([^"]+)Z"', page, re.S)
    assert path is not None
    xy = np.array([point.split(",") for point in path[1].split("L")], float) / units
    assert dark[:, 0].max() + 1 == pytest.approx(xy[:, 1].max(), abs=1)
    assert dark[:, 1].max() + 1 == pytest.approx(xy[:, 0].max(), abs=1)


def test_false_alarms_mark_the_threshold_of_the_run(page: str) -> None:
    own = re.findall(r'<tr class="own">(.*?)</tr>', page, re.S)
    assert len(own) == 1
    assert "this run" in own[0]
    assert "gives about 2.7 false alarms on the 35.6 km² observed here" in words(page)
    assert ">0.8<" in own[0]


def test_threshold_that_was_not_counted_is_said_so(make_run: MakeRun) -> None:
    folder = make_run()
    record = folder / "run.json"
    record.write_text(record.read_text().replace('"threshold":0.8,"thr', '"threshold":0.7,"thr'))
    assert "not measured counted at 0.5, 0.8, 0.95, not at this run’s 0.7" in words(read_page(folder))


def test_the_table_of_passes_ends_with_the_map_itself(make_run: MakeRun) -> None:
    page = read_page(make_run(firming=3))
    table = page[page.index("How the map firmed up") : page.index("Scenes used")]
    rows = re.findall(r"<tr( class=\"own\")?><td>(.*?)</td>", table)
    assert rows == [
        ("", "2022-09-22 06:44:15 UTC"),
        ("", "2022-09-23 06:44:15 UTC"),
        (' class="own"', "2022-09-24 06:44:15 UTC"),
    ]
    cells = [re.findall(r"<td class=\"n\">(.*?)</td>", row) for row in table.split("<tr")[2:]]
    assert cells == [
        ["1", "75 %", "0 %", "50 %", "–"],
        ["2", "100 %", "1.2 %", "75 %", "80 %"],
        ["3", "100 %", "2.5 %", "100 %", "100 %"],
    ]


@pytest.mark.parametrize("forget", [True, False])
def test_a_run_without_a_table_of_passes_has_a_page_without_it(make_run: MakeRun, forget: bool) -> None:
    """One pass only, or a run of a version that did not yet record passes."""
    folder = make_run()
    record = folder / "run.json"
    text = record.read_text()
    assert '"passes":[],' in text
    if forget:
        record.write_text(text.replace('"passes":[],', ""))
    page = read_page(folder)
    assert "firmed up" not in page
    assert "Scenes used" in page


def test_scenes_are_grouped_by_pass(page: str) -> None:
    used = page[page.index("Scenes used") : page.index("Scenes rejected")]
    assert used.count("<tr><td") == 2 * (4 + 1)
    assert used.count('<td class="n">2</td>') == 8  # two bursts a pass
    assert "before the pre-event window" in page[page.index("Scenes rejected") :]


def test_long_lists_of_scenes_are_folded(make_run: MakeRun) -> None:
    page = read_page(make_run(rejected=13))
    assert "<summary>13 rejected passes</summary>" in page
    assert "rejected passes</summary>" not in page[: page.index("Scenes rejected")]


def test_run_without_dem_polarisation_or_landslides(make_run: MakeRun) -> None:
    page = read_page(make_run(dem=False, polarizations=["VV"], slides=[], pseudo=False, notes=[]))
    text = words(page)
    assert "No warnings." in text
    assert "no hillshade, no slope limit and no water mask" in text
    assert "No landslide was found" in text
    assert "False alarms per 100 km² not measured Needs three dates" in text
    assert "Change VH" not in text
    assert "excluded: gentle slope" not in text
    assert "<script>" not in page
    assert len(pictures(page)) == 3 + 3


def test_landslides_of_one_polarisation(make_run: MakeRun) -> None:
    page = read_page(make_run(polarizations=["VH"], dem=False))
    assert "Change VH, dB" in page
    assert "Change VV, dB" not in page
    assert "Slope, °" not in page


def test_excluded_ground_is_tinted_and_explained(page: str) -> None:
    assert "Observed, but excluded: gentle slope or water" in page
    assert (np.asarray(pictures(page)[1]) == 3).any()


def test_nothing_observed(make_run: MakeRun) -> None:
    page = read_page(make_run(observed=[], slides=[]))
    probability = np.asarray(pictures(page)[1])
    assert set(np.unique(probability)) == {1, 2}  # hatched throughout
    assert "Observed 0 km²" in words(page)


def test_hostile_text_is_escaped(make_run: MakeRun) -> None:
    attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    page = read_page(make_run(notes=[attack, "second"], dem=False))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert parse(page).tags.count("script") == 1


def test_islands_far_apart_get_a_map_each(make_run: MakeRun) -> None:
    folder = make_run(
        shape=(300, 4000),
        observed=[(slice(50, 150), slice(left, left + 100)) for left in (60, 1900, 3800)],
        slides=[(70, 100, 6, 6), (90, 3830, 1, 1)],
        dem=False,
    )
    page = read_page(folder)
    assert re.findall(r"<h3>(Overview|Area \w)</h3>", page) == [
        "Overview", "Area A", "Area B", "Area C",
    ]  # fmt: skip
    assert page.count('class="box"') == 3
    assert re.findall(r'class="slide" id="landslide-(\d)"', page) == ["1", "2"]
    assert page.count('class="ring"') == 1
    assert len(pictures(page)) == 4 * 4 + 4


def test_geographic_grid(make_run: MakeRun) -> None:
    page = read_page(make_run(crs="EPSG:4326", transform=Affine(0.001, 0, 7.0, 0, -0.0005, 60.2), dem=False))
    assert "EPSG:4326" in page
    view = re.search(r'viewBox="-1 -1 ([\d.]+) ([\d.]+)"', page)
    assert view is not None
    picture = pictures(page)[0]
    # at 60° N a degree of longitude is half a degree of latitude: these pixels are square
    assert float(view[1]) / (float(view[2]) - 42) == pytest.approx(picture.width / picture.height, rel=0.01)
    assert "upper left 60.1" in page


def test_page_is_the_same_twice(make_run: MakeRun) -> None:
    folder = make_run()
    assert read_page(folder) == read_page(folder)
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("name", ["run.json", "probability.tif", "landslides.gpkg"])
def test_missing_file_is_named(make_run: MakeRun, name: str) -> None:
    folder = make_run()
    (folder / name).unlink()
    with pytest.raises(OutputError, match=re.escape(name)):
        write_report(folder)
    assert not (folder / "report.html").exists()
