"""One request on the table: its bytes read once, beside what is known about it."""

from dataclasses import dataclass

from towline_api.names import ADDON_NAME_LABEL
from towline_certs.approval import ApprovalContext
from towline_certs.errors import IdentityError, RequestError
from towline_certs.identities import AddonIdentity, ClusterIdentity, Subject
from towline_certs.requests import CertificateRequest, parse_request
from towline_certs.signing_requests import SigningRequest

_LONGEST_QUOTE = 120
_IDENTITY_PREFIX = "system:open-cluster-management:"


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the rules look at.

    Args:
        request: The request object.
        context: What is known around it.
        parsed: The certificate request inside; None when it cannot be read.
        problem: Why it cannot be read; None when it can, or when it is not even base64.
        requester: The agent of ours who asks; None for everybody else.
    """

    request: SigningRequest
    context: ApprovalContext
    parsed: CertificateRequest | None
    problem: RequestError | None
    requester: ClusterIdentity | AddonIdentity | None

    @property
    def readable(self) -> CertificateRequest:
        """The certificate request, once a rule made sure that it can be read."""
        if self.parsed is None:
            raise LookupError("the request is unreadable; a rule before this one has to say so")
        return self.parsed

    @property
    def subject(self) -> Subject:
        """The subject, once a rule made sure that it is a plain one."""
        subject = self.readable.subject
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
    def is_from_bootstrap(self) -> bool:
        """Whether the requester is one of the configured bootstrap identities."""
        bootstrap = self.context.bootstrap
        return self.request.username in bootstrap.users or not bootstrap.groups.isdisjoint(
            self.request.groups
        )


def open_case(request: SigningRequest, *, context: ApprovalContext) -> Case:
    """Return a request read and laid out for the rules."""
    parsed: CertificateRequest | None = None
    problem: RequestError | None = None
    if request.request_pem is not None:
        try:
            parsed = parse_request(request.request_pem)
        except RequestError as error:
            problem = error
    return Case(request, context, parsed, problem, find_agent(request.username))


def find_agent(user: str) -> ClusterIdentity | AddonIdentity | None:
    """Return the agent with exactly this user name, None when it is no agent's."""
    for identity in (ClusterIdentity, AddonIdentity):
        try:
            return identity.parse_user(user)
        except IdentityError:
            continue
    return None


def quote(value: object) -> str:
    """Return somebody else's text as one bounded line for a message."""
    text = repr(value) if isinstance(value, str) else repr(str(value))
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 4]}...'"


def waiting_for(cluster: str) -> str:
    """Return how a message says that a person has to accept a cluster."""
    return f"waiting for operator (towline accept {cluster})"
