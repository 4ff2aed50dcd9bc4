"""Checks of what clusters come in with, and of certificates that end.

Pure: facts in, findings out.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from towline_api import names
from towline_api.errors import ConfigError, WireError
from towline_api.metadata import name_of
from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time
from towline_certs.certificates import parse_chain
from towline_hub.clusters.rbac import bootstrap_rbac
from towline_hub.doctor.findings import Finding, fail, ok, unseen, warn
from towline_hub.looking import Unseen
from towline_hub.object_writer import holds
from towline_hub.spans import rough

_ENDS_SOON = timedelta(days=7)
_LONGEST_TOKEN = timedelta(days=30)
"""A fleet-wide token is a password many people know; longer than that, nobody remembers who."""


@dataclass(frozen=True, slots=True)
class BootstrapToken:
    """A bootstrap token for clusters, without its secret half.

    Args:
        name: Name of its Secret.
        groups: Its extra groups.
        expires: When it ends; None for never.
    """

    name: str
    groups: tuple[str, ...]
    expires: datetime | None


def bootstrap_token(secret: KubeObject) -> BootstrapToken | None:
    """Return the token of a Secret if clusters may come in with it, else None."""
    data = secret.get("data") or {}
    groups = tuple(filter(None, _text(data.get("auth-extra-groups")).split(",")))
    ours = [
        group
        for group in groups
        if group == names.BOOTSTRAP_GROUP or group.startswith(names.BOUND_BOOTSTRAP_GROUP_PREFIX)
    ]
    if not ours or _text(data.get("usage-bootstrap-authentication")) != "true":
        return None
    try:
        expires = parse_time(_text(data.get("expiration")))
    except WireError:
        expires = None
    return BootstrapToken(name_of(secret), tuple(ours), expires)


def bootstrap_role_check(
    role: KubeObject | Unseen | None, binding: KubeObject | Unseen | None
) -> Finding:
    """Return whether bootstrap identities have the rights to ask, and no others."""
    check = "bootstrap role"
    for fact in (role, binding):
        if isinstance(fact, Unseen):
            return unseen(check, fact)
    desired_role, desired_binding = bootstrap_rbac()
    if (
        isinstance(role, dict)
        and isinstance(binding, dict)
        and holds(desired_role, role)
        and holds(desired_binding, binding)
    ):
        return ok(check, f"{names.BOOTSTRAP_GROUP} may ask for a first certificate, and no more")
    return fail(
        check,
        f"{names.BOOTSTRAP_CLUSTER_ROLE} or its binding is missing or not what the hub makes it",
        fix="the hub puts both in place when it starts; restart it and look at its log",
    )


def tokens_check(tokens: Sequence[BootstrapToken] | Unseen, *, now: datetime) -> Finding:
    """Return whether a new cluster could come in, and whether too many could for too long."""
    check = "bootstrap tokens"
    if isinstance(tokens, Unseen):
        return unseen(check, tokens)
    usable = [token for token in tokens if token.expires is None or token.expires > now]
    if not usable:
        expired = f"; expired: {', '.join(token.name for token in tokens)}" if tokens else ""
        return warn(
            check,
            f"there is none that is valid{expired}",
            fix="when a cluster is to join: `towline token create`; other bootstrap credentials "
            "are not seen here",
        )
    wide = [
        token.name
        for token in usable
        if names.BOOTSTRAP_GROUP in token.groups
        and (token.expires is None or token.expires - now > _LONGEST_TOKEN)
    ]
    if wide:
        return warn(
            check,
            f"good for any cluster, for longer than {_LONGEST_TOKEN.days} days: {', '.join(wide)}",
            fix="revoke it when the clusters are in (`towline token revoke`), and make short-lived "
            "ones, best for one cluster each: `towline token create --cluster NAME`",
        )
    return ok(check, f"{len(usable)} valid")


def authority_check(check: str, pem: str | bytes | None, *, now: datetime, fix: str) -> Finding:
    """Return whether the certificates of authorities are readable and valid for a while.

    Args:
        check: What they are for.
        pem: The certificates, or base64 of them as in a CRD; None if there are none.
        now: The present.
        fix: What to do if not.
    """
    if not pem:
        return fail(check, "there is no certificate", fix=fix)
    try:
        chain = parse_chain(_decoded(pem))
    except (ConfigError, ValueError):
        return fail(check, "what is there is no certificate", fix=fix)
    # In an overlap there are several: what counts is how long one of them will do.
    ends = max(certificate.not_valid_after_utc for certificate in chain)
    if ends <= now:
        return fail(check, f"the authority ended {rough(now - ends)} ago", fix=fix)
    if ends - now < _ENDS_SOON:
        return warn(check, f"the authority ends in {rough(ends - now)}", fix=fix)
    return ok(check, f"the authority is valid for {rough(ends - now)}")


def _decoded(pem: str | bytes) -> bytes:
    raw = pem.encode() if isinstance(pem, str) else pem
    if raw.lstrip().startswith(b"-----BEGIN"):
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error:
        return raw


def _text(encoded: object) -> str:
    """Return a value of a Secret's data as text; empty if it is none."""
    if not isinstance(encoded, str):
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
