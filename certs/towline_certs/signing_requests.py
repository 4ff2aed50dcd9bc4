"""The facts of a CertificateSigningRequest object that a decision about it needs."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from towline_api.errors import WireError
from towline_api.names import ADDON_NAME_LABEL, CLUSTER_NAME_LABEL
from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time

_INT32 = range(-(2**31), 2**31)
_DECISIONS = frozenset({"Approved", "Denied", "Failed"})


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """What a CertificateSigningRequest says, before anything in it is believed.

    The API server fills in who created the request (`username`, `groups`, `uid`, `extra`); all else
    is the creator's word.

    Args:
        name: Name of the object.
        signer_name: Who is asked to sign.
        usages: What the certificate is to be used for, as listed.
        username: Who created the object, authenticated.
        groups: Groups of the creator.
        uid: UID of the creator, often empty.
        extra: Further attributes of the creator, for access reviews.
        labels: Labels of the object.
        expiration_seconds: Lifetime asked for; None leaves it to the signer.
        request_pem: The PKCS#10 request; None when the field is not base64.
        created: When the API server made the object, if it says.
        decisions: Those of Approved, Denied and Failed that stand among its conditions.
        decided_at: When the last of them was made, by the clock of whoever made it, if that says.
        has_certificate: Whether the signer is done.
    """

    name: str
    signer_name: str
    usages: tuple[str, ...]
    username: str
    request_pem: bytes | None = field(repr=False)
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    expiration_seconds: int | None = None
    created: datetime | None = None
    decisions: frozenset[str] = frozenset()
    decided_at: datetime | None = None
    has_certificate: bool = False

    @classmethod
    def from_csr(cls, obj: KubeObject) -> Self:
        """Return the facts of a `certificates.k8s.io/v1` object.

        A `spec.request` that is not base64 is carried as None for the policy to refuse.

        Raises:
            WireError: A field has a type the API server would not have let in.
        """
        metadata = _mapping(obj.get("metadata"), field="metadata")
        spec = _mapping(obj.get("spec"), field="spec")
        status = _mapping(obj.get("status"), field="status")
        created = metadata.get("creationTimestamp")
        decisions = _decisions(status.get("conditions"))
        return cls(
            name=_text(metadata.get("name"), field="metadata.name"),
            signer_name=_text(spec.get("signerName"), field="spec.signerName"),
            usages=_texts(spec.get("usages"), field="spec.usages"),
            username=_text(spec.get("username"), field="spec.username"),
            request_pem=_bytes_or_none(spec.get("request")),
            groups=_texts(spec.get("groups"), field="spec.groups"),
            uid=_text(spec.get("uid"), field="spec.uid"),
            extra={
                key: _texts(values, field=f"spec.extra.{key}")
                for key, values in _mapping(spec.get("extra"), field="spec.extra").items()
            },
            labels={
                key: _text(value, field=f"metadata.labels.{key}")
                for key, value in _mapping(metadata.get("labels"), field="metadata.labels").items()
            },
            expiration_seconds=_seconds(spec.get("expirationSeconds")),
            created=None
            if created is None
            else parse_time(_text(created, field="metadata.creationTimestamp")),
            decisions=frozenset(decisions),
            decided_at=max(filter(None, decisions.values()), default=None),
            has_certificate=bool(status.get("certificate")),
        )

    @property
    def cluster(self) -> str | None:
        """The cluster it says it is for: a label, so a claim and no more."""
        return self.labels.get(CLUSTER_NAME_LABEL)

    @property
    def addon(self) -> str | None:
        """The add-on it says it is for; None for a cluster's own request."""
        return self.labels.get(ADDON_NAME_LABEL)

    @property
    def is_decided(self) -> bool:
        """Whether somebody approved or denied it, or the signer gave up."""
        return bool(self.decisions) or self.has_certificate

    @property
    def lifetime(self) -> timedelta | None:
        """The lifetime asked for; None leaves it to the signer."""
        if self.expiration_seconds is None:
            return None
        return timedelta(seconds=self.expiration_seconds)


def _decisions(conditions: object) -> dict[str, datetime | None]:
    if conditions is None:
        return {}
    if not isinstance(conditions, Sequence) or isinstance(conditions, str | bytes):
        raise _wrong("a list", conditions, field="status.conditions")
    found: dict[str, datetime | None] = {}
    for each in conditions:
        condition = _mapping(each, field="status.conditions")
        kind = condition.get("type")
        if isinstance(kind, str) and kind in _DECISIONS:
            found[kind] = _time_or_none(
                condition.get("lastUpdateTime") or condition.get("lastTransitionTime")
            )
    return found


def _time_or_none(value: object) -> datetime | None:
    # Only old requests lack it, and nothing hangs on one time being there.
    try:
        return parse_time(value) if isinstance(value, str) else None
    except WireError:
        return None


def _seconds(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value not in _INT32:
        raise _wrong("a 32-bit integer", value, field="spec.expirationSeconds")
    return value


def _bytes_or_none(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Base64 can spell the same bytes in several ways; an API server writes only one of them.
    return data if base64.b64encode(data).decode() == value else None


def _mapping(value: object, *, field: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong("an object", value, field=field)
    return value


def _text(value: object, *, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong("text", value, field=field)
    return value


def _texts(value: object, *, field: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise _wrong("a list of texts", value, field=field)
    return tuple(_text(item, field=field) for item in value)


def _wrong(expected: str, found: object, *, field: str) -> WireError:
    return WireError(
        f"certificate signing request has {type(found).__name__} in {field}, expected {expected}",
        field=field,
    )
