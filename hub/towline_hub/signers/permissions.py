"""What the hub may do as a signer: sign under these names, and read these Secrets."""

from collections.abc import Sequence

from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIG_MAPS,
    ROLES,
    SECRETS,
    KubeObject,
)
from towline_hub.clusters.rbac import Rule, role, role_binding, rule
from towline_hub.signers.settings import SignerSettings

SIGNERS_ROLE = "open-cluster-management:towline-hub:signers"
"""Name of the ClusterRole about requests, of the Role about Secrets, and of their bindings."""

_LOOK = ("get", "list", "watch")
# Server-side apply of an object that is not there asks for `create` of that very name.
_APPLY = ("create", "patch")


def signing_rules(
    signers: Sequence[SignerSettings], *, approve_signers: Sequence[str] = ()
) -> list[Rule]:
    """Return what signing, and approving for custom signers, takes on the whole cluster.

    Args:
        signers: What the operator chose.
        approve_signers: Names of the signers for which it only approves.
    """
    group = CERTIFICATE_SIGNING_REQUESTS.group
    names = [settings.signer_name for settings in signers]
    rules = []
    if names:
        rules += [
            rule(group, [f"{CERTIFICATE_SIGNING_REQUESTS.plural}/status"], ["update"]),
            rule(group, ["signers"], ["approve", "sign"], only=names),
        ]
    if others := [name for name in approve_signers if name not in names]:
        rules.append(rule(group, ["signers"], ["approve"], only=others))
    return rules


def authority_rules(signers: Sequence[SignerSettings]) -> list[Rule]:
    """Return what reading and publishing authorities takes in the hub's own namespace.

    Lists and watches of one object by its name need no right to any other.
    """
    secrets = [settings.secret for settings in signers]
    managed = [settings.secret for settings in signers if settings.managed]
    bundles = [settings.bundle for settings in signers]
    rules = [
        rule("", [SECRETS.plural], _LOOK, only=secrets),
        rule("", [CONFIG_MAPS.plural], [*_LOOK, *_APPLY], only=bundles),
    ]
    if managed:
        rules.append(rule("", [SECRETS.plural], _APPLY, only=managed))
    return rules


def authority_role(
    signers: Sequence[SignerSettings],
    *,
    namespace: str,
    subject: KubeObject,
    labels: dict[str, str],
    name: str = SIGNERS_ROLE,
) -> list[KubeObject]:
    """Return the Role for the Secrets and bundles, and its binding.

    Args:
        signers: What the operator chose.
        namespace: The hub's own.
        subject: Who runs the hub.
        labels: Of both objects.
        name: Name of both.
    """
    return [
        role(name, authority_rules(signers), namespace=namespace, labels=labels),
        role_binding(
            name,
            namespace=namespace,
            role_kind=ROLES.kind,
            role_name=name,
            subjects=[subject],
            labels=labels,
        ),
    ]
