"""The spoke: earns a client certificate from the hub, keeps it, applies add-on configuration.

What is listed here is for programs that embed an add-on's agent; see `AddonAgent`.
"""

from towline_agent.channel.client_certificate import CertificateNotReadyError, ClientCertificate
from towline_agent.channel.hub_channel import HubChannel, HubNotReadyError
from towline_agent.embedding.addon_agent import AddonAgent
from towline_agent.embedding.removal import Removal
from towline_agent.embedding.settings import AddonSettings
from towline_agent.handling.model import InvalidConfigurationError
from towline_agent.handling.spoke_scope import NotOursError, SpokeScope, local_copy
from towline_agent.health.built_in_checks import ApiServerLives, PodsReady, pod_check_rules
from towline_agent.health.rounds import UnhealthyError
from towline_agent.settings import AgentSettings
from towline_agent.station.spoke_access import Spoke

__all__ = [
    "AddonAgent",
    "AddonSettings",
    "AgentSettings",
    "ApiServerLives",
    "CertificateNotReadyError",
    "ClientCertificate",
    "HubChannel",
    "HubNotReadyError",
    "InvalidConfigurationError",
    "NotOursError",
    "PodsReady",
    "Removal",
    "Spoke",
    "SpokeScope",
    "UnhealthyError",
    "local_copy",
    "pod_check_rules",
]
