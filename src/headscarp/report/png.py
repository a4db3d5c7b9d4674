"""Indexed PNG pictures, small enough to stand inside the page."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPE_INDEXED = 3


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def indexed_png(index: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Encode a picture of palette indices as an 8-bit PNG (ISO/IEC 15948, colour type 3).

    Parameters
    ----------
    index : NDArray[np.uint8]
        Palette index of each pixel, shape ``(y, x)``.
    palette : NDArray[np.uint8]
        Red, green, blue and opacity of each index, shape ``(n, 4)`` with ``n <= 256``.

    Returns
    -------
    bytes
        The PNG file.

    Examples
    --------
    >>> white = np.full((1, 4), 255, np.uint8)
    >>> indexed_png(np.zeros((2, 3), np.uint8), white)[1:4]
    b'PNG'
    """
    height, width = index.shape
    rows = np.zeros((height, width + 1), np.uint8)  # a leading 0 a row: the filter "none"
    rows[:, 1:] = index
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPE_INDEXED, 0, 0, 0)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"PLTE", np.ascontiguousarray(palette[:, :3]).tobytes())
        + _chunk(b"tRNS", np.ascontiguousarray(palette[:, 3]).tobytes())
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + _chunk(b"IEND", b"")
    )


def data_uri(png: bytes) -> str:
    """Wrap a PNG file in a ``data:`` address, so that the page loads nothing.

    Parameters
    ----------
    png : bytes
        The PNG file.

    Returns
    -------
    str
        The address to put in ``src`` or ``href``.
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
