from .config import InjectOptions, MapOptions, SensitivityOptions, load, load_options
from .detect.log_ratio import LogRatio
from .detect.options import DetectOptions, make_detector
from .errors import HeadscarpError
from .evaluate.options import EvaluateOptions, GroundOptions
from .evaluate.record import Evaluation
from .event import Event, EventOptions
from .features.change import Split, change_of_stacks, fuse, split_dates
from .ingest.area import AreaOptions, choose_grid
from .ingest.files import read_scene_files
from .ingest.options import IngestOptions
from .ingest.passes import drop_repeats, group_scenes, refuse_contradictions
from .ingest.stack import open_stacks
from .pipeline.evaluate.compare import run_compare
from .pipeline.evaluate.run import run_evaluate
from .pipeline.inject import run_inject
from .pipeline.map.redraw import redraw_polygons
from .pipeline.map.run import run_map
from .pipeline.sensitivity import run_sensitivity
from .pipeline.simulate import run_simulate
from .polygons import PolygonOptions, draw_landslides
from .simulate.event import SimulatedEvent, simulate_event
from .simulate.options import SimulateOptions

__version__: str

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
