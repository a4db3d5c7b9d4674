"""Every network by its name."""

from __future__ import annotations

from types import MappingProxyType

from headscarp.models.attention_unet import AttentionUNet
from headscarp.models.body import Body
from headscarp.models.convlstm_unet import ConvLSTMUNet
from headscarp.models.dppa_unet import DPPAUNet
from headscarp.models.network import Network
from headscarp.models.options import NetworkOptions
from headscarp.models.segformer import SegFormer
from headscarp.models.segnet import SegNet
from headscarp.models.siamese_unet import SiameseUNet
from headscarp.models.unet import UNet
from headscarp.models.utae import UTAE

BODIES: MappingProxyType[str, type[Body]] = MappingProxyType(
    {
        "unet": UNet,
        "attention_unet": AttentionUNet,
        "segnet": SegNet,
        "dppa_unet": DPPAUNet,
        "convlstm_unet": ConvLSTMUNet,
        "utae": UTAE,
        "segformer": SegFormer,
        "siamese_unet": SiameseUNet,
    }
)


def make_network(options: NetworkOptions) -> Network:
    """A network with its first weights, in training mode, from the generator of `torch.manual_seed`.

    Parameters
    ----------
    options : NetworkOptions
        Name, channels, filters, head.

    Raises
    ------
    ValueError
        If there is no network of that name.

    Examples
    --------
    >>> import torch
    >>> network = make_network(NetworkOptions(network="unet", channels=3, filters=16))
    >>> tuple(network(torch.zeros(1, 3, 50, 70)).shape)
    (1, 1, 50, 70)
    """
    if options.network not in BODIES:
        raise ValueError(f"expected a network of {sorted(BODIES)}, given {options.network!r}")
    return Network(options, BODIES[options.network](options.channels, options.filters))
