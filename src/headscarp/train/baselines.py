"""What a network of values must beat: the training mean, linear regression, gradient boosting of the pixels.

They see the channels of one pixel, normalised as for a network, and predict like one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headscarp.chips.draw import split_places
from headscarp.chips.statistics import channel_statistics
from headscarp.chips.store import IGNORE, ChipStore
from headscarp.errors import OptionsError
from headscarp.split import SplitFile
from headscarp.train.batches import Normaliser
from headscarp.train.residuals import Predicted, ValueWorth, value_worth

FloatArray = NDArray[np.float32]
BaselineName = Literal["mean", "linear", "boosting"]
BASELINES: tuple[BaselineName, ...] = ("mean", "linear", "boosting")
MOST_PX = 500_000
"""Training pixels that a baseline is fitted on, at most."""
_TREES = 200


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline.

    Attributes
    ----------
    name : str
    normaliser : Normaliser
        Of the training chips.
    worth : ValueWorth
        Errors on the validation chips, as of a network.
    of_pixels : callable
        Normalised channels, shape (pixel, channel), to values, shape (pixel,).
    """

    name: BaselineName
    normaliser: Normaliser
    worth: ValueWorth
    of_pixels: Callable[[FloatArray], NDArray[np.floating[Any]]]

    def predict(self, x: FloatArray, halo_px: int = 0) -> FloatArray:
        """Values in [-1, 1] of what lies inside a halo, as of a network.

        Parameters
        ----------
        x : ndarray of float32, shape (channel, y, x)
            Normalised.
        halo_px : int
        """
        return _image(self.of_pixels, x, halo_px)


def fit_baseline(
    name: BaselineName, store: ChipStore, split: SplitFile, seed: int = 0, most_px: int = MOST_PX
) -> Baseline:
    """Fit a baseline on the training chips of a store, and judge it on the validation chips.

    Parameters
    ----------
    name : {"mean", "linear", "boosting"}
    store : ChipStore
        With values to regress on.
    split : SplitFile
    seed : int
        Of the pixels that are drawn, and of the trees.
    most_px : int
        Pixels to fit on.

    Raises
    ------
    OptionsError
        If the store holds no values, the name is unknown, or gradient boosting has no scikit-learn.
    """
    if store.facts.target == "landslide" or name not in BASELINES:
        raise OptionsError(
            f"one of {', '.join(BASELINES)}, and a store of values",
            f"{name}, and a store of {store.facts.target}",
            "there is nothing to fit",
            "cut chips with target: ndvi",
        )
    places = split_places(store.facts, split)
    normaliser = Normaliser(store.facts.features, *channel_statistics(store, places["train"]))
    x, y = _drawn(store, normaliser, places["train"], seed, most_px)
    of_pixels = _FIT[name](x, y, seed)
    chips = _chips(store, normaliser, places["validation"], of_pixels)
    return Baseline(name, normaliser, value_worth(chips), of_pixels)


def _mean(x: FloatArray, y: FloatArray, seed: int) -> Callable[[FloatArray], NDArray[np.floating[Any]]]:
    mean = y.astype(np.float64).mean()
    return lambda pixels: np.full(len(pixels), mean)


def _linear(x: FloatArray, y: FloatArray, seed: int) -> Callable[[FloatArray], NDArray[np.floating[Any]]]:
    """Ordinary least squares with an intercept."""
    wide = np.column_stack([x.astype(np.float64), np.ones(len(x))])
    weights = np.linalg.lstsq(wide, y.astype(np.float64), rcond=None)[0]
    return lambda pixels: pixels @ weights[:-1] + weights[-1]


def _boosting(x: FloatArray, y: FloatArray, seed: int) -> Callable[[FloatArray], NDArray[np.floating[Any]]]:
    """Gradient boosting of trees on histograms, with the defaults of scikit-learn but twice the trees."""
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor
    except ImportError as error:
        raise OptionsError(
            "scikit-learn, for gradient boosting",
            f"no {error.name}",
            "the baseline cannot be fitted",
            "install it: pip install 'headscarp[networks]'",
        ) from error
    fitted = HistGradientBoostingRegressor(max_iter=_TREES, random_state=seed).fit(x, y)
    return lambda pixels: np.asarray(fitted.predict(pixels))


_FIT = {"mean": _mean, "linear": _linear, "boosting": _boosting}


def _drawn(
    store: ChipStore, normaliser: Normaliser, places: list[int], seed: int, most_px: int
) -> tuple[FloatArray, FloatArray]:
    """Pixels of the training chips: all, or as many of each as there is room for, drawn."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, len(places)])))
    each = max(1, most_px // len(places))
    xs, ys = [], []
    for place in places:
        x, truth, mask = _chip(store, normaliser, place)
        known = np.flatnonzero(mask)
        kept = generator.choice(known, min(each, len(known)), replace=False)
        xs.append(x.reshape(len(x), -1)[:, kept].T)
        ys.append(truth.ravel()[kept])
    return np.concatenate(xs), np.concatenate(ys)


def _chip(
    store: ChipStore, normaliser: Normaliser, place: int
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Normalised channels, values and where they count, of one chip."""
    x, label, _ = store.read([place])
    target = store.read_target([place])
    if target is None:  # refused already
        raise RuntimeError("a store without values")
    return normaliser(x[0]), target[0], label[0] != IGNORE


def _chips(
    store: ChipStore,
    normaliser: Normaliser,
    places: list[int],
    of_pixels: Callable[[FloatArray], NDArray[np.floating[Any]]],
) -> Iterator[Predicted]:
    for place in places:
        x, truth, mask = _chip(store, normaliser, place)
        yield Predicted(_image(of_pixels, x, 0)[np.newaxis], truth[np.newaxis], mask[np.newaxis])


def _image(
    of_pixels: Callable[[FloatArray], NDArray[np.floating[Any]]], x: FloatArray, halo_px: int
) -> FloatArray:
    rows, cols = (slice(halo_px, size - halo_px) for size in x.shape[1:])
    inner = x[:, rows, cols]
    values = of_pixels(inner.reshape(len(inner), -1).T)
    return np.asarray(np.clip(values, -1, 1).reshape(inner.shape[1:]), dtype=np.float32)
