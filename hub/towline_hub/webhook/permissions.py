"""What the hub may do for its conversion webhook: point two CRDs at it, keep one Secret."""

from collections.abc import Sequence

from towline_api.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    ROLES,
    SECRETS,
    KubeObject,
)
from towline_hub.clusters.rbac import Rule, role, role_binding, rule
from towline_hub.webhook.certificate_secret import SECRET
from towline_hub.webhook.definitions import CONVERTED

WEBHOOK_ROLE = "open-cluster-management:towline-hub:webhook"
"""Name of the Role about the Secret, and of its binding."""


def pointing_rules() -> Sequence[Rule]:
    """Return what having add-ons converted takes: two CRDs, by name."""
    definitions = CUSTOM_RESOURCE_DEFINITIONS
    return (rule(definitions.group, [definitions.plural], ["get", "patch"], only=CONVERTED),)


def certificate_role(
    *, namespace: str, subject: KubeObject, labels: dict[str, str]
) -> list[KubeObject]:
    """Return the Role for the Secret that replicas share, and its binding.

    A hub beside its API server needs none: its certificates stay in the process.

    Args:
        namespace: The hub's own.
        subject: Who runs the hub.
        labels: Of both objects.
    """
    # Lists and watches of one object by its name need no right to any other, and server-side apply
    # of one that is not there asks for `create` of that very name.
    verbs = ["get", "list", "watch", "create", "patch"]
    return [
        role(
            WEBHOOK_ROLE,
            [rule("", [SECRETS.plural], verbs, only=[SECRET])],
            namespace=namespace,
            labels=labels,
        ),
        role_binding(
            WEBHOOK_ROLE,
            namespace=namespace,
            role_kind=ROLES.kind,
            role_name=WEBHOOK_ROLE,
            subjects=[subject],
            labels=labels,
        ),
    ]
