"""Access reviews: questions to authorization that are asked as objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.access.attributes import Attributes
from towline_sandbox.embedded.access.authorizer import Authorizer
from towline_sandbox.embedded.access.review_selectors import (
    notes_on_selectors,
    problems_of_selectors,
)
from towline_sandbox.embedded.access.rules import Rule
from towline_sandbox.embedded.access.wording import joined
from towline_sandbox.embedded.model.calls import Call, User
from towline_sandbox.embedded.model.failures import Cause, bad_request, invalid
from towline_sandbox.embedded.model.wording import invalid_value

_METADATA_ORDER = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation",
    "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels",
    "annotations", "ownerReferences", "finalizers", "managedFields",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccessReviews:
    """Answers access reviews.

    Args:
        authorizer: Knows the answers.
    """

    authorizer: Authorizer

    async def review_subject(self, call: Call, review: KubeObject) -> KubeObject:
        """Answer a SubjectAccessReview: may this user do that?"""
        review = at_its_place(call, review)
        problems = [
            *_check_spec(review),
            *_check_subject(review),
            *_check_selectors(review),
            *_check_metadata(review),
        ]
        _refuse(call, problems)
        return self._answer(review, _subject_of(review["spec"]))

    async def review_subject_locally(self, call: Call, review: KubeObject) -> KubeObject:
        """Answer a LocalSubjectAccessReview: may this user do that in the namespace?"""
        review = at_its_place(call, review)
        problems = [
            *_check_spec(review),
            *_check_subject(review),
            *_check_selectors(review),
            *_check_metadata(review, but="namespace"),
            *_check_local(review, namespace=call.namespace or ""),
        ]
        _refuse(call, problems)
        return self._answer(review, _subject_of(review["spec"]))

    async def review_self(self, call: Call, review: KubeObject) -> KubeObject:
        """Answer a SelfSubjectAccessReview: may I do that?"""
        review = at_its_place(call, review)
        problems = [
            *_check_spec(review),
            *_check_selectors(review),
            *_check_metadata(review),
        ]
        _refuse(call, problems)
        return self._answer(review, call.user)

    async def review_own_rules(self, call: Call, review: KubeObject) -> KubeObject:
        """Answer a SelfSubjectRulesReview: what may I do in this namespace?"""
        review = at_its_place(call, review)
        namespace = (review.get("spec") or {}).get("namespace")
        if not namespace:
            raise bad_request("no namespace on request")
        held = self.authorizer.held_rules(call.user, namespace=namespace)
        return {
            "kind": review["kind"],
            "apiVersion": review["apiVersion"],
            "metadata": {},
            "spec": {},
            "status": {
                "resourceRules": [_resource_rule(each) for each in held.rules if each.resources],
                "nonResourceRules": [
                    {"verbs": list(each.verbs), "nonResourceURLs": list(each.urls)}
                    for each in held.rules
                    if each.urls
                ],
                "incomplete": False,
                **({"evaluationError": joined(held.problems)} if held.problems else {}),
            },
        }

    def _answer(self, review: KubeObject, user: User) -> KubeObject:
        spec = review["spec"]
        wanted = spec.get("resourceAttributes")
        if wanted is not None:
            attributes = _resource_attributes(wanted)
        else:
            path = spec["nonResourceAttributes"]
            attributes = Attributes(
                path.get("verb", ""), path=path.get("path", ""), is_resource=False
            )
        decision = self.authorizer.authorize(user, attributes)
        notes = "; ".join(notes_on_selectors(wanted or {}))
        status = {
            "allowed": decision.allowed,
            "reason": decision.reason,
            "evaluationError": notes,
        }
        return {
            **review,
            "status": {key: value for key, value in status.items() if value != ""},
        }


def at_its_place(call: Call, review: KubeObject) -> KubeObject:
    """Return a posted object with the kind, version and namespace that its path says it has.

    Raises:
        ApiFailure: 400, it names another namespace itself.
    """
    resource = call.kind.resource
    metadata = dict(review.get("metadata") or {})
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif metadata.setdefault("namespace", call.namespace) != call.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return {
        **review,
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": metadata,
    }


def _refuse(call: Call, problems: list[Cause]) -> None:
    if problems:
        # Kubernetes forgets the kind in these refusals.
        raise invalid(replace(call.kind.resource, kind=""), "", problems)


def _check_spec(review: KubeObject) -> Iterator[Cause]:
    spec = review.get("spec") or {}
    path = spec.get("nonResourceAttributes")
    if (spec.get("resourceAttributes") is None) == (path is None):
        yield invalid_value(
            "spec",
            _internal(path),
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )


def _check_subject(review: KubeObject) -> Iterator[Cause]:
    spec = review.get("spec") or {}
    if not spec.get("user") and not spec.get("groups"):
        yield invalid_value("spec.user", "", "at least one of user or group must be specified")


def _check_selectors(review: KubeObject) -> Iterator[Cause]:
    spec = review.get("spec") or {}
    yield from problems_of_selectors(spec.get("resourceAttributes") or {})


def _check_metadata(review: KubeObject, *, but: str = "") -> Iterator[Cause]:
    metadata = {key: value for key, value in review["metadata"].items() if value not in (None, {})}
    if metadata.keys() - {"managedFields", but}:
        told = {key: metadata[key] for key in _METADATA_ORDER if key in metadata}
        besides = f" except for {but}" if but else ""
        yield invalid_value("metadata", told, f"must be empty{besides}")


def _check_local(review: KubeObject, *, namespace: str) -> Iterator[Cause]:
    spec = review.get("spec") or {}
    wanted, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if wanted is not None and wanted.get("namespace", "") != namespace:
        yield invalid_value(
            "spec.resourceAttributes.namespace",
            wanted.get("namespace", ""),
            "must match metadata.namespace",
        )
    if path is not None:
        yield invalid_value(
            "spec.nonResourceAttributes", _internal(path), "disallowed on this kind of request"
        )


def _internal(path: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    # Messages show the server's own form of it, in which fields begin with capitals.
    if path is None:
        return None
    return {"Path": path.get("path", ""), "Verb": path.get("verb", "")}


def _subject_of(spec: KubeObject) -> User:
    return User(
        spec.get("user") or "",
        tuple(spec.get("groups") or ()),
        uid=spec.get("uid") or "",
        extra=spec.get("extra") or {},
    )


def _resource_attributes(wanted: KubeObject) -> Attributes:
    return Attributes(
        verb=wanted.get("verb", ""),
        group=wanted.get("group", ""),
        version=wanted.get("version") or "*",
        resource=wanted.get("resource", ""),
        subresource=wanted.get("subresource", ""),
        namespace=wanted.get("namespace", ""),
        name=wanted.get("name", ""),
    )


def _resource_rule(rule: Rule) -> KubeObject:
    found = {
        "verbs": list(rule.verbs),
        "apiGroups": list(rule.groups),
        "resources": list(rule.resources),
        "resourceNames": list(rule.names),
    }
    return {key: value for key, value in found.items() if value}
