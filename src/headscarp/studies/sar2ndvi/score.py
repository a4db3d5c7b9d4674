"""How far a predicted NDVI is from the reference: on the whole mosaic, by kinds of ground, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.evaluate.blocks import lay_blocks
from headscarp.evaluate.confusion import FloatArray
from headscarp.evaluate.intervals import IntervalOptions, draw_blocks, interval, sums_of_draws
from headscarp.evaluate.regression import Sum, regression_metrics, regression_sums
from headscarp.evaluate.similarity import similarity_map
from headscarp.evaluate.strata import Stratum

FIGURES = ("rmse", "mae", "ssim", "psnr_db", "r2", "bias")
"""Of the tables: PSNR against a data range of 2, as the paper's figures imply."""


@dataclass(frozen=True)
class Errors:
    """Sums of errors of one mosaic.

    Attributes
    ----------
    blocks : ndarray, shape (blocks, 9)
        By block of ground, in the order of :class:`headscarp.evaluate.regression.Sum`.
    strata : dict of str to (names, ndarray of shape (classes, 9))
        By kind of ground.
    """

    blocks: FloatArray
    strata: dict[str, tuple[tuple[str, ...], FloatArray]]


def sum_errors(
    predicted: NDArray[np.float32],
    truth: NDArray[np.float32],
    geobox: GeoBox,
    strata: Mapping[str, Stratum],
    options: IntervalOptions,
) -> Errors:
    """Sum the errors of a mosaic by block and by kind of ground.

    Parameters
    ----------
    predicted, truth : ndarray, shape (y, x)
        NDVI; NaN where there is none.
    geobox : GeoBox
    strata : mapping of str to Stratum
    options : IntervalOptions
    """
    similarity = similarity_map(predicted, truth)
    (laid,) = lay_blocks([geobox], options)
    rows, cols = np.indices(geobox.shape)
    block = laid.of_pixels(rows, cols)
    by_block = regression_sums(predicted, truth, None, similarity, block, laid.number)
    by_kind = {
        name: (own.names, regression_sums(predicted, truth, None, similarity, own.image, len(own.names)))
        for name, own in strata.items()
    }
    return Errors(by_block, by_kind)


def figures_of(errors: Errors, options: IntervalOptions) -> dict[str, Any]:
    """Figures over the mosaic with intervals over draws of blocks, and by kind of ground.

    Returns
    -------
    dict
        Figures by name, None where undefined; ``pixels``; ``intervals``; ``strata``: kind, class, figures.
    """
    whole = errors.blocks.sum(axis=0)
    drawn = draws_of(errors, options)
    spans = {name: interval(drawn[name], options.level) for name in FIGURES}
    return {
        **_plain(whole),
        "intervals": {name: None if span is None else [span.low, span.high] for name, span in spans.items()},
        "strata": {
            kind: {name: _plain(own) for name, own in zip(names, sums, strict=True) if own[Sum.PIXELS]}
            for kind, (names, sums) in errors.strata.items()
        },
    }


def draws_of(errors: Errors, options: IntervalOptions) -> dict[str, FloatArray]:
    """Each figure on each draw of the blocks that hold anything; equal draws for mosaics of one ground."""
    filled = errors.blocks[errors.blocks[:, Sum.PIXELS] > 0]
    found = regression_metrics(sums_of_draws(draw_blocks(len(filled), options), filled))
    return {name: found[name] for name in FIGURES}


def write_errors(path: Path, errors: Errors) -> None:
    """Write sums by block, so that rows can be compared draw by draw."""
    beside = path.with_name(f".{path.name}.part.npz")
    np.savez_compressed(beside, blocks=errors.blocks)
    beside.replace(path)


def read_errors(path: Path) -> Errors:
    """Read sums by block."""
    with np.load(path) as held:
        return Errors(held["blocks"], {})


def _plain(sums: FloatArray) -> dict[str, Any]:
    found = regression_metrics(sums)
    values = {name: float(found[name]) for name in FIGURES}
    told: dict[str, Any] = {name: None if np.isnan(value) else value for name, value in values.items()}
    return told | {"pixels": int(sums[Sum.PIXELS])}
