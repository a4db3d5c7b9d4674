"""The card of a checkpoint, from what it was trained on and how."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from headscarp.checkpoint import Card, Task, Training
from headscarp.chips.store import StoreFacts
from headscarp.models import NetworkOptions
from headscarp.split import SplitFile, split_json
from headscarp.train.batches import Normaliser
from headscarp.train.judge import Figures
from headscarp.train.options import FitOptions, NetworkChoice
from headscarp.train.residuals import ValueWorth
from headscarp.train.score import Worth

VALUES = "NDVI in [-1, 1]"
"""What the values of a network mean that learned from a store of them."""


@dataclass(frozen=True)
class Origin:
    """All that a card says but what was learned.

    Attributes
    ----------
    network : NetworkOptions
    task : Task
    training : Training
        Of epoch 0.
    licence : str
    """

    network: NetworkOptions
    task: Task
    training: Training
    licence: str

    def card(self, epochs: int, metrics: Figures, worth: Worth | ValueWorth | None = None) -> Card:
        """Card of the weights after so many epochs."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        known: dict[str, Any] = {"metrics": metrics}
        if worth is not None:
            known = worth.on_card()
        return Card(
            network=self.network.to_dict(),
            task=self.task,
            training=self.training.model_copy(update={"epochs": epochs, "created_utc": now}),
            licence=self.licence,
            **known,
        )


def make_origin(
    facts: StoreFacts,
    split: SplitFile,
    normaliser: Normaliser,
    network: NetworkOptions,
    options: FitOptions,
    commit: str | None,
    init_from: str | None,
) -> Origin:
    """What all checkpoints of a training have in common."""
    choice = NetworkChoice(network=network.network, filters=network.filters, head=network.head.value)
    training = Training(
        headscarp=version("headscarp"),
        commit=commit,
        seed=options.seed,
        epochs=0,
        created_utc="",
        split_sha256=split_sha256(split),
        data_sha256=event_hashes(facts, split),
        options={"network": choice.model_dump(mode="json"), "train": options.model_dump(mode="json")},
        init_from=init_from,
    )
    return Origin(network, make_task(facts, normaliser), training, options.licence)


def make_task(facts: StoreFacts, normaliser: Normaliser) -> Task:
    """What the chips of a store teach."""
    pre, post = ([getattr(event, side) for event in facts.events] for side in ("pre_dates", "post_dates"))
    return Task(
        features=facts.features,
        units=tuple(channel.units for channel in facts.features.parsed),
        mean=tuple(normaliser.mean.tolist()),
        std=tuple(normaliser.std.tolist()),
        spacing_m=facts.spacing_m,
        pre_dates=_span(pre),
        post_dates=_span(post),
        pooling=facts.pooling,
        **({"label": VALUES} if facts.target == "ndvi" else {}),
    )


def split_sha256(split: SplitFile) -> str:
    """Hash of a split as it is written."""
    return hashlib.sha256(split_json(split).encode()).hexdigest()


def event_hashes(facts: StoreFacts, split: SplitFile) -> dict[str, str]:
    """Hash, for each event, of the contents of its chips that train or choose, in the order of their ids."""
    used = {chip.id for chip in split.chips if chip.split != "test"}
    hashes: dict[str, str] = {}
    for event in facts.events:
        own = sorted((c.id, c.content_sha256) for c in facts.chips if c.event == event.name and c.id in used)
        if own:
            hashes[event.name] = hashlib.sha256(repr(own).encode()).hexdigest()
    return hashes


def _span(spans: list[tuple[int, int]]) -> tuple[int, int]:
    return min(low for low, _ in spans), max(high for _, high in spans)
