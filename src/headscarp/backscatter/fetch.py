"""Orbit files from their archive, by the package ``sentineleof`` (the extra ``orbits``).

The package knows which file of the public archive at the Alaska Satellite Facility is an image's: the precise
orbit (some twenty days after a pass), or the restituted one where that is not there yet. What comes is
checked like any other orbit file before it is kept.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from headscarp.backscatter.annotation import Annotation
from headscarp.backscatter.orbit import fitting_files, read_orbit_file
from headscarp.errors import OptionsError, SceneError

_TIMEOUT_S = 60.0
_WITHOUT = "leave --fetch-orbits out: then the annotation's own state vectors are used, and the tags say so"


def fetch_orbit(annotation: Annotation, folder: Path) -> Path:
    """Fetch the orbit file of an image into a folder, unless one that fits is there.

    Parameters
    ----------
    annotation : Annotation
        Of the image: mission and time.
    folder : Path
        Made where it does not exist; the file stands there whole or not at all.

    Returns
    -------
    Path
        The folder, with a file that fits.

    Raises
    ------
    OptionsError
        If ``sentineleof`` is not installed.
    SceneError
        If the archive cannot be reached, has no file for the image, or gives another's.
    """
    if folder.is_dir() and fitting_files(folder, annotation):
        return folder
    name, content = _fetched(_archive(), annotation)
    with tempfile.TemporaryDirectory() as elsewhere:
        (Path(elsewhere) / name).write_bytes(content)
        read_orbit_file(Path(elsewhere) / name, annotation)  # refused if it is another mission's or time's
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{name}.part").write_bytes(content)
    (folder / f".{name}.part").replace(folder / name)
    return folder


def _archive() -> Any:
    try:
        from eof.asf_client import ASFClient
    except ModuleNotFoundError as error:
        raise OptionsError(
            "the package sentineleof, for --fetch-orbits",
            f"no {error.name}",
            "orbit files cannot be fetched",
            f"install it: pip install 'headscarp[orbits]'; or {_WITHOUT}",
        ) from error
    return ASFClient()


def _fetched(archive: Any, annotation: Annotation) -> tuple[str, bytes]:
    """Name and content of the file that the archive has for an image."""
    moment = datetime.fromisoformat(str(annotation.first_line.astype("datetime64[us]")))
    try:
        found: list[str] = archive.get_download_urls([moment], [annotation.platform])
        if not found:
            raise _not_fetched(annotation, "the archive has none")
        with urlopen(found[0], timeout=_TIMEOUT_S) as answer:
            return found[0].rpartition("/")[2], answer.read()
    except (OSError, ValueError) as error:  # those of requests and urllib are OSErrors, eof's ValueErrors
        raise _not_fetched(annotation, f"{type(error).__name__}: {str(error)[:200]}") from error


def _not_fetched(annotation: Annotation, why: str) -> SceneError:
    return SceneError(
        f"an orbit file of {annotation.platform} for {annotation.first_line} from the archive",
        why,
        "the coarser orbit of the annotation would be used without a sign",
        f"check the connection, or put the file into the folder of --orbit; or {_WITHOUT}",
    )
