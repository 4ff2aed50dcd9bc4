"""`authorizer` in rules: asks what the caller may do, step by step.

`authorizer.group('apps').resource('deployments').name('d').check('get').allowed()`
"""

from dataclasses import dataclass, replace
from typing import Protocol

from celpy import celtypes

from towline_sandbox.embedded.access.attributes import Attributes
from towline_sandbox.embedded.access.authorizer import Decision
from towline_sandbox.embedded.model.calls import AUTHENTICATED_GROUP, User


class Authorizer(Protocol):
    """Says what users may do."""

    def authorize(self, user: User, attributes: Attributes) -> Decision:
        """Return whether the user may do this, and why."""


@dataclass(frozen=True, slots=True)
class ResourceCheck:
    """A question about a resource, without its verb."""

    authorizer: Authorizer
    user: User
    about: Attributes

    def resource(self, plural: str) -> "ResourceCheck":
        """Ask about this resource."""
        return replace(self, about=replace(self.about, resource=plural))

    def subresource(self, name: str) -> "ResourceCheck":
        """Ask about this subresource."""
        return replace(self, about=replace(self.about, subresource=name))

    def namespace(self, name: str) -> "ResourceCheck":
        """Ask about this namespace."""
        return replace(self, about=replace(self.about, namespace=name))

    def name(self, name: str) -> "ResourceCheck":
        """Ask about the object of this name."""
        return replace(self, about=replace(self.about, name=name))

    def check(self, verb: str) -> Decision:
        """Ask about this verb, and get the answer."""
        return self.authorizer.authorize(self.user, replace(self.about, verb=verb))


@dataclass(frozen=True, slots=True)
class PathCheck:
    """A question about a URL path, without its verb."""

    authorizer: Authorizer
    user: User
    asked: str

    def check(self, verb: str) -> Decision:
        """Ask about this verb, and get the answer."""
        return self.authorizer.authorize(
            self.user, Attributes(verb=verb, path=self.asked, is_resource=False)
        )


class Asking(celtypes.MapType):
    """The variable `authorizer`.

    It is a map as well, for its one field `requestResource`.

    Args:
        authorizer: Answers.
        user: Who is asked about.
        request: What the caller does now.
    """

    def __init__(self, authorizer: Authorizer, *, user: User, request: Attributes) -> None:
        check = ResourceCheck(authorizer, user, replace(request, verb=""))
        super().__init__({celtypes.StringType("requestResource"): check})
        self._authorizer = authorizer
        self._user = user
        self._request = request

    def group(self, name: str) -> ResourceCheck:
        """Ask about this API group."""
        return ResourceCheck(
            self._authorizer, self._user, Attributes(verb="", group=name, version="*")
        )

    def path(self, path: str) -> PathCheck:
        """Ask about this URL path."""
        return PathCheck(self._authorizer, self._user, path)

    def service_account(self, namespace: str, name: str) -> "Asking":
        """Ask about this service account instead of the caller."""
        groups = (
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            AUTHENTICATED_GROUP,
        )
        user = User(f"system:serviceaccount:{namespace}:{name}", groups)
        return Asking(self._authorizer, user=user, request=self._request)
