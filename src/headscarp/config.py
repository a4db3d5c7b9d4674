"""Every option of a run, composed of the rooms' own, and the YAML file that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from headscarp.backscatter.options import ChainOptions
from headscarp.chips.options import CutOptions, SplitOptions
from headscarp.detect.options import DetectOptions
from headscarp.errors import OptionsError
from headscarp.event import EventOptions
from headscarp.features.change import ChangeOptions
from headscarp.features.terrain import TerrainOptions
from headscarp.ingest.area import AreaOptions
from headscarp.ingest.inventory import InventoryOptions
from headscarp.ingest.options import IngestOptions
from headscarp.inject.options import PlantOptions
from headscarp.polygons import PolygonOptions
from headscarp.predict.options import NdviPrediction
from headscarp.search.options import GridOptions
from headscarp.sensitivity.options import ProbeOptions
from headscarp.train.options import FitOptions, NetworkChoice


class StackOptions(BaseModel):
    """Which scenes of which event, on which grid: what every command on a stack asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenes: tuple[Path, ...] = Field((), description="Files and folders of scenes.")
    event: EventOptions = Field(EventOptions(), description="When it happened.")
    area: AreaOptions = Field(AreaOptions(), description="Where, and on which grid.")
    ingest: IngestOptions = Field(IngestOptions(), description="What scene files cannot say of themselves.")
    change: ChangeOptions = Field(ChangeOptions(), description="How the change is formed.")
    terrain: TerrainOptions = Field(TerrainOptions(), description="What the DEM is used for.")
    rasters: dict[str, Path] = Field(
        {}, description="Further rasters by name, for networks that look at them: raster:NAME."
    )

    def map_options(self) -> MapOptions:
        """The part of these options that ``headscarp map`` has, its others at their defaults."""
        own = type(self).model_fields.keys() & MapOptions.model_fields.keys()
        return MapOptions(**{name: getattr(self, name) for name in own})


class MapOptions(StackOptions):
    """Options of ``headscarp map``; a section for each room."""

    backscatter: ChainOptions = Field(
        ChainOptions(), description="How Sentinel-1 GRD products among the scenes become backscatter."
    )
    detect: DetectOptions = Field(DetectOptions(), description="How change becomes probability.")
    polygons: PolygonOptions = Field(PolygonOptions(), description="What is drawn as a landslide.")


class InjectOptions(StackOptions):
    """Options of ``headscarp inject``."""

    inject: PlantOptions = Field(PlantOptions(), description="Which landslides are planted.")


class SensitivityOptions(MapOptions):
    """Options of ``headscarp sensitivity``: those of the map, and what is planted."""

    sensitivity: ProbeOptions = Field(ProbeOptions(), description="Which landslides are tried.")


class NdviOptions(StackOptions):
    """Options of ``headscarp ndvi``."""

    ndvi: NdviPrediction = Field(NdviPrediction(), description="Which network, at which moment.")


class ChipEventOptions(StackOptions):
    """An event whose chips are cut: its scenes and what was mapped of it."""

    name: str = Field(min_length=1, description="Name of the event; of a folder with an event.yaml, its own.")
    inventory: tuple[Path, ...] = Field(
        (),
        description="Mapped landslides, polygons, as files or folders; of a folder with an event.yaml, its "
        "inventory.gpkg.",
    )
    dates: InventoryOptions = Field(InventoryOptions(), description="Which of them count, by date.")
    ignore: tuple[Path, ...] = Field((), description="Vector files of ground that is left out of the labels.")
    ndvi_pre: Path | None = Field(
        None,
        description="NDVI before the event, for chips.target ndvi: a raster, or Sentinel-2 L2A; of a folder "
        "with an event.yaml, its ndvi_pre.tif.",
    )
    ndvi_post: Path | None = Field(None, description="NDVI after the event, likewise: ndvi_post.tif.")
    ndvi_offset: float | None = Field(
        None,
        description="Reflectance offset of Sentinel-2 products, digital numbers, where none is stated.",
    )


class ChipsOptions(BaseModel):
    """Options of ``headscarp chips``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: tuple[ChipEventOptions, ...] = Field((), description="Events: scenes and inventories.")
    chips: CutOptions = Field(CutOptions(), description="How their ground is cut.")
    split: SplitOptions = Field(SplitOptions(), description="Which chips train, choose, and test.")
    store: Path | None = Field(None, description="The zarr store of the chips.")


class TrainOptions(ChipsOptions):
    """Options of ``headscarp train``: those of the chips, the network and its training."""

    network: NetworkChoice = Field(NetworkChoice(), description="Which network.")
    train: FitOptions = Field(FitOptions(), description="How it is trained.")


class SearchOptions(TrainOptions):
    """Options of ``headscarp search``: those of a training, and what is tried."""

    search: GridOptions = Field(GridOptions(), description="Which hyperparameters are tried.")


Options = TypeVar("Options", bound=BaseModel)
StackLike = TypeVar("StackLike", bound=StackOptions)
ChipsLike = TypeVar("ChipsLike", bound=ChipsOptions)


EVENT_YAML = "event.yaml"
"""File in a folder of an event: options of ``headscarp map``, with paths relative to the folder."""
INVENTORY = "inventory.gpkg"
"""File in a folder of an event: what was mapped."""
NDVI = ("ndvi_pre", "ndvi_post")
"""Files, with .tif, in a folder of an event: NDVI before and after it."""


def load_options(path: Path | None, overrides: Mapping[str, Any] | None = None) -> MapOptions:
    """Read the options of ``headscarp map``; see :func:`load`.

    Where no file is given and the scenes are one folder that holds an ``event.yaml``, that is the file:
    the folder says of itself which scenes it has, when the event was and where the DEM is.
    """
    return load_stack_options(MapOptions, path, overrides)


def load_stack_options(
    model: type[StackLike], path: Path | None, overrides: Mapping[str, Any] | None = None
) -> StackLike:
    """Read options of a command on a stack; of an ``event.yaml``, those that the command has."""
    given = dict(overrides or {})
    folder = _event_folder(given.get("scenes")) if path is None else None
    if folder is None:
        return load(model, path, given)
    given.pop("scenes")
    return _validated(model, _described(model, folder), given, folder / EVENT_YAML)


def load_chips_options(
    model: type[ChipsLike], path: Path | None, overrides: Mapping[str, Any] | None = None
) -> ChipsLike:
    """Read options that hold events; see :func:`load`.

    An event whose scenes are one folder with an ``event.yaml`` is what that file says, its paths relative
    to the folder; what the events themselves say wins, section by section and option by option. Its name is
    the folder's, and its inventory the folder's ``inventory.gpkg``, unless they say otherwise.
    """
    values = _read_yaml(path) if path is not None else {}
    events = values.get("events")
    if isinstance(events, list):
        values["events"] = [_completed(event) if isinstance(event, dict) else event for event in events]
    return _validated(model, values, overrides or {}, path)


def described_event(folder: Path, **given: Any) -> ChipEventOptions:
    """Options of the event of a folder with an ``event.yaml``; what is given wins."""
    return ChipEventOptions.model_validate(_completed({"scenes": [str(folder)], **given}))


def _completed(event: dict[str, Any]) -> dict[str, Any]:
    """Values of an event, with what its folder says of itself."""
    given = dict(event)
    scenes = given.get("scenes")
    listed = [scenes] if isinstance(scenes, str) else scenes
    folder = _event_folder(listed)
    if folder is None:
        _refuse_absent(given, listed)
        return given
    given.pop("scenes")
    found: dict[str, Any] = {"name": folder.resolve().name}
    if (folder / INVENTORY).is_file():
        found["inventory"] = [folder / INVENTORY]
    found |= {name: path for name in NDVI if (path := folder / f"{name}.tif").is_file()}
    return _merged(found | _described(ChipEventOptions, folder), given)


def _refuse_absent(given: dict[str, Any], scenes: object) -> None:
    """Refuse scenes that are not there, before their event is refused for what their folder would say."""
    paths = [Path(scene) for scene in scenes if isinstance(scene, str)] if isinstance(scenes, list) else []
    absent = [str(path) for path in paths if not path.exists()]
    if absent and "name" not in given:
        raise OptionsError(
            "events whose scenes are there",
            f"{', '.join(absent)}, not there",
            "an event without a name takes it, its date and its inventory from the folder of its scenes",
            "check the path; relative ones are taken from where the command runs",
        )


def _described(model: type[StackOptions], folder: Path) -> dict[str, Any]:
    """Values of an ``event.yaml`` that a command on a stack has, paths taken from its folder."""
    foreign = MapOptions.model_fields.keys() - model.model_fields.keys()
    found = {name: part for name, part in _read_yaml(folder / EVENT_YAML).items() if name not in foreign}
    return _rooted({"scenes": ["."], **found}, model, folder)


def _merged(found: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Values, the given ones before those found; sections option by option."""
    merged = dict(found)
    for name, value in given.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = merged[name] | value if both else value
    return merged


def load(model: type[Options], path: Path | None, overrides: Mapping[str, Any] | None = None) -> Options:
    """Read options from a YAML file; overrides, such as those of the command line, win.

    Parameters
    ----------
    model : type
        Options of a command, such as :class:`MapOptions`.
    path : Path or None
        YAML file; none: the defaults.
    overrides : mapping, optional
        Values by dotted name, such as ``{"event.date": "2023-11-12"}``; None leaves the file's value.

    Raises
    ------
    OptionsError
        If the file is no YAML mapping, or an option is unknown or outside its range.
    """
    return _validated(model, _read_yaml(path) if path is not None else {}, overrides or {}, path)


def _validated(
    model: type[Options], values: dict[str, Any], overrides: Mapping[str, Any], path: Path | None
) -> Options:
    for name, value in overrides.items():
        if value is not None:
            _set(values, name.split("."), value)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _explain(error, path) from None


def describe(name: str, model: type[BaseModel] = MapOptions) -> str:
    """Text of an option by its dotted name, for the command line's help; the default is added."""
    field = _field(name, model)
    default = field.get_default(call_default_factory=True)
    return str(field.description) if default in (None, ()) else f"{field.description} [default: {default}]"


def default_yaml(options: BaseModel | None = None) -> str:
    """Every option of a command with its default as commented YAML; of ``map`` if none is given."""
    return _yaml_of(options or MapOptions(), indent="") + "\n"


def _yaml_of(options: BaseModel, indent: str) -> str:
    lines: list[str] = []
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        lines.append(f"{indent}# {field.description}")
        if isinstance(value, BaseModel):
            lines += [f"{indent}{name}:", _yaml_of(value, indent + "  ")]
        else:
            plain = options.model_dump(mode="json")[name]
            text = yaml.safe_dump(plain, default_flow_style=True).splitlines()[0]
            lines.append(f"{indent}{name}: {text}")
        if not indent:
            lines.append("")
    return "\n".join(lines).rstrip("\n")


def _field(name: str, model: type[BaseModel]) -> FieldInfo:
    *sections, last = name.split(".")
    for section in sections:
        annotation = model.model_fields[section].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            raise KeyError(name)
        model = annotation
    return model.model_fields[last]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise OptionsError(
            "a YAML file of options",
            f"{path} ({str(error).splitlines()[0]})",
            "the run would use other options than you meant",
            "start from the output of `headscarp config`",
        ) from error
    if values is not None and not isinstance(values, dict):
        raise OptionsError(
            "a YAML file of sections",
            f"{path}, which holds {type(values).__name__}",
            "the run would use other options than you meant",
            "start from the output of `headscarp config`",
        )
    # a section whose every line is a comment reads as null: its defaults
    return {name: section for name, section in (values or {}).items() if section is not None}


def _event_folder(scenes: object) -> Path | None:
    """Folder that is all the scenes and describes itself; none otherwise."""
    if not isinstance(scenes, list | tuple) or len(scenes) != 1:
        return None
    folder = Path(scenes[0])
    return folder if (folder / EVENT_YAML).is_file() else None


def _rooted(values: dict[str, Any], model: type[BaseModel], folder: Path) -> dict[str, Any]:
    """Values whose relative paths are taken from a folder."""
    rooted = dict(values)
    for name, field in model.model_fields.items():
        value, kind = values.get(name), field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            rooted |= {name: _rooted(value, kind, folder)} if isinstance(value, dict) else {}
        elif "Path" in str(kind) and isinstance(value, str) and value not in _words(kind):
            rooted[name] = folder / value
        elif "Path" in str(kind) and isinstance(value, list):
            rooted[name] = [folder / str(part) for part in value]
        elif "Path" in str(kind) and isinstance(value, dict):
            rooted[name] = {key: folder / str(part) for key, part in value.items()}
    return rooted


def _words(kind: Any) -> tuple[str, ...]:
    """Words that an option takes besides paths."""
    return tuple(word for part in get_args(kind) for word in get_args(part))


def _set(values: dict[str, Any], keys: list[str], value: object) -> None:
    for key in keys[:-1]:
        inner = values.get(key)
        if inner is not None and not isinstance(inner, dict):
            return  # no section: left for the validation to refuse, not silently replaced
        values[key] = dict(inner or {})
        values = values[key]
    values[keys[-1]] = value


def _explain(error: ValidationError, path: Path | None) -> OptionsError:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    source = f" in {path}" if path is not None else ""
    return OptionsError(
        f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}",
        f"{first['input']!r}{source}",
        "the run would not do what you meant",
        "see `headscarp config` for every option, its meaning and its default",
    )
