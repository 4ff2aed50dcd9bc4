"""What serving add-ons needs on the managed cluster: rights in their namespaces, little else."""

from typing import Any

from towline_api.resources import CONFIG_MAPS, LEASES, NAMESPACES, SECRETS

Rule = dict[str, Any]
"""One rule of a Role or ClusterRole."""


def addon_rules() -> list[Rule]:
    """Return the rules for a Role in each namespace that add-ons may be installed in."""
    return [
        # Copies of the hub's configuration, by server-side apply.
        _rule(CONFIG_MAPS.group, CONFIG_MAPS.plural, "get list watch create patch delete"),
        # The add-ons' credentials. Nothing else has to be in such a namespace.
        _rule(SECRETS.group, SECRETS.plural, "get list watch create update delete"),
        # The add-ons' signs of life, and those the agent gives in place of an add-on.
        _rule(LEASES.group, LEASES.plural, "get list watch create patch delete"),
    ]


def addon_cluster_rules() -> list[Rule]:
    """Return the rules for a ClusterRole; without them install namespaces are made by hand."""
    return [_rule(NAMESPACES.group, NAMESPACES.plural, "create")]


def _rule(group: str, plural: str, verbs: str) -> Rule:
    return {"apiGroups": [group], "resources": [plural], "verbs": verbs.split()}
