"""The page and the figures of an evaluation."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from headscarp.errors import OutputError
from headscarp.evaluate.record import Evaluation
from headscarp.report.evaluation import write_evaluation_report
from headscarp.report.evaluation.curves import draw_precision_recall, draw_roc
from headscarp.report.evaluation.drawing import write_drawing
from headscarp.report.evaluation.enlarged import draw_largest_errors
from headscarp.report.evaluation.folder import EvaluationFolder, read_folder
from headscarp.report.evaluation.maps import draw_grounds
from headscarp.report.evaluation.matrix import draw_confusion
from headscarp.report.evaluation.palette import FALSE, HIT, MISSED
from headscarp.report.evaluation.reliability import draw_reliability
from headscarp.report.evaluation.sizes import draw_by_size, draw_frequency_area, read_curve
from headscarp.report.evaluation.strata import draw_strata, strata_rows
from headscarp.report.evaluation.tables import difference_table, headline_table, size_table
from headscarp.report.evaluation.values import Method, Value, compare, methods_of, say
from headscarp.report.evaluation.verdict import say_found, say_rivals
from tests.report.evaluation_folders import Spec, write_evaluation

TWO = Spec(
    grounds=("Iburi 2018", "Noto/2024"),
    shape=(200, 250),
    baselines={"log-ratio": 0.45, "forest": 1.0},
)
BARE = Spec(
    shape=(100, 150), landslides=0, baselines={}, strata=False, notes=("Beware of <script>alert()</script>",)
)
RANKED = Spec(shape=(120, 150), landslides=12, threshold=None, baselines={})
UNSEEN = Spec(shape=(60, 80), landslides=3, evaluated=False, baselines={})
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What a page holds; refuses tags that are closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.attributes: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.append(dict(attrs))
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    @property
    def words(self) -> str:
        """The text with single blanks."""
        return " ".join(self.text.split())


class Written:
    """A folder with its report."""

    def __init__(self, path: Path, spec: Spec) -> None:
        self.evaluation = write_evaluation(path, spec)
        write_evaluation_report(path)
        self.html = (path / "report.html").read_text(encoding="utf-8")
        self.page = Page(self.html)
        self.read = read_folder(path)
        self.methods = methods_of(self.read.evaluation)
        self.path = path


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("two") / "evaluation", TWO)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("bare") / "evaluation", BARE)


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("ranked") / "evaluation", RANKED)


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("unseen") / "evaluation", UNSEEN)


def number(value: float, decimals: int = 3) -> str:
    return f"{value:.{decimals}f}".replace("-", "−")


def bracketed(node: Mapping[str, Any], name: str) -> str:
    low, high = node["intervals"][name]
    return f"{number(node[name])} [{number(low)}, {number(high)}]"


def drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def check_page(written: Written) -> None:
    """The page is well formed, loads nothing, and describes each picture."""
    page = written.page
    assert {"title", "main", "h1", "table"} <= page.tags
    assert not page.tags & {"script", "link", "iframe"}
    for image in page.images:
        assert (image["alt"] or "").strip()
        assert (image["src"] or "").startswith("data:image/png;base64,")
    for name in ("src", "href"):
        addresses = [each[name] or "" for each in page.attributes if name in each]
        assert not [each for each in addresses if each.startswith(("http", "//", "file"))]
    assert "@import" not in written.html and "url(" not in written.html
    ids = [each["id"] for each in page.attributes if "id" in each]
    assert len(ids) == len(set(ids))
    links = [each["href"] or "" for each in page.attributes if "href" in each]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert all((written.path / link).is_file() for link in links if not link.startswith("#"))


def check_not_blank(path: Path) -> None:
    image = imread(path)[..., :3]
    assert image.shape[1] >= 800
    assert (image[0] == 1).all()
    assert image.std() > 0.02


@pytest.mark.parametrize("name", ["two", "bare", "ranked", "unseen"])
def test_page_is_well_formed_and_loads_nothing(name: str, request: pytest.FixtureRequest) -> None:
    check_page(request.getfixturevalue(name))


def test_every_figure_is_written_embedded_and_not_blank(two: Written) -> None:
    vector = ["confusion", "detection_by_size", "frequency_area", "precision_recall", "reliability", "roc",
              "strata"]  # fmt: skip
    maps = ["largest_errors", "map_Iburi_2018", "map_Noto_2024"]
    expected = {f"{name}.{kind}" for name in vector for kind in ("png", "svg")} | {f"{n}.png" for n in maps}
    figures = two.path / "figures"
    assert {path.name for path in figures.iterdir()} == expected
    for name in vector + maps:
        check_not_blank(figures / f"{name}.png")
    assert len(two.page.images) == len(vector) + len(maps)
    assert all((figures / f"{name}.svg").read_text().count("<path") > 5 for name in vector)


def test_headline_table_holds_every_method_with_intervals(two: Written) -> None:
    pixel = two.evaluation.pixel
    assert bracketed(pixel, "average_precision") in two.page.words
    assert bracketed(pixel["at_threshold"], "recall") in two.page.words
    for tree in two.evaluation.baselines.values():
        assert bracketed(tree["pixel"], "average_precision") in two.page.words
    table = headline_table(two.methods)
    assert table.head == ["", "unet", "log-ratio", "forest", "no landslide", "slope"]
    assert {row[0]: row[1:] for row in table.rows}["Threshold"] == ["0.5", "0.5", "0.5", "0.5", "—"]
    assert "— is undefined" in two.page.words


def test_verdict_states_the_counts_and_the_baselines(two: Written) -> None:
    counts = two.evaluation.landslides["counts"]
    found, mapped = sum(counts["detected"]), sum(counts["mapped"])
    assert f"{found} of {mapped} mapped" in two.page.words
    verdict = say_found(two.methods[0])
    assert verdict in two.page.words
    assert f"of {mapped} mapped landslides" in verdict
    assert verdict.startswith(f"unet finds {100 * found / mapped:.0f} % [")
    assert "unet ranks pixels better than log-ratio" in two.page.words
    assert "The baseline forest ranks pixels as well" in two.page.words
    assert "A map without any landslide is right on 9" in two.page.words


def make_rival(evaluation: Evaluation, key: str, value: float, low: float, high: float) -> Evaluation:
    """The same evaluation with another difference to the log-ratio."""
    entry = {"difference": value, "interval": [low, high], "share_of_draws_above_zero": 0.5}
    changed = {**evaluation.differences["log-ratio"], key: entry}
    return evaluation.model_copy(update={"differences": {**evaluation.differences, "log-ratio": changed}})


@pytest.mark.parametrize(
    ("difference", "mark", "words"),
    [
        ((0.1, 0.05, 0.15), "▲", "unet ranks pixels better than log-ratio"),
        ((-0.1, -0.15, -0.05), "▼", "The baseline log-ratio ranks pixels better: its average precision is"),
        ((0.1, -0.05, 0.15), "≈", "The baseline log-ratio ranks pixels as well"),
    ],
)
def test_verdict_says_plainly_how_a_baseline_fares(
    two: Written, difference: tuple[float, float, float], mark: str, words: str
) -> None:
    evaluation = make_rival(two.evaluation, "pixel average_precision", *difference)
    sentence = next(each for each in say_rivals(evaluation, two.methods) if "log-ratio" in each.text)
    assert sentence.mark == mark
    assert sentence.text.startswith(words)
    row = next(row for row in difference_table(evaluation).rows if row[0] == "Average precision")
    signed = "+0.100" if difference[0] > 0 else "−0.100"
    assert row[1].startswith(f"{mark} {signed} [")


def test_a_baseline_ahead_in_maps_is_named(two: Written) -> None:
    evaluation = make_rival(two.evaluation, "landslides false_alarms_per_100km2", 5.0, 2.0, 8.0)
    evaluation = make_rival(evaluation, "pixel at_threshold f1", 0.0, -0.1, 0.1)
    evaluation = make_rival(evaluation, "landslides detection_rate", 0.3, 0.2, 0.4)
    sentence = next(each for each in say_rivals(evaluation, two.methods) if "log-ratio" in each.text)
    assert sentence.text.endswith(
        "log-ratio is ahead in false alarms; level in F1; behind in the share of landslides found."
    )


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("pixel f1", Value(0.1, 0.05, 0.2), "better"),
        ("pixel f1", Value(-0.1, -0.2, -0.05), "worse"),
        ("pixel f1", Value(0.1, 0.0, 0.2), "not told apart"),
        ("pixel f1", Value(0.1), "no interval"),
        ("pixel f1", Value(None), ""),
        ("landslides false_alarms_per_100km2", Value(0.1, 0.05, 0.2), "worse"),
        ("calibration expected_calibration_error", Value(-0.1, -0.2, -0.05), "better"),
    ],
)
def test_compare(key: str, value: Value, expected: str) -> None:
    assert compare(key, value) == expected


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (Value(None, 0.1, 0.2), "f1", "—"),
        (Value(0.4321, 0.4, 0.5), "f1", "0.432 [0.400, 0.500]"),
        (Value(0.0, 0.0, 0.0), "f1", "0.000"),
        (Value(0.00012), "f1", "0.00012"),
        (Value(0.621, 0.55, 0.7), "detection_rate", "62 % [55, 70]"),
        (Value(0.9999, 0.999, 1.0), "detection_rate", "99.99 % [99.90, 100]"),
        (Value(4.12, 3.0, 5.26), "false_alarms_per_100km2", "4.1 [3, 5.3]"),
    ],
)
def test_figures_are_written_with_their_interval(value: Value, name: str, text: str) -> None:
    assert say(value, name) == text


def test_curves_are_those_of_the_file(two: Written) -> None:
    curves = pd.read_parquet(two.path / "curves.parquet")
    own = curves[(curves["method"] == "unet") & curves["precision"].notna()]
    figure = drawn(draw_precision_recall(two.methods, two.read.curves).figure)
    lines = {str(line.get_label()): line for line in figure.axes[0].get_lines()}
    line = next(line for label, line in lines.items() if label.startswith("unet: AP"))
    np.testing.assert_array_equal(np.asarray(line.get_xdata())[1:], own["recall"])
    np.testing.assert_array_equal(np.asarray(line.get_ydata())[1:], own["precision"])
    assert bracketed(two.evaluation.pixel, "average_precision") in str(line.get_label())
    assert line.get_drawstyle() == "steps-pre"
    others = [line for label, line in lines.items() if label.startswith(("log-ratio", "forest", "slope"))]
    assert len(others) == 3
    assert all(other.get_linewidth() < line.get_linewidth() for other in others)
    guess = next(line for label, line in lines.items() if label.startswith("no landslide"))
    share = two.evaluation.pixel["landslide_share"]
    np.testing.assert_allclose(np.asarray(guess.get_ydata()), share)
    # the area under the steps is the average precision
    x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    area = float((np.diff(x) * y[1:]).sum())
    assert area == pytest.approx(two.evaluation.pixel["average_precision"], abs=2e-3)


def test_the_threshold_in_force_is_marked(two: Written) -> None:
    at = two.evaluation.pixel["at_threshold"]
    for drawing, place in (
        (draw_precision_recall(two.methods, two.read.curves), (at["recall"], at["precision"])),
        (draw_roc(two.methods, two.read.curves), (1 - at["specificity"], at["recall"])),
    ):
        marks = [line for line in drawn(drawing.figure).axes[0].get_lines() if line.get_marker() == "D"]
        largest = max(marks, key=lambda line: line.get_markersize())
        assert (largest.get_xdata()[0], largest.get_ydata()[0]) == pytest.approx(place)
        assert len(marks) == 3


def test_roc_lies_above_guessing_and_ends_in_the_corner(two: Written) -> None:
    axes = drawn(draw_roc(two.methods, two.read.curves).figure).axes
    assert [each.get_xscale() for each in axes] == ["linear", "log"]
    line = next(line for line in axes[0].get_lines() if str(line.get_label()).startswith("unet: area"))
    x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    area = float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())
    assert area == pytest.approx(two.evaluation.pixel["roc_auc"], abs=2e-3)


def test_confusion_matrix_shows_counts_and_row_shares(two: Written) -> None:
    at = two.evaluation.pixel["at_threshold"]
    texts = [text.get_text() for text in drawn(draw_confusion(two.methods[0]).figure).axes[0].texts]
    tp, fn = at["true_positive"], at["false_negative"]
    assert f"{tp:,}".replace(",", "\u202f") in texts
    place = texts.index("hit")
    assert texts[place + 1 : place + 3] == [
        f"{tp:,}".replace(",", "\u202f"), f"{100 * tp / (tp + fn):.0f} % of the row",
    ]  # fmt: skip
    assert (
        sum(int(t.replace("\u202f", "")) for t in texts if t.replace("\u202f", "").isdigit())
        == (two.evaluation.pixel["pixels"])
    )


def test_reliability_is_drawn_at_the_log_odds(two: Written) -> None:
    bins = two.evaluation.calibration["reliability_log_odds"]
    axes = drawn(draw_reliability(two.methods).figure).axes[0]
    line = next(line for line in axes.get_lines() if str(line.get_label()).startswith("unet"))
    inner = [
        (p, s)
        for p, s in zip(bins["mean_probability"], bins["observed_share"], strict=True)
        if s is not None and 0.001 < s < 0.999
    ]
    assert inner
    x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    for probability, share in inner:
        place = int(np.argmin(np.abs(x - np.log(probability / (1 - probability)))))
        assert x[place] == pytest.approx(np.log(probability / (1 - probability)))
        assert y[place] == pytest.approx(np.log(share / (1 - share)))
    labels = [str(line.get_label()) for line in axes.get_lines()]
    assert not any(label.startswith(("slope", "no landslide")) for label in labels)


def test_sizes_show_rates_intervals_and_numbers(two: Written) -> None:
    landslides = two.evaluation.landslides
    figure = drawn(draw_by_size(two.methods).figure)
    dots = [line for line in figure.axes[0].get_lines() if line.get_color() == HIT and len(line.get_xdata())]
    expected = [rate for rate in landslides["detection_rate_by_size"] if rate is not None]
    assert [float(dot.get_ydata()[0]) for dot in dots] == pytest.approx(expected)
    ticks = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    counts = landslides["counts"]
    assert [tick.rpartition("\n")[2] for tick in ticks] == [
        f"({m} / {p})" for m, p in zip(counts["mapped"], counts["predicted"], strict=True)
    ]
    bars = [b for b in landslides["intervals"]["detection_rate_by_size"] if b is not None]
    segments = [s for c in figure.axes[0].collections for s in c.get_segments()]  # type: ignore[attr-defined]
    tops = [float(segment[1][1]) for segment in segments]
    assert all(any(top == pytest.approx(bar[1]) for top in tops) for bar in bars)
    table = size_table(two.methods[0])
    assert [row[1] for row in table.rows] == [str(count) for count in counts["mapped"]]
    assert [row[5] for row in table.rows] == [str(count) for count in counts["false"]]


def test_frequency_area_draws_both_sides_and_the_fit(two: Written) -> None:
    record = two.evaluation.landslides["frequency_area"]["mapped"]
    axes = drawn(draw_frequency_area(two.methods[0]).figure).axes[0]
    dots = next(line for line in axes.get_lines() if "mapped landslides" in str(line.get_label()))
    assert f"{sum(record['counts'])} mapped" in str(dots.get_label())
    density = [d for d, n in zip(record["density_per_m2"], record["counts"], strict=True) if n]
    np.testing.assert_allclose(np.asarray(dots.get_ydata(), float), density)
    fitted = sum(side["fit"] is not None for side in two.evaluation.landslides["frequency_area"].values())
    assert len([line for line in axes.get_lines() if line.get_linestyle() == "-"]) == fitted
    assert fitted > 0
    assert f"large areas −{record['fit']['rho'] + 1:.2f}," in str(dots.get_label())


def test_fits_are_told_by_their_tail_and_their_rollover() -> None:
    curve = {"edges_m2": [1e2, 1e3, 1e4], "counts": [30, 10], "density_per_m2": [8e-4, 3e-5]}
    fit = {"rho": 1.4, "a_m2": 1280.0, "s_m2": -132.0}
    tree = {"landslides": {"frequency_area": {"predicted": curve | {"fit": fit, "reason": ""}}}}
    axes = drawn(draw_frequency_area(Method("unet", tree)).figure).axes[0]
    dots, line = axes.get_lines()
    # Malamud et al. (2004): exponent rho + 1 = 2.4, rollover a / (rho + 1) + s = 1280 / 2.4 - 132
    assert str(dots.get_label()).endswith("power law of large areas −2.40, most frequent area 401 m²")
    x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    assert x[np.argmax(y)] == pytest.approx(401.3, rel=0.02)


def test_frequency_area_copes_without_a_fit_or_a_curve() -> None:
    curve = {"edges_m2": [10.0, 100.0, 1000.0], "counts": [3, 1], "density_per_m2": [0.008, None]}
    tree = {"landslides": {"frequency_area": {"mapped": curve | {"fit": None, "reason": "4 landslides"}}}}
    method = Method("unet", tree, is_prediction=True)
    assert read_curve(method, "predicted") is None
    axes = drawn(draw_frequency_area(method).figure).axes[0]
    assert [str(line.get_label()) for line in axes.get_lines()] == [
        "4 mapped landslides; no fit: 4 landslides"
    ]
    assert draw_frequency_area(Method("unet", {})).figure is None


def test_strata_show_every_class_with_pixels(two: Written) -> None:
    rows = strata_rows(two.methods[0])
    assert {row.stratum for row in rows} == {"Slope", "Facing, ascending orbits"}
    toward = next(row for row in rows if row.name == "toward the radar")
    node = two.evaluation.strata["facing_ascending"]["toward"]["at_threshold"]
    assert toward.values["recall"] == (node["recall"], *node["intervals"]["recall"])
    assert toward.landslide_pixels == node["true_positive"] + node["false_negative"]
    axes = drawn(draw_strata(two.methods[0]).figure).axes
    labels = [label.get_text() for label in axes[0].get_yticklabels()]
    assert [label.split("  ")[0] for label in labels] == [row.name for row in rows]
    place = next(i for i, label in enumerate(labels) if label.startswith("toward"))
    assert labels[place].replace("\u202f", "").endswith(f"({toward.landslide_pixels})")
    dot = [line for line in axes[0].get_lines() if line.get_marker() == "o"][place]
    assert dot.get_xdata()[0] == pytest.approx(node["recall"])
    assert "Slope: 5-15°" in two.page.words


def rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


def share_of(image: Any, color: str) -> float:
    return float((np.abs(image[..., :3] - rgb(color)).max(axis=-1) < 0.01).mean())


def test_map_shows_each_outcome(two: Written) -> None:
    image = imread(two.path / "figures" / "map_Noto_2024.png")[::2, ::2]
    assert all(share_of(image, color) > 1e-4 for color in (HIT, MISSED, FALSE))
    # nearly all wrong pixels of the fixture are edges of landslides that were missed
    assert share_of(image, HIT) > share_of(image, MISSED) > 3 * share_of(image, FALSE)
    first, second = draw_grounds(two.read)
    assert (first.title, second.title) == ("Map of Iburi 2018", "Map of Noto/2024")
    landslides = two.read.landslides
    assert landslides is not None
    own = landslides[(landslides["event"] == "Noto/2024") & (landslides["outcome"] == "false")]
    assert f"{len(own)} false alarms" in second.alt
    assert first.alt != second.alt


def test_the_largest_errors_are_enlarged(two: Written) -> None:
    landslides = two.read.landslides
    assert landslides is not None
    titles = [axes.get_title() for axes in drawn(draw_largest_errors(two.read).figure).axes]
    for outcome, word in (("missed", "Missed"), ("false", "False")):
        areas = landslides.loc[landslides["outcome"] == outcome, "area_m2"].nlargest(4)
        shown = [title for title in titles if title.startswith(word)]
        assert len(shown) == len(areas) > 0
        assert f"{areas.iloc[0]:,.0f} m²".replace(",", "\u202f") in shown[0]


def test_figures_are_deterministic(two: Written, tmp_path: Path) -> None:
    files: list[list[bytes]] = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        picture = write_drawing(folder, draw_confusion(two.methods[0]))
        files.append([(folder / file).read_bytes() for file in picture.files])
    assert len(files[0]) == 2
    assert files[0] == files[1]


def test_page_tells_the_ground_and_where_it_all_comes_from(two: Written) -> None:
    words = two.page.words
    ground = two.evaluation.grounds[1]
    km2 = sum(each.evaluated_km2 for each in two.evaluation.grounds)
    for text in (
        "Noto/2024",
        f"{km2:.1f} km²",
        "57, of which 4 were not observed",
        "not observed by the prediction",
        "left out: outside the dates",
        "headscarp evaluate runs/iburi inventory.gpkg --out evaluation",
        "0.1.0, commit 0123abc",
        ground.label_sha256,
        ground.files_sha256["inventory.gpkg"],
        "95 %, bootstrap over blocks of ground",
        "0.5 (the run's own)",
        "Iburi 2018: no --aoi was given",
    ):
        assert text in words


def test_without_any_landslide_nothing_is_claimed(bare: Written) -> None:
    words = bare.page.words
    assert "No landslide was mapped on the evaluated ground, so nothing can be said" in words
    assert "Not drawn: no mapped landslide pixel was evaluated." in words
    assert "Not drawn: no kind of ground was told apart" in words
    assert draw_roc(bare.methods, bare.read.curves).figure is None
    assert not re.search(r"\bnan\b", words, re.IGNORECASE)
    assert "<script>alert()" in words
    assert "&lt;script&gt;" in bare.html
    assert not (bare.path / "figures" / "precision_recall.png").exists()


def test_without_a_threshold_curves_and_the_truth_remain(ranked: Written) -> None:
    words = ranked.page.words
    assert "without a threshold it draws no landslides" in words
    assert "Not drawn: there is no threshold." in words
    assert "There was no threshold, so this is the truth alone." in words
    assert "Threshold: none (none given)." in words
    check_not_blank(ranked.path / "figures" / "precision_recall.png")
    image = imread(ranked.path / "figures" / "map.png")[::2, ::2]
    assert share_of(image, HIT) > 1e-3
    assert share_of(image, MISSED) == share_of(image, FALSE) == 0


def test_without_any_evaluated_pixel_the_page_says_so(unseen: Written) -> None:
    words = unseen.page.words
    assert "No pixel was evaluated: every figure is undefined." in words
    assert "Not drawn: no pixel was evaluated." in words
    assert unseen.page.images == []
    assert not re.search(r"\bnan\b", words, re.IGNORECASE)


def test_an_empty_outcome_raster_shows_the_truth(ranked: Written) -> None:
    label = ranked.path / "label.tif"
    assert not (ranked.path / "outcome.tif").exists()
    folder = EvaluationFolder(ranked.path, ranked.evaluation, ranked.read.curves, None)
    shutil.copy(label, ranked.path / "outcome.tif")
    try:
        (drawing,) = draw_grounds(folder)
        assert "missed" in drawing.caption
    finally:
        (ranked.path / "outcome.tif").unlink()
    (drawing,) = draw_grounds(folder)
    assert "truth alone" in drawing.caption


@pytest.mark.parametrize("missing", ["metrics.json", "curves.parquet"])
def test_a_folder_that_is_not_whole_is_refused(unseen: Written, tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(unseen.path, folder)
    (folder / missing).unlink()
    with pytest.raises(OutputError, match=missing):
        write_evaluation_report(folder)
    (folder / missing).write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match=missing):
        write_evaluation_report(folder)
