"""Which cluster this agent is: from the settings, from the store, or made up once and kept."""

import secrets
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from towline_agent.credentials.enrollment import CertificateOrder
from towline_agent.credentials.stored import Stored
from towline_api.errors import ConfigError
from towline_api.names import (
    AGENT_NAME_KEY,
    CLUSTER_NAME_KEY,
    CLUSTER_NAME_LABEL,
    KUBE_CLIENT_SIGNER,
    TLS_CERTIFICATE_KEY,
)
from towline_certs.certificates import find_subject, parse_chain
from towline_certs.errors import IdentityError
from towline_certs.identities import ClusterIdentity, Subject

_AGENT_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' own for random names: no vowels, so no words."""
_AGENT_LENGTH = 5


@dataclass(frozen=True, slots=True)
class ChosenIdentity:
    """The identity to use, and where its cluster name came from.

    Args:
        identity: Cluster and agent.
        origin: `settings`, `store`, `bootstrap` or `generated`.
    """

    identity: ClusterIdentity
    origin: str


def choose_identity(
    stored: Stored, *, cluster: str | None, agent: str | None, bound: str | None = None
) -> ChosenIdentity:
    """Return which cluster and agent to be.

    Settings come first, then what an earlier process stored, be it with a credential or only with
    the key of a request, then what the bootstrap identity is bound to; the rest is made up. Made-up
    names are stored with the first key, before anybody is told.

    Args:
        stored: What the store holds.
        cluster: The cluster's name from the settings.
        agent: The agent's name from the settings.
        bound: The one cluster the bootstrap identity is for, if it is for one alone.

    Raises:
        ConfigError: A name from the settings is not one a cluster or an agent can have.
    """
    kept = stored_identity(stored)
    if cluster is not None:
        origin = "settings"
    elif kept is not None:
        cluster, origin = kept.cluster, "store"
    elif bound is not None:
        cluster, origin = bound, "bootstrap"
    else:
        cluster, origin = str(uuid.uuid4()), "generated"
    if agent is None:
        agent = kept.agent if kept is not None else generate_agent_name()
    try:
        return ChosenIdentity(ClusterIdentity(cluster, agent), origin)
    except IdentityError as error:
        raise ConfigError(f"settings cluster_name and agent_id: {error}") from error


def stored_identity(stored: Stored) -> ClusterIdentity | None:
    """Return the identity an earlier process had; None if none can be read."""
    if stored.credential is not None:
        files = stored.credential.files
        try:
            cluster, agent = (
                files[key].decode("ascii") for key in (CLUSTER_NAME_KEY, AGENT_NAME_KEY)
            )
            return ClusterIdentity(cluster, agent)
        except (KeyError, UnicodeDecodeError, IdentityError):
            pass  # somebody edited it; the certificate or the request under way may still know
        subject = _certified_subject(files)
        if subject is not None:
            with suppress(IdentityError):
                return ClusterIdentity.parse_subject(subject)
    if stored.progress is not None:
        try:
            return ClusterIdentity.parse_subject(stored.progress.subject)
        except IdentityError:
            return None
    return None


def _certified_subject(files: Mapping[str, bytes]) -> Subject | None:
    try:
        return find_subject(parse_chain(files[TLS_CERTIFICATE_KEY])[0])
    except (KeyError, ValueError):
        return None


def generate_agent_name() -> str:
    """Return five random characters, as OCM's agents are called."""
    return "".join(secrets.choice(_AGENT_ALPHABET) for _ in range(_AGENT_LENGTH))


def cluster_order(identity: ClusterIdentity, *, lifetime: timedelta | None) -> CertificateOrder:
    """Return what a cluster's certificate is asked for.

    Args:
        identity: Cluster and agent.
        lifetime: Lifetime to ask for; None leaves it to the signer.
    """
    return CertificateOrder(
        name_prefix=f"{identity.cluster}-",
        signer=KUBE_CLIENT_SIGNER,
        subject=identity.subject,
        labels={CLUSTER_NAME_LABEL: identity.cluster},
        lifetime=lifetime,
    )
