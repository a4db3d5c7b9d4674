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

import lazy_loader

__version__ = version("headscarp")

# what ``__init__.pyi`` names, each imported when it is first asked for: the command line starts without it
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
