"""`kubectl certificate`: somebody decides on a request."""

from conformance.api import Api
from conformance.kubectl.command import Kubectl
from conformance.requests import create, path_of, until_issued
from towline_api.names import KUBE_CLIENT_SIGNER

NAME = "certificatesigningrequest.certificates.k8s.io"


async def test_a_request_is_approved(kubectl: Kubectl, api: Api, name: str) -> None:
    """And then signed."""
    asked = await create(api, name, expirationSeconds=3600)
    user = asked["spec"]["username"]
    pending = [name, "AGE", KUBE_CLIENT_SIGNER, user, "60m", "Pending"]
    assert (await kubectl("get", "csr", name)).table() == [
        ["NAME", "AGE", "SIGNERNAME", "REQUESTOR", "REQUESTEDDURATION", "CONDITION"],
        pending,
    ]
    (await kubectl("certificate", "approve", name)).assert_said(f"{NAME}/{name} approved")
    await until_issued(api, name)
    assert (await kubectl("get", "csr", name)).table()[1] == [*pending[:-1], "Approved,Issued"]
    (condition,) = (await api.get(path_of(name))).ok()["status"]["conditions"]
    del condition["lastUpdateTime"], condition["lastTransitionTime"]
    assert condition == {
        "type": "Approved",
        "status": "True",
        "reason": "KubectlApprove",
        "message": "This CSR was approved by kubectl certificate approve.",
    }


async def test_a_request_is_denied(kubectl: Kubectl, api: Api, name: str) -> None:
    """Once decided, it stays decided."""
    await create(api, name)
    (await kubectl("certificate", "deny", name)).assert_said(f"{NAME}/{name} denied")
    assert (await kubectl("get", "csr", name)).table()[1][-1] == "Denied"
    (await kubectl("certificate", "approve", name)).assert_failed(
        f'error: certificate signing request "{name}" is already Denied'
    )


async def test_a_request_that_is_not_there(kubectl: Kubectl, name: str) -> None:
    """Cannot be decided on."""
    (await kubectl("certificate", "approve", name)).assert_failed(
        f'Error from server (NotFound): certificatesigningrequests.certificates.k8s.io "{name}" '
        "not found"
    )


async def test_a_request_is_described(kubectl: Kubectl, api: Api, name: str) -> None:
    """With the subject that it asks for."""
    await create(api, name, user="somebody", groups=["some"])
    lines = (await kubectl("describe", "csr", name)).ok().splitlines()
    facts = [" ".join(line.split()) for line in lines]
    assert facts[0] == f"Name: {name}"
    assert f"Signer: {KUBE_CLIENT_SIGNER}" in facts
    assert facts[-6:] == [
        "Status: Pending",
        "Subject:",
        "Common Name: somebody",
        "Serial Number:",
        "Organization: some",
        "Events: <none>",
    ]
