"""The spoke: earns a client certificate from the hub, keeps it, applies add-on configuration.

What is listed here is for programs that embed an add-on's agent; see `AddonAgent`.
"""

from towline_agent.addon_removal import Removal
from towline_agent.addon_settings import AddonSettings
from towline_agent.built_in_checks import ApiServerLives, PodsReady, pod_check_rules
from towline_agent.channel import HubChannel, HubNotReadyError
from towline_agent.client_certificate import CertificateNotReadyError, ClientCertificate
from towline_agent.configuration_model import InvalidConfigurationError
from towline_agent.embedding import AddonAgent
from towline_agent.health_rounds import UnhealthyError
from towline_agent.settings import AgentSettings
from towline_agent.spoke_access import Spoke
from towline_agent.spoke_scope import NotOursError, SpokeScope, local_copy

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
