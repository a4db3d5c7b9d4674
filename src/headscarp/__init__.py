"""Headscarp maps landslides from Sentinel-1 radar after an earthquake or a storm.

The main job on arrays, as ``headscarp map`` does it tile by tile:

    import headscarp as hs

    event = hs.Event.from_options(hs.EventOptions(date="2023-11-12"))
    files = hs.read_scene_files(["scenes"]).files
    grid = hs.choose_grid(files, hs.AreaOptions()).geobox
    stacks = hs.open_stacks(hs.group_scenes(hs.drop_repeats(files)[0]), grid)
    splits = {label: hs.split_dates(stack, event) for label, stack in stacks.items()}
    detector = hs.make_detector(hs.DetectOptions())
    change = hs.change_of_stacks(stacks, splits, detector.needs)
    fitted = detector.fit(change)
    score = fitted.score(change)
    probability = fitted.probability(score)
    landslides = hs.draw_landslides(probability, score.to_dataset(), grid, hs.PolygonOptions())

Or the whole job into a run folder: ``hs.run_map(hs.load_options(None, {...}), Path("runs/event"))``.
"""

from importlib.metadata import version

__version__ = version("headscarp")

from headscarp.config import InjectOptions, MapOptions, SensitivityOptions, load, load_options
from headscarp.detect.log_ratio import LogRatio
from headscarp.detect.options import DetectOptions, make_detector
from headscarp.errors import HeadscarpError
from headscarp.evaluate.options import EvaluateOptions, GroundOptions
from headscarp.evaluate.record import Evaluation
from headscarp.event import Event, EventOptions
from headscarp.features.change import Split, change_of_stacks, fuse, split_dates
from headscarp.ingest.area import AreaOptions, choose_grid
from headscarp.ingest.files import read_scene_files
from headscarp.ingest.options import IngestOptions
from headscarp.ingest.passes import drop_repeats, group_scenes, refuse_contradictions
from headscarp.ingest.stack import open_stacks
from headscarp.pipeline.evaluate.compare import run_compare
from headscarp.pipeline.evaluate.run import run_evaluate
from headscarp.pipeline.inject import run_inject
from headscarp.pipeline.map.redraw import redraw_polygons
from headscarp.pipeline.map.run import run_map
from headscarp.pipeline.sensitivity import run_sensitivity
from headscarp.pipeline.simulate import run_simulate
from headscarp.polygons import PolygonOptions, draw_landslides
from headscarp.simulate.event import SimulatedEvent, simulate_event
from headscarp.simulate.options import SimulateOptions

__all__ = [
    "AreaOptions",
    "DetectOptions",
    "EvaluateOptions",
    "Evaluation",
    "Event",
    "EventOptions",
    "GroundOptions",
    "HeadscarpError",
    "IngestOptions",
    "InjectOptions",
    "LogRatio",
    "MapOptions",
    "PolygonOptions",
    "SensitivityOptions",
    "SimulateOptions",
    "SimulatedEvent",
    "Split",
    "__version__",
    "change_of_stacks",
    "choose_grid",
    "draw_landslides",
    "drop_repeats",
    "fuse",
    "group_scenes",
    "load",
    "load_options",
    "make_detector",
    "open_stacks",
    "read_scene_files",
    "redraw_polygons",
    "refuse_contradictions",
    "run_compare",
    "run_evaluate",
    "run_inject",
    "run_map",
    "run_sensitivity",
    "run_simulate",
    "simulate_event",
    "split_dates",
]
