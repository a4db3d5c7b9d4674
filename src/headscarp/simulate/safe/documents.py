"""The documents of a real product, moved by whole repeat cycles, so that one product becomes many dates.

After a repeat cycle of twelve days the satellite flies the same track over the same ground: Earth-fixed
positions and velocities, the geolocation grid, ground range, calibration and noise stay as they are. What is
moved, by the same number of cycles:

- the day of every UTC time in annotation, calibration, noise and manifest: first and last line, lines of the
  geolocation grid, state vectors, vectors of the tables, processing;
- the absolute orbit, 175 a cycle, so that the relative orbit stays; and the number of the cycle;
- times and orbit in the names of the product and its files.

The number of the data take, names of auxiliary and raw data, and the manifest's checksums stay. A
polarisation that the product lacks gets the documents of the other under its own name.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

from headscarp.backscatter.safe import Safe
from headscarp.geometry.orbit import ORBITS_PER_CYCLE, REPEAT_CYCLE
from headscarp.vocabulary import Polarization

_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2})")
_COMPACT = re.compile(r"(\d{8})([tT]\d{6})")
_ORBIT = re.compile(r"(<absoluteOrbitNumber>|:orbitNumber type=\"st(?:art|op)\">)(\d+)")
_CYCLE_NUMBER = re.compile(r"(:cycleNumber>)(\d+)")
_STEM_ORBIT = re.compile(r"([_-])(\d{6})(?=[_-][0-9a-fA-F]{6}[_-])")


def moved_name(name: str, cycles: int) -> str:
    """A product's or a file's name, some cycles later.

    Examples
    --------
    >>> moved_name("S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371", 1)
    'S1B_IW_GRDH_1SDV_20220104T051122_20220104T051147_030323_039993_5371'
    """
    orbits = ORBITS_PER_CYCLE * cycles
    name = _COMPACT.sub(lambda found: _later(found[1], "%Y%m%d", cycles) + found[2], name)
    return _STEM_ORBIT.sub(lambda found: f"{found[1]}{int(found[2]) + orbits:06d}", name)


def moved_text(text: str, names: dict[str, str], cycles: int) -> str:
    """A document's text, some cycles later.

    Parameters
    ----------
    text : str
    names : dict of str to str
        Names of the product and its files, as they were, and as they will be.
    cycles : int

    Examples
    --------
    >>> moved_text("<startTime>2021-12-23T05:11:22</startTime>", {}, -1)
    '<startTime>2021-12-11T05:11:22</startTime>'
    """
    orbits = ORBITS_PER_CYCLE * cycles
    text = _DAY.sub(lambda found: _later(found[1], "%Y-%m-%d", cycles) + found[2], text)
    text = _ORBIT.sub(lambda found: f"{found[1]}{int(found[2]) + orbits}", text)
    text = _CYCLE_NUMBER.sub(lambda found: f"{found[1]}{int(found[2]) + cycles}", text)
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def write_documents(
    source: Safe, folder: Path, cycles: int = 0, polarizations: tuple[Polarization, ...] = ("VV", "VH")
) -> Path:
    """Write annotation, calibration, noise and manifest of a product, some cycles later; no measurement.

    Parameters
    ----------
    source : Safe
    folder : Path
        In which the product's own folder is made.
    cycles : int
        Of twelve days.
    polarizations : tuple
        Which of them the product will have.

    Returns
    -------
    Path
        The ``.SAFE`` folder.
    """
    product = folder / f"{moved_name(source.name, cycles)}.SAFE"
    (product / "measurement").mkdir(parents=True)
    (product / "annotation" / "calibration").mkdir(parents=True)
    stems = [Path(channel.annotation).stem for channel in source.channels.values()]
    names = {old: moved_name(old, cycles) for old in (source.name, *stems)}
    if source.manifest:
        text = source.read(source.manifest).decode("utf-8")
        (product / "manifest.safe").write_text(moved_text(text, names, cycles), encoding="utf-8")
    for polarization in polarizations:
        _write_channel(source, product, polarization, names, cycles)
    return product


def _write_channel(
    source: Safe, product: Path, polarization: Polarization, names: dict[str, str], cycles: int
) -> None:
    has = polarization if polarization in source.channels else next(iter(source.channels))
    channel = source.channels[has]
    for member in (channel.annotation, channel.calibration, channel.noise):
        if not member:
            continue
        text = moved_text(source.read(member).decode("utf-8"), names, cycles)
        name = moved_name(member, cycles)
        if has != polarization:
            name = _renamed(name, has, polarization)
            text = text.replace(f"<polarisation>{has}<", f"<polarisation>{polarization}<")
        (product / name).write_text(text, encoding="utf-8")


def _renamed(name: str, old: Polarization, new: Polarization) -> str:
    """The name of a file of another polarisation, which is the second of the product."""
    return name.replace(f"-{old.lower()}-", f"-{new.lower()}-").replace("-001.xml", "-002.xml")


def _later(day: str, form: str, cycles: int) -> str:
    moved: timedelta = REPEAT_CYCLE * cycles
    return (datetime.strptime(day, form) + moved).strftime(form)
