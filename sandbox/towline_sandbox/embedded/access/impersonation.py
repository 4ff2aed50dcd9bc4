"""Acting as somebody else: the `Impersonate-…` headers, and who may send them.

There are several ways to be allowed; the first that works counts. Newer, narrower ones say whom a
caller may act as *and* what it may do then; the old one only says whom.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from towline_sandbox.embedded.access.account_tokens import account_groups
from towline_sandbox.embedded.access.attributes import Attributes, forbidden
from towline_sandbox.embedded.access.authorizer import Authorizer
from towline_sandbox.embedded.access.subject_index import SERVICE_ACCOUNT_PREFIX
from towline_sandbox.embedded.access.wording import quoted
from towline_sandbox.embedded.model.calls import (
    ANONYMOUS_USER,
    AUTHENTICATED_GROUP,
    MASTERS_GROUP,
    UNAUTHENTICATED_GROUP,
    User,
)
from towline_sandbox.embedded.model.failures import ApiFailure, bad_request

_AUTHENTICATION = "authentication.k8s.io"
_NODE_PREFIX = "system:node:"
_NODES_GROUP = "system:nodes"
_NODE_NAME = "authentication.kubernetes.io/node-name"
_EXTRA_PREFIX = "impersonate-extra-"
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ACCOUNT = re.compile(rf"system:serviceaccount:({_LABEL}):({_LABEL}(?:\.{_LABEL})*)")
# From so many on, a right to all of them is looked for first.
_MANY = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom a caller wants to act as, as its headers say.

    Args:
        name: User name.
        uid: Unique id.
        groups: Groups.
        extra: More facts.
    """

    name: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def node(self) -> str | None:
        """The node this is the user of."""
        name = self.name.removeprefix(_NODE_PREFIX)
        return name if name != self.name and _SUBDOMAIN.fullmatch(name) else None

    @property
    def account(self) -> tuple[str, str] | None:
        """Namespace and name of the service account this is the user of."""
        found = _ACCOUNT.fullmatch(self.name)
        return None if found is None else (found[1], found[2])

    @property
    def is_only_a_name(self) -> bool:
        """Whether nothing but the name is given."""
        return not (self.uid or self.groups or self.extra)


def find_wanted(headers: Iterable[tuple[str, str]]) -> Wanted | None:
    """Return whom the caller wants to act as; None for itself.

    Args:
        headers: All headers of the request.

    Raises:
        ApiFailure: 400, there is more about a user whose name is not given.
    """
    name, uid, groups = "", "", []
    extra: dict[str, tuple[str, ...]] = {}
    for header, value in headers:
        lower = header.lower()
        if not lower.startswith("impersonate-"):
            continue
        if lower == "impersonate-user":
            name = name or value
        elif lower == "impersonate-uid":
            uid = uid or value
        elif lower == "impersonate-group":
            groups.append(value)
        elif lower.startswith(_EXTRA_PREFIX):
            key = unquote(lower.removeprefix(_EXTRA_PREFIX))
            extra[key] = (*extra.get(key, ()), value)
    wanted = Wanted(name, uid, tuple(groups), extra)
    if name:
        return wanted
    if wanted.is_only_a_name:
        return None
    raise bad_request(f"requested {_go_form(wanted)} without impersonating a user name")


@dataclass(frozen=True, slots=True)
class _Mode:
    """One way to be allowed.

    Args:
        verb: What the caller has to be allowed on users, groups and so on.
        on: Begins the verb that it has to be allowed on what it calls for; empty for none.
        group: API group of users and groups.
    """

    verb: str
    on: str
    group: str

    @classmethod
    def narrow(cls, name: str) -> "_Mode":
        return cls(f"impersonate:{name}", f"impersonate-on:{name}:", _AUTHENTICATION)

    @property
    def is_narrow(self) -> bool:
        return bool(self.on)


_OWN_NODE = _Mode.narrow("associated-node")
_ANY_NODE = _Mode.narrow("arbitrary-node")
_ACCOUNT_ONLY = _Mode.narrow("serviceaccount")
_OTHERS = _Mode.narrow("user-info")
_OLD = _Mode("impersonate", "", "")


class Impersonation:
    """Turns callers into those they act as.

    Args:
        authorizer: Knows who may act as whom.
    """

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def act_as(self, caller: User, wanted: Wanted, *, attributes: Attributes) -> User:
        """Return the user that a caller may act as.

        Args:
            caller: Who calls.
            wanted: Whom it wants to act as.
            attributes: What for.

        Raises:
            ApiFailure: 403, it may not.
        """
        refusals: list[ApiFailure] = []
        for mode in _modes_for(caller, wanted):
            try:
                return self._try(mode, caller, wanted, attributes)
            except ApiFailure as refusal:
                refusals.append(refusal)
        raise refusals[0]

    def _try(self, mode: _Mode, caller: User, wanted: Wanted, attributes: Attributes) -> User:
        if mode.is_narrow:
            self._authorizer.check(caller, replace(attributes, verb=mode.on + attributes.verb))
        groups = self._check_name(mode, caller, wanted)
        if wanted.uid:
            self._check(mode, caller, "uids", wanted.uid, group=_AUTHENTICATION)
        self._check_groups(mode, caller, wanted.groups)
        self._check_extra(mode, caller, wanted.extra)
        if wanted.name == ANONYMOUS_USER:
            groups = _with(groups, UNAUTHENTICATED_GROUP)
        elif UNAUTHENTICATED_GROUP not in groups:
            groups = _with(groups, AUTHENTICATED_GROUP)
        return User(wanted.name, groups, uid=wanted.uid, extra=wanted.extra)

    def _check_name(self, mode: _Mode, caller: User, wanted: Wanted) -> tuple[str, ...]:
        """Check the right to the name; return the groups that come with it."""
        if mode.is_narrow and wanted.node is not None:
            name = "*" if mode is _OWN_NODE else wanted.node
            self._check(mode, caller, "nodes", name, group=mode.group)
            return (_NODES_GROUP,)
        if wanted.account is not None:
            namespace, name = wanted.account
            self._check(
                mode, caller, "serviceaccounts", name, group=mode.group, namespace=namespace
            )
            return wanted.groups or account_groups(namespace)
        self._check(mode, caller, "users", wanted.name, group=mode.group)
        return wanted.groups

    def _check_groups(self, mode: _Mode, caller: User, groups: tuple[str, ...]) -> None:
        if mode.is_narrow:
            for group, words in (("", "empty string"), (MASTERS_GROUP, MASTERS_GROUP)):
                if group in groups:
                    attributes = Attributes(mode.verb, mode.group, "v1", "groups", name=group)
                    reason = f"impersonating the {words} group is not allowed"
                    raise forbidden(caller, attributes, reason=reason)
            if len(groups) >= _MANY and self._may(mode, caller, "groups", "*"):
                return
        for group in groups:
            self._check(mode, caller, "groups", group, group=mode.group)

    def _check_extra(self, mode: _Mode, caller: User, extra: Mapping[str, tuple[str, ...]]) -> None:
        if mode.is_narrow and extra:
            problem = _find_problem(extra)
            if problem is not None:
                attributes = Attributes(mode.verb, _AUTHENTICATION, "v1", "userextras")
                raise forbidden(caller, attributes, reason=problem)
            count = sum(len(values) for values in extra.values())
            if count >= _MANY and self._may(mode, caller, "userextras", "*", subresource="*"):
                return
        for key, values in extra.items():
            for value in values:
                self._check(
                    mode, caller, "userextras", value, group=_AUTHENTICATION, subresource=key
                )

    def _may(
        self, mode: _Mode, caller: User, resource: str, name: str, *, subresource: str = ""
    ) -> bool:
        wanted = Attributes(
            mode.verb, _AUTHENTICATION, "v1", resource, subresource=subresource, name=name
        )
        return self._authorizer.authorize(caller, wanted).allowed

    def _check(
        self,
        mode: _Mode,
        caller: User,
        resource: str,
        name: str,
        *,
        group: str,
        subresource: str = "",
        namespace: str = "",
    ) -> None:
        self._authorizer.check(
            caller,
            Attributes(
                mode.verb,
                group=group,
                version="v1",
                resource=resource,
                subresource=subresource,
                namespace=namespace,
                name=name,
            ),
        )


def _modes_for(caller: User, wanted: Wanted) -> list[_Mode]:
    if wanted.node is not None:
        is_own = caller.name.startswith(SERVICE_ACCOUNT_PREFIX) and (
            list(caller.extra.get(_NODE_NAME, ())) == [wanted.node]
        )
        narrow = [*([_OWN_NODE] if is_own else []), _ANY_NODE] if wanted.is_only_a_name else []
    elif wanted.account is not None:
        narrow = [_ACCOUNT_ONLY] if wanted.is_only_a_name else []
    else:
        narrow = [_OTHERS]
    return [*narrow, _OLD]


def _find_problem(extra: Mapping[str, tuple[str, ...]]) -> str | None:
    for key, values in extra.items():
        if not key:
            return "impersonating the empty string key in extra is not allowed"
        domain, slash, path = key.partition("/")
        if not slash or not path or _SUBDOMAIN.fullmatch(domain) is None:
            return (
                "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "
                f'{quoted(key)}: must be a domain-prefixed path (such as "acme.io/foo")'
            )
        if "" in values:
            return "impersonating the empty string value in extra is not allowed"
    return None


def _with(groups: tuple[str, ...], group: str) -> tuple[str, ...]:
    return groups if group in groups else (*groups, group)


def _go_form(wanted: Wanted) -> str:
    def texts(values: tuple[str, ...]) -> str:
        return f"[]string{{{', '.join(quoted(value) for value in values)}}}"

    groups = texts(wanted.groups) if wanted.groups else "[]string(nil)"
    extra = "map[string][]string(nil)"
    if wanted.extra:
        pairs = (f"{quoted(key)}:{texts(wanted.extra[key])}" for key in sorted(wanted.extra))
        extra = f"map[string][]string{{{', '.join(pairs)}}}"
    return (
        f"&user.DefaultInfo{{Name:{quoted(wanted.name)}, UID:{quoted(wanted.uid)}, "
        f"Groups:{groups}, Extra:{extra}}}"
    )
