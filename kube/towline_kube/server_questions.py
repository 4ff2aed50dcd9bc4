"""What a client asks an API server about itself, and about who may do what."""

from collections.abc import Mapping, Sequence

from towline_api.resources import (
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
)
from towline_kube import access, operations
from towline_kube.access import ResourceAttributes, UserInfo
from towline_kube.operation_sender import OperationSender


class ServerQuestions(OperationSender):
    """The questions whose answers are no objects."""

    async def request_text(self, path: str) -> str:
        """Return what the server answers at a path that is no resource, for example `/livez`."""
        _, answer = await self._send(operations.read_path(path))
        return answer.decode("utf-8", errors="replace")

    async def server_version(self) -> str:
        """Return the server's version, for example `v1.34.1`."""
        answer = await self._call(operations.read_path("/version"))
        return str(answer.get("gitVersion") or "unknown")

    async def whoami(self) -> UserInfo:
        """Return who the server takes us for: proof that the credential works.

        Raises:
            Unauthorized: It takes us for nobody.
        """
        question = operations.ask(SELF_SUBJECT_REVIEWS, access.identity_question())
        return access.parse_identity(await self._call(question))

    async def can_i(
        self,
        *,
        verb: str,
        group: str,
        resource: str,
        subresource: str = "",
        name: str = "",
        namespace: str = "",
    ) -> bool:
        """Return whether we may do this. Arguments as in `ResourceAttributes`."""
        attributes = ResourceAttributes(verb, group, resource, subresource, name, namespace)
        review = access.own_access_question(attributes)
        question = operations.ask(SELF_SUBJECT_ACCESS_REVIEWS, review)
        return access.is_allowed(await self._call(question))

    async def review_access(
        self,
        *,
        user: str,
        groups: Sequence[str] = (),
        uid: str = "",
        extra: Mapping[str, Sequence[str]] | None = None,
        verb: str,
        group: str,
        resource: str,
        subresource: str = "",
        name: str = "",
        namespace: str = "",
    ) -> bool:
        """Return whether somebody else may do this: a SubjectAccessReview.

        Args:
            user: User name.
            groups: All groups of the user.
            uid: As the server reported it; empty if it did not.
            extra: As the server reported it.
            verb: As in `ResourceAttributes`, like all that follow.
            group: API group.
            resource: Plural name.
            subresource: Empty for the object itself.
            name: Empty for any.
            namespace: Empty for cluster-scoped kinds.
        """
        who = UserInfo(
            user, tuple(groups), uid, {key: tuple(found) for key, found in (extra or {}).items()}
        )
        attributes = ResourceAttributes(verb, group, resource, subresource, name, namespace)
        review = access.access_question(who, attributes)
        question = operations.ask(SUBJECT_ACCESS_REVIEWS, review)
        return access.is_allowed(await self._call(question))
