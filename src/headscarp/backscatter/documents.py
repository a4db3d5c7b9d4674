"""XML as products carry it: parsed without entities, and asked for text, numbers and times."""

from __future__ import annotations

from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from headscarp.errors import SceneError

Element = ElementTree.Element
Times = NDArray[np.datetime64]
Floats = NDArray[np.float64]


def parse_document(data: bytes, name: str) -> Element:
    """Root of an XML document that declares no document type, and so no entity, internal or external.

    Parameters
    ----------
    data : bytes
    name : str
        Told in errors.

    Raises
    ------
    SceneError
        If the document is broken or declares a document type.

    Examples
    --------
    >>> parse_document(b"<a><b>1</b></a>", "a.xml").findtext("b")
    '1'
    """

    def refuse(*_: object) -> NoReturn:
        raise SceneError(
            "annotation without a document type",
            f"{name}, which declares one",
            "its entities could read other files, or fill the memory",
            "download the product again from its archive",
        )

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
        return ElementTree.fromstring(data)
    except (expat.ExpatError, ElementTree.ParseError) as error:
        raise SceneError(
            "XML that is whole", f"{name} ({error})", "the product cannot be read", "download it again"
        ) from error


def text(root: Element, path: str) -> str:
    """Text at a path.

    Raises
    ------
    SceneError
        If there is none.
    """
    found = root.findtext(path)
    if found is None or not found.strip():
        raise SceneError(
            f"<{path}> in the annotation of a GRD product",
            f"a <{root.tag}> document without it",
            "the image could not be placed or calibrated",
            "download the product again; other kinds of product are not read",
        )
    return found.strip()


def number(root: Element, path: str) -> float:
    """Number at a path."""
    return float(text(root, path))


def numbers(element: Element, path: str) -> Floats:
    """Numbers in the text at a path, separated by spaces."""
    return np.array(text(element, path).split(), dtype=np.float64)


def column(elements: list[Element], path: str) -> Floats:
    """The number at a path in each of several elements."""
    return np.array([number(element, path) for element in elements], dtype=np.float64)


def moment(root: Element, path: str) -> np.datetime64:
    """UTC at a path."""
    return np.datetime64(text(root, path).removeprefix("UTC="), "ns")


def moments(elements: list[Element], path: str) -> Times:
    """UTC at a path in each of several elements."""
    return np.array([moment(element, path) for element in elements], dtype="datetime64[ns]")


def seconds_since(times: Times | np.datetime64, epoch: np.datetime64) -> Floats:
    """Seconds from an epoch, to the nanosecond."""
    return np.asarray((times - epoch) / np.timedelta64(1, "ns") * 1e-9, dtype=np.float64)
