"""The hub: which files a data set has, how large they are, what they hash to; and their bytes.

Facts come from ``huggingface_hub`` (an extra), which also knows the user's endpoint (``HF_ENDPOINT``) and
token. Bytes are fetched here: its downloads begin anew in each process (version 2), and archives of gigabytes
must go on where they stopped.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from headscarp.errors import OptionsError
from headscarp.fetch.options import FetchError, FetchOptions

Bytes = Callable[[int], None]
"""Told how many bytes have arrived."""
PART = ".part"
TRIES = 5
"""Times that a file is asked for without a byte arriving, before it is given up."""
_WAIT_S = 2.0
_TIMEOUT_S = 30.0
_CHUNK = 1 << 20
_LOW_QUALITY = "low_quality_patches.txt"


class RemoteFile(NamedTuple):
    """One file of the hub.

    Attributes
    ----------
    path : str
        In the data set.
    size : int
        Bytes, exactly.
    sha256 : str or None
        Of large files.
    git_sha1 : str or None
        Git's hash of small ones.
    """

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None


class Listing(NamedTuple):
    """Files of a data set at one commit, those that were asked for."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files)


def fetch_listing(options: FetchOptions) -> Listing:
    """Ask the hub which of its files the options name.

    Raises
    ------
    FetchError
        If the hub cannot be reached, has no such data set, or nothing of it fits the options.
    OptionsError
        If huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import HfApi
    except ModuleNotFoundError as error:
        raise OptionsError(
            "huggingface_hub, which knows the hub",
            "it is not installed",
            "the files of the data set cannot be listed",
            "install it: pip install 'headscarp[fetch]'",
        ) from error
    try:
        info = HfApi(endpoint=_endpoint()).dataset_info(
            options.repo, revision=options.revision, files_metadata=True
        )
    except Exception as error:
        raise _unreachable(options, error) from error
    files = [
        RemoteFile(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else None, s.blob_id)
        for s in info.siblings or []
    ]
    chosen = tuple(file for file in files if is_chosen(file.path, options))
    if not chosen or info.sha is None:
        raise _nothing_chosen(options, files)
    return Listing(options.repo, info.sha, chosen)


def is_chosen(path: str, options: FetchOptions) -> bool:
    """Tell whether a file of the data set is asked for.

    Examples
    --------
    >>> options = FetchOptions(sensors=("s1asc",))
    >>> is_chosen("data_harmonized/s1asc/s1asc_part01.tar.gz", options)
    True
    >>> is_chosen("data_raw/s1asc/s1asc_part01.tar.gz", options)
    False
    >>> is_chosen("tasks/S12LS-LD/harmonized/splits_aligned.json", options)
    True
    """
    parts = PurePosixPath(path).parts
    if f"data_{options.release}" in parts:
        return any(sensor in parts for sensor in options.sensors)
    is_task = parts[0] == "tasks" and (str(options.release) in parts or len(parts) <= 2)
    return options.tasks and (is_task or parts[-1] == _LOW_QUALITY)


def fetch_file(listing: Listing, file: RemoteFile, target: Path, arrived: Bytes = lambda _: None) -> None:
    """Fetch a file, from where an earlier call stopped, and verify it; it appears whole or not at all.

    Parameters
    ----------
    listing : Listing
    file : RemoteFile
    target : Path
        Its place; what has arrived waits beside it.
    arrived : callable, optional

    Raises
    ------
    FetchError
        If it cannot be fetched; what has arrived is kept. If its hash is another than the hub says, it is
        thrown away.
    """
    part = target.with_name(f"{target.name}{PART}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch_all(listing, file, part, arrived)
        _refuse_short(file, part)
        _refuse_other(file, part)
        part.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error


def is_whole(file: RemoteFile, path: Path) -> bool:
    """Tell whether a file on disk is the hub's, by size and hash."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.sha256 is not None:
        return _digest(path, hashlib.sha256()) == file.sha256
    if file.git_sha1 is not None:
        head = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
        return _digest(path, head) == file.git_sha1
    return True


def _fetch_all(listing: Listing, file: RemoteFile, part: Path, arrived: Bytes) -> None:
    """Ask until all bytes are there, or too often in vain."""
    if part.is_file() and part.stat().st_size > file.size:
        part.unlink()
    part.touch()
    idle = 0
    while part.stat().st_size < file.size and idle < TRIES:
        before = part.stat().st_size
        _fetch_rest(listing, file, part, arrived)
        idle = 0 if part.stat().st_size > before else idle + 1
        time.sleep(_WAIT_S * idle)


def _fetch_rest(listing: Listing, file: RemoteFile, part: Path, arrived: Bytes) -> None:
    """Append what is missing, as far as the connection holds."""
    have = part.stat().st_size
    try:
        with urllib.request.urlopen(_request(listing, file, have), timeout=_TIMEOUT_S) as answer:
            mode = "ab" if have and answer.status == http.HTTPStatus.PARTIAL_CONTENT else "wb"
            with part.open(mode) as out:
                while chunk := answer.read(_CHUNK):
                    out.write(chunk)
                    arrived(len(chunk))
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404):
            raise _refused(file, error) from error
    except (TimeoutError, ConnectionError, urllib.error.URLError, http.client.HTTPException):
        return


def _request(listing: Listing, file: RemoteFile, have: int) -> urllib.request.Request:
    from huggingface_hub import get_token, hf_hub_url

    url = hf_hub_url(
        listing.repo, file.path, repo_type="dataset", revision=listing.commit, endpoint=_endpoint()
    )
    request = urllib.request.Request(url, headers={"User-Agent": f"headscarp/{version('headscarp')}"})
    token = get_token()
    if token:  # for the hub alone, not for where it sends us
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    if have:
        request.add_header("Range", f"bytes={have}-")
    return request


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _digest(path: Path, digest: hashlib._Hash) -> str:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _refuse_short(file: RemoteFile, part: Path) -> None:
    if part.stat().st_size != file.size:
        raise FetchError(
            f"{file.size:,} bytes of {file.path}",
            f"{part.stat().st_size:,} after {TRIES} tries without another byte",
            "the rest of the file is missing",
            "run the same command again: it goes on where it stopped",
        )


def _refuse_other(file: RemoteFile, part: Path) -> None:
    if not is_whole(file, part):
        part.unlink()
        raise FetchError(
            f"{file.path} with the hash that the hub states",
            "another",
            "it is not the file that was published",
            "run the same command again; it was thrown away and will be fetched anew",
        )


def _unwritable(target: Path, error: OSError) -> FetchError:
    return FetchError(
        "a folder that can be written, with room",
        f"{target} ({error.strerror or error})",
        "the file cannot be kept",
        "free some space or choose another folder, and run the same command again",
    )


def _refused(file: RemoteFile, error: urllib.error.HTTPError) -> FetchError:
    return FetchError(
        f"{file.path}, which the hub lists",
        f"HTTP {error.code}",
        "the file cannot be had",
        "log in with `hf auth login` if the data set asks for it, or give another revision",
    )


def _unreachable(options: FetchOptions, error: Exception) -> FetchError:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return FetchError(
        f"the data set {options.repo} at {options.revision}, on {_endpoint() or 'the Hugging Face hub'}",
        first,
        "its files cannot be listed",
        "check the connection, --repo and --revision",
    )


def _nothing_chosen(options: FetchOptions, files: Sequence[RemoteFile]) -> FetchError:
    tops = sorted({PurePosixPath(file.path).parts[0] for file in files})
    return FetchError(
        f"files of the {options.release} release for {', '.join(options.sensors) or 'no sensor'}",
        f"none in {options.repo}, which has {', '.join(tops[:12]) or 'no files'}",
        "there is nothing to fetch",
        "give another release, sensor or revision",
    )
