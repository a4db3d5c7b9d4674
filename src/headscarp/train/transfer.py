"""Beginning with the weights of a checkpoint: what must fit, and what is held fixed."""

from __future__ import annotations

from torch import nn

from headscarp.checkpoint import Checkpoint
from headscarp.features.sets import FeatureSet
from headscarp.models import Network, NetworkOptions
from headscarp.train.errors import TrainError

ENCODERS = ("encoder", "first", "down", "stages")
"""What the bodies call the parts that look: U-Nets; U-TAE (two), SegNet; SegFormer."""


def refuse_misfit(begun: Checkpoint, features: FeatureSet, wanted: NetworkOptions) -> None:
    """Refuse a checkpoint whose weights mean something else; all mismatches are named.

    Raises
    ------
    TrainError
        If features, network, channels, filters or head differ.
    """
    own, task = begun.card.options, begun.card.task
    pairs = [
        ("features", _features(task.features), _features(features)),
        *((name, getattr(own, name), getattr(wanted, name)) for name in NetworkOptions.__dataclass_fields__),
    ]
    misfits = [
        f"{name}: {has} in the checkpoint, {wants} wanted" for name, has, wants in pairs if has != wants
    ]
    if misfits:
        raise TrainError(
            "an init_from of the same features and the same network",
            "; ".join(misfits),
            "weights learned for one cannot be used for the other",
            "set the network and the features to those of the checkpoint (headscarp model info)",
        )


def freeze_encoder(network: Network) -> tuple[nn.Module, ...]:
    """Hold the encoder fixed: no gradients. Its batch statistics stand still once it is in evaluation mode.

    Returns
    -------
    tuple of Module
        Its parts, to be put into evaluation mode whenever the network is put into training mode.

    Raises
    ------
    TrainError
        If the network has no encoder of its own.
    """
    found = [getattr(network.body, name) for name in ENCODERS if hasattr(network.body, name)]
    if not found:
        raise TrainError(
            "freeze_encoder with a network that has an encoder of its own",
            network.options.network,
            "there is no part that could be held fixed",
            "leave freeze_encoder out",
        )
    return tuple(part.requires_grad_(False) for part in found)


def _features(features: FeatureSet) -> str:
    return f"{features.form} of {', '.join(features.channels)}"
