"""Who may decide on certificate requests, and what nobody may ask for.

Having the right to write a request's `approval` or `status` is not enough: it takes a right on the
signer as well. Kubernetes checks this once the object is known to be valid.
"""

import base64
import binascii

from cryptography import x509
from cryptography.x509.oid import NameOID

from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_sandbox.embedded.access.attributes import Attributes
from towline_sandbox.embedded.access.authorizer import Authorizer
from towline_sandbox.embedded.access.wording import quoted
from towline_sandbox.embedded.model.calls import MASTERS_GROUP, Call, User
from towline_sandbox.embedded.model.failures import forbidden
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.request_subjects import subject_of

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
_KEY = StorageKey(
    CERTIFICATE_SIGNING_REQUESTS.group,
    CERTIFICATE_SIGNING_REQUESTS.plural,
)


class CsrRules:
    """Refuses decisions on certificate requests by those who may not make them.

    Args:
        authorizer: Knows who may do what with which signer.
    """

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def __call__(self, call: Call, new: KubeObject | None, old: KubeObject | None) -> None:
        """Check a write; an Admission.

        Raises:
            ApiFailure: 403.
        """
        if new is None or call.kind.storage_key != _KEY:
            return
        if old is None:
            if not call.subresource:
                _check_subject(call, new)
        elif call.subresource == "approval":
            # As stored: who changes the signer together with it gains nothing.
            self._check_signer(call, old, verb="approve")
        elif call.subresource == "status" and _outcome(old) != _outcome(new):
            self._check_signer(call, old, verb="sign")

    def _check_signer(self, call: Call, request: KubeObject, *, verb: str) -> None:
        signer = request["spec"]["signerName"]
        domain, _, _ = signer.partition("/")
        if not any(self._may(call.user, verb, name) for name in (signer, f"{domain}/*")):
            raise forbidden(
                call.kind.resource,
                request["metadata"]["name"],
                f"user not permitted to {verb} requests with signerName {quoted(signer)}",
            )

    def _may(self, user: User, verb: str, signer: str) -> bool:
        wanted = Attributes(
            verb,
            group=CERTIFICATE_SIGNING_REQUESTS.group,
            version="*",
            resource="signers",
            name=signer,
        )
        return self._authorizer.authorize(user, wanted).allowed


def _check_subject(call: Call, request: KubeObject) -> None:
    spec = request.get("spec") or {}
    if spec.get("signerName") != CLIENT_SIGNER:
        return
    if MASTERS_GROUP in _organizations(spec.get("request")):
        raise forbidden(
            call.kind.resource,
            request["metadata"]["name"],
            f"use of {CLIENT_SIGNER} signer with {MASTERS_GROUP} group is not allowed",
        )


def _organizations(encoded: str | None) -> list[str | bytes]:
    try:
        request = x509.load_pem_x509_csr(base64.b64decode(encoded or "", validate=True))
        names = subject_of(request).get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    except (ValueError, binascii.Error):
        return []  # whether it can be read at all is checked elsewhere
    return [name.value for name in names]


def _outcome(request: KubeObject) -> tuple[object, object]:
    status = request.get("status") or {}
    return status.get("certificate") or "", status.get("conditions") or []
