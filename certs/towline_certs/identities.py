"""Who speaks: the users and groups of clusters and add-ons, parsed whole and formatted exactly.

An identity is a value, not a text with a familiar beginning. A name is either exactly what
`user` and `groups` would have written, or it is no identity at all: nothing is trimmed, folded
or compared by prefix (the mistakes behind CVE-2021-27099 and CVE-2026-4740).
"""

import re
from dataclasses import dataclass
from typing import Self

from towline_api.dns_names import LONGEST_LABEL, is_dns_label, is_dns_subdomain
from towline_certs.errors import IdentityError

MANAGED_CLUSTERS_GROUP = "system:open-cluster-management:managed-clusters"
"""The group every cluster agent is in."""
AUTHENTICATED_GROUP = "system:authenticated"
"""Given by Kubernetes to everybody it knows; older agents asked for it in their add-on requests."""

_AGENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
# An add-on's name is also the value of a label on its requests, and those end at 63 characters.
_LONGEST_ADDON = LONGEST_LABEL
_RESERVED_CLUSTER = "managed-clusters"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a certificate says about its owner, where order means nothing.

    Args:
        common_name: CN; Kubernetes reads it as the user name.
        organizations: O; Kubernetes reads them as the groups.
        organizational_units: OU; only custom signers' certificates have any.
    """

    common_name: str
    organizations: frozenset[str]
    organizational_units: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return the subject for messages: `CN=...,O=...,OU=...`, values sorted."""
        parts = [f"CN={self.common_name}"]
        parts += [f"O={value}" for value in sorted(self.organizations)]
        parts += [f"OU={value}" for value in sorted(self.organizational_units)]
        return ",".join(parts)


@dataclass(frozen=True, slots=True)
class ClusterIdentity:
    """One agent of one managed cluster.

    Args:
        cluster: Name of the managed cluster, which is also its namespace on the hub.
        agent: Tells apart the agents a cluster has had; five random characters or a UID.

    Raises:
        IdentityError: A name is not canonical.
    """

    cluster: str
    agent: str

    def __post_init__(self) -> None:
        check_cluster_name(self.cluster)
        _check_agent_name(self.agent)

    @property
    def user(self) -> str:
        """The user name, which is the common name of the certificate."""
        return f"system:open-cluster-management:{self.cluster}:{self.agent}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, which are the organizations of the certificate, in OCM's order."""
        return (cluster_group(self.cluster), MANAGED_CLUSTERS_GROUP)

    @property
    def subject(self) -> Subject:
        """The subject of the certificate."""
        return Subject(self.user, frozenset(self.groups))

    @classmethod
    def parse_user(cls, user: str) -> Self:
        """Return the identity whose user name is exactly this text.

        Raises:
            IdentityError: It is no cluster agent's user name.
        """
        match user.split(":"):
            case ["system", "open-cluster-management", cluster, agent]:
                return cls(cluster, agent)
        raise IdentityError(
            f"{user!r} is not a cluster agent's user name, expected "
            "'system:open-cluster-management:<cluster>:<agent>'"
        )

    @classmethod
    def parse_subject(cls, subject: Subject) -> Self:
        """Return the identity whose subject is exactly this one.

        Raises:
            IdentityError: The common name or the organizations are not a cluster agent's.
        """
        identity = cls.parse_user(subject.common_name)
        _check_subject(subject, expected=identity.subject)
        return identity


@dataclass(frozen=True, slots=True)
class AddonIdentity:
    """One agent of one add-on on one managed cluster.

    Args:
        cluster: Name of the managed cluster.
        addon: Name of the add-on.
        agent: Chosen by the add-on's hub side; often the add-on's name again.

    Raises:
        IdentityError: A name is not canonical.
    """

    cluster: str
    addon: str
    agent: str

    def __post_init__(self) -> None:
        check_cluster_name(self.cluster)
        check_addon_name(self.addon)
        _check_agent_name(self.agent)

    @property
    def user(self) -> str:
        """The user name, which is the common name of the certificate."""
        return f"{addon_cluster_group(self.cluster, self.addon)}:agent:{self.agent}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, which are the organizations of the certificate, in OCM's order."""
        return (addon_cluster_group(self.cluster, self.addon), addon_group(self.addon))

    @property
    def subject(self) -> Subject:
        """The subject of the certificate."""
        return Subject(self.user, frozenset(self.groups))

    @classmethod
    def parse_user(cls, user: str) -> Self:
        """Return the identity whose user name is exactly this text.

        Raises:
            IdentityError: It is no add-on agent's user name.
        """
        match user.split(":"):
            case [
                "system",
                "open-cluster-management",
                "cluster",
                cluster,
                "addon",
                addon,
                "agent",
                agent,
            ]:
                return cls(cluster, addon, agent)
        raise IdentityError(
            f"{user!r} is not an add-on agent's user name, expected "
            "'system:open-cluster-management:cluster:<cluster>:addon:<addon>:agent:<agent>'"
        )

    @classmethod
    def parse_subject(cls, subject: Subject) -> Self:
        """Return the identity whose subject is exactly this one.

        Raises:
            IdentityError: The common name or the organizations are not an add-on agent's.
        """
        identity = cls.parse_user(subject.common_name)
        _check_subject(subject, expected=identity.subject)
        return identity


@dataclass(frozen=True, slots=True)
class CustomSignerIdentity:
    """What an add-on registered with a signer of its own: a subject nobody but that signer reads.

    Args:
        cluster: Name of the managed cluster.
        addon: Name of the add-on.
        signer_name: The signer, `<domain>/<path>`.
        subject: Common name, organizations and organizational units as registered.

    Raises:
        IdentityError: A name is not canonical.
    """

    cluster: str
    addon: str
    signer_name: str
    subject: Subject

    def __post_init__(self) -> None:
        check_cluster_name(self.cluster)
        check_addon_name(self.addon)

    @property
    def user(self) -> str:
        """The registered common name."""
        return self.subject.common_name


Identity = ClusterIdentity | AddonIdentity | CustomSignerIdentity


def cluster_group(cluster: str) -> str:
    """Return the group of one cluster's agents."""
    return f"system:open-cluster-management:{cluster}"


def alternate_cluster_group(cluster: str) -> str:
    """Return the group that other registration drivers of OCM give one cluster's agents."""
    return f"open-cluster-management:{cluster}"


def addon_cluster_group(cluster: str, addon: str) -> str:
    """Return the group of one add-on's agents on one cluster."""
    return f"system:open-cluster-management:cluster:{cluster}:addon:{addon}"


def addon_group(addon: str) -> str:
    """Return the group of one add-on's agents on all clusters together."""
    return f"system:open-cluster-management:addon:{addon}"


def check_cluster_name(cluster: str) -> None:
    """Raise unless a cluster may have this name.

    Raises:
        IdentityError: It is no namespace name, or it is the one name whose group would be the
            group of all clusters.
    """
    if not is_dns_label(cluster):
        raise IdentityError(
            f"{cluster!r} is not a cluster name, expected a DNS-1123 label: at most 63 lower case "
            "letters, digits or '-', starting and ending with a letter or digit"
        )
    if cluster == _RESERVED_CLUSTER:
        raise IdentityError(
            f"a cluster cannot be named {cluster!r}: its group would be the group of all clusters; "
            "choose another name"
        )


def check_addon_name(addon: str) -> None:
    """Raise unless an add-on may have this name.

    Raises:
        IdentityError: It is no DNS-1123 subdomain, or longer than a label value may be.
    """
    if len(addon) > _LONGEST_ADDON or not is_dns_subdomain(addon):
        raise IdentityError(
            f"{addon!r} is not an add-on name, expected a DNS-1123 subdomain of at most "
            f"{_LONGEST_ADDON} characters: lower case letters, digits, '-' and '.'"
        )


def _check_agent_name(agent: str) -> None:
    if _AGENT.fullmatch(agent) is None:
        raise IdentityError(
            f"{agent!r} is not an agent name, expected letters, digits, '-', '_' or '.', "
            "starting and ending with a letter or digit"
        )


def _check_subject(subject: Subject, *, expected: Subject) -> None:
    if subject != expected:
        raise IdentityError(
            f"subject {str(subject)!r} does not fit its common name, expected {str(expected)!r}"
        )
