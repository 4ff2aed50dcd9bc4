"""Who a server takes us for, and what somebody may do: questions that change nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from towline_api.errors import WireError
from towline_api.resources import (
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    KubeObject,
)


@dataclass(frozen=True, slots=True)
class UserInfo:
    """An identity as an API server sees it.

    Args:
        username: For example `system:open-cluster-management:c1:agent`.
        groups: Its groups, in the server's order.
        uid: Its uid; empty for certificates.
        extra: What the authenticator added.
    """

    username: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResourceAttributes:
    """What somebody wants to do, in the words of RBAC.

    Args:
        verb: For example `create`.
        group: API group; empty for the core group.
        resource: Plural name.
        subresource: Empty for the object itself.
        name: Empty for any.
        namespace: Empty for cluster-scoped kinds, or all namespaces.
    """

    verb: str
    group: str
    resource: str
    subresource: str = ""
    name: str = ""
    namespace: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the attributes as they stand in an access review; empty ones are left out."""
        fields = {
            "verb": self.verb,
            "group": self.group,
            "resource": self.resource,
            "subresource": self.subresource,
            "name": self.name,
            "namespace": self.namespace,
        }
        return {key: value for key, value in fields.items() if value}


def identity_question() -> KubeObject:
    """Return the SelfSubjectReview that asks who we are."""
    return {
        "apiVersion": SELF_SUBJECT_REVIEWS.api_version,
        "kind": SELF_SUBJECT_REVIEWS.kind,
    }


def own_access_question(attributes: ResourceAttributes) -> KubeObject:
    """Return the SelfSubjectAccessReview that asks whether we may."""
    return {
        "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
        "spec": {"resourceAttributes": attributes.to_json()},
    }


def access_question(user: UserInfo, attributes: ResourceAttributes) -> KubeObject:
    """Return the SubjectAccessReview that asks whether somebody else may."""
    spec: dict[str, Any] = {
        "user": user.username,
        "groups": list(user.groups),
        "resourceAttributes": attributes.to_json(),
    }
    if user.uid:
        spec["uid"] = user.uid
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra.items()}
    return {
        "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SUBJECT_ACCESS_REVIEWS.kind,
        "spec": spec,
    }


def is_allowed(review: KubeObject) -> bool:
    """Return what an answered access review says; only a clear yes is a yes."""
    status = review.get("status")
    return isinstance(status, dict) and status.get("allowed") is True


def parse_identity(review: KubeObject) -> UserInfo:
    """Return the identity in an answered SelfSubjectReview.

    Raises:
        WireError: The answer names no user.
    """
    status = review.get("status")
    user = status.get("userInfo") if isinstance(status, dict) else None
    username = user.get("username") if isinstance(user, dict) else None
    if not isinstance(user, dict) or not isinstance(username, str):
        raise WireError("the server did not say who we are", field="status.userInfo.username")
    return UserInfo(
        username=username,
        groups=tuple(user.get("groups") or ()),
        uid=str(user.get("uid") or ""),
        extra={key: tuple(values) for key, values in (user.get("extra") or {}).items()},
    )
