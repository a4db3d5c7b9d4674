"""Networks: torch only, nothing of the other rooms; one way to make and to call them all."""

from headscarp.models.body import Takes
from headscarp.models.catalogue import BODIES, make_network
from headscarp.models.inference import for_inference
from headscarp.models.memory import keep_memory
from headscarp.models.network import Network
from headscarp.models.operations import count_operations, count_parameters
from headscarp.models.options import Head, NetworkOptions
from headscarp.models.receptive_field import ReceptiveField, receptive_field

__all__ = [
    "BODIES",
    "Head",
    "Network",
    "NetworkOptions",
    "ReceptiveField",
    "Takes",
    "count_operations",
    "count_parameters",
    "for_inference",
    "keep_memory",
    "make_network",
    "receptive_field",
]
