"""One request on the table: its bytes read once, beside what is known about it."""

from dataclasses import dataclass
from functools import cached_property

from towline_api.names import ADDON_NAME_LABEL, KUBE_CLIENT_SIGNER
from towline_certs.approval import ApprovalContext, ExpectedRegistration
from towline_certs.bootstrap_identity import bound_cluster, is_bound
from towline_certs.errors import IdentityError, RequestError
from towline_certs.identities import (
    AUTHENTICATED_GROUP,
    AddonIdentity,
    ClusterIdentity,
    Subject,
)
from towline_certs.requests import CertificateRequest, parse_request
from towline_certs.signing_requests import SigningRequest

_LONGEST_QUOTE = 120
_LONGEST_SENTENCE = 400
_IDENTITY_PREFIX = "system:open-cluster-management:"


class OpenedRequest:
    """A request object whose bytes are read when they are first asked for, and then never again.

    Args:
        request: The request object.
    """

    def __init__(self, request: SigningRequest) -> None:
        self.request = request

    @property
    def parsed(self) -> CertificateRequest | None:
        """The certificate request inside; None when it cannot be read."""
        return self._read[0]

    @property
    def problem(self) -> RequestError | None:
        """Why it cannot be read; None when it can, or when it is not even base64."""
        return self._read[1]

    @cached_property
    def subject(self) -> Subject | None:
        """The subject of the certificate request, if there is one and it is plain."""
        return None if self.parsed is None else self.parsed.subject

    @cached_property
    def requester(self) -> ClusterIdentity | AddonIdentity | None:
        """The agent of ours who asks; None for everybody else."""
        return find_agent(self.request.username)

    @cached_property
    def _read(self) -> tuple[CertificateRequest | None, RequestError | None]:
        if self.request.request_pem is None:
            return None, None
        try:
            return parse_request(self.request.request_pem), None
        except RequestError as error:
            # What it was raised from, and where, is of no use to anybody and would stay in memory.
            return None, RequestError(str(error), reason=error.reason)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the rules look at.

    Args:
        opened: The request object, read.
        context: What is known around it.
    """

    opened: OpenedRequest
    context: ApprovalContext

    @property
    def request(self) -> SigningRequest:
        """The request object."""
        return self.opened.request

    @property
    def parsed(self) -> CertificateRequest | None:
        """The certificate request inside; None when it cannot be read."""
        return self.opened.parsed

    @property
    def problem(self) -> RequestError | None:
        """Why it cannot be read; None when it can, or when it is not even base64."""
        return self.opened.problem

    @property
    def requester(self) -> ClusterIdentity | AddonIdentity | None:
        """The agent of ours who asks; None for everybody else."""
        return self.opened.requester

    @property
    def readable(self) -> CertificateRequest:
        """The certificate request, once a rule made sure that it can be read."""
        if self.parsed is None:
            raise LookupError("the request is unreadable; a rule before this one has to say so")
        return self.parsed

    @property
    def subject(self) -> Subject:
        """The subject, once a rule made sure that it is a plain one."""
        subject = self.opened.subject
        if subject is None:
            raise LookupError("the subject is not plain; a rule before this one has to say so")
        return subject

    @property
    def cluster(self) -> str:
        """The cluster label, once a rule made sure that there is one."""
        if self.request.cluster is None:
            raise LookupError("there is no cluster label; a rule before this one has to say so")
        return self.request.cluster

    @property
    def addon(self) -> str:
        """The add-on label, once it is known that there is one."""
        if self.request.addon is None:
            raise LookupError(f"the request has no label {ADDON_NAME_LABEL}")
        return self.request.addon

    @property
    def claims_an_identity(self) -> bool:
        """Whether any value of the subject looks like a name of ours.

        The one place where a prefix is looked at, and only ever to be suspicious.
        """
        return self.parsed is not None and any(
            attribute.value.startswith(_IDENTITY_PREFIX) for attribute in self.parsed.attributes
        )

    @property
    def bound_to(self) -> str | None:
        """The one cluster whose name the requester may take, if its groups say so."""
        return bound_cluster(self.request.groups)

    @property
    def is_from_bound_bootstrap(self) -> bool:
        """Whether the requester is meant for one cluster, be it this one or not."""
        return is_bound(self.request.groups)

    @property
    def is_from_bootstrap(self) -> bool:
        """Whether the requester is one of the configured bootstrap identities of the fleet."""
        bootstrap = self.context.bootstrap
        is_configured = self.request.username in bootstrap.users or not bootstrap.groups.isdisjoint(
            self.request.groups
        )
        return is_configured and not self.is_from_bound_bootstrap

    @property
    def registration(self) -> ExpectedRegistration | None:
        """The add-on's registration that the request answers to the letter, if it has one.

        Asked for once the subject is known to be plain.
        """
        if self.context.addon is None:
            return None
        signer, subject = self.request.signer_name, self.subject
        # Clients of Kubernetes: an agent of this add-on already, says a rule before; so is a
        # registration equal to it.
        is_lenient = signer == KUBE_CLIENT_SIGNER
        wanted = without_authenticated(subject) if is_lenient else subject
        for each in self.context.addon.registrations:
            registered = without_authenticated(each.subject) if is_lenient else each.subject
            if each.signer_name == signer and registered == wanted:
                return each
        return None


def open_case(request: SigningRequest | OpenedRequest, *, context: ApprovalContext) -> Case:
    """Return a request laid out for the rules."""
    opened = request if isinstance(request, OpenedRequest) else OpenedRequest(request)
    return Case(opened, context)


def find_agent(user: str) -> ClusterIdentity | AddonIdentity | None:
    """Return the agent with exactly this user name, None when it is no agent's."""
    for identity in (ClusterIdentity, AddonIdentity):
        try:
            return identity.parse_user(user)
        except IdentityError:
            continue
    return None


def without_authenticated(subject: Subject) -> Subject:
    """Return the subject without the group that everybody is in anyway; older agents ask for it."""
    if AUTHENTICATED_GROUP not in subject.organizations:
        return subject
    return Subject(
        subject.common_name,
        subject.organizations - {AUTHENTICATED_GROUP},
        subject.organizational_units,
    )


def quote(value: object) -> str:
    """Return somebody else's text as one bounded line for a message."""
    text = repr(value) if isinstance(value, str) else repr(str(value))
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 4]}...'"


def told(error: Exception) -> str:
    """Return what an error says, which may quote somebody's text at length, as one bounded line."""
    text = str(error)
    return text if len(text) <= _LONGEST_SENTENCE else f"{text[: _LONGEST_SENTENCE - 3]}..."


def waiting_for(cluster: str) -> str:
    """Return how a message says that a person has to accept a cluster."""
    return f"waiting for operator (towline accept {cluster})"


def waiting_for_approval(request: str) -> str:
    """Return how a message says that a person has to approve one request."""
    return f"waiting for operator (towline approve {request})"
