"""Certificate requests: what the server stamps, what it checks, and what never changes."""

import base64

import pytest

from conformance.api import Api
from conformance.callers import Callers
from conformance.objects import details, rule, user_subject
from conformance.requests import (
    OTHER_SIGNER,
    PATH,
    condition,
    create,
    decide,
    path_of,
    request_object,
)
from conformance.rights import grant_everywhere
from support.waiting import until
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject

GROUP = "certificates.k8s.io"


async def asker(api: Api, callers: Callers, name: str, *rules: KubeObject) -> Api:
    """Return a user who may ask for certificates, and more."""
    asks = rule(GROUP, "certificatesigningrequests", "create", "get", "list")
    await grant_everywhere(api, name, asks, *rules, to=user_subject(name))
    user = await callers.user(name, groups=("ops",))

    async def known() -> bool:
        return (await user.get(path_of("none"))).status == 404

    await until(known, what=lambda: "the binding to be known")
    return user


async def test_the_requester_is_stamped(api: Api, callers: Callers, name: str) -> None:
    """Whatever the body claims: approvers go by it."""
    user = await asker(api, callers, name)
    claimed = request_object(name, username="system:admin", uid="u-1", extra={"x": ["y"]})
    claimed["spec"]["groups"] = ["system:masters"]
    spec = (await user.post(PATH, claimed)).ok(201)["spec"]
    assert spec["username"] == name
    assert set(spec["groups"]) == {"ops", "system:authenticated"}
    assert "uid" not in spec
    assert list(spec["extra"]) == ["authentication.kubernetes.io/credential-id"]


async def test_a_fresh_request_has_no_decision(api: Api, name: str) -> None:
    """Whatever status the requester sent."""
    body = request_object(name)
    body["status"] = {
        "conditions": [condition("Approved")],
        "certificate": base64.b64encode(b"x").decode(),
    }
    made = (await api.post(PATH, body)).ok(201)
    assert made["status"] == {}


async def test_what_was_asked_for_never_changes(api: Api, name: str) -> None:
    """An approver's decision holds for what it saw."""
    made = await create(api, name)
    changed = {**made, "spec": {**made["spec"], "signerName": OTHER_SIGNER, "usages": ["any"]}}
    for path in (path_of(name), path_of(name, "status"), path_of(name, "approval")):
        body = (await api.put(path, changed)).ok()
        assert body["spec"] == made["spec"]
    assert (await api.get(path_of(name))).ok()["spec"] == made["spec"]


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        pytest.param({"signerName": ""}, "spec.signerName", "Required value", id="no signer"),
        pytest.param(
            {"signerName": "nonsense"},
            "spec.signerName",
            'Invalid value: "nonsense": must be a fully qualified domain and path of the form '
            "'example.com/signer-name'",
            id="bad signer",
        ),
        pytest.param({"usages": []}, "spec.usages", "Required value", id="no usages"),
        pytest.param(
            {"usages": ["dancing"]},
            "spec.usages[0]",
            'Unsupported value: "dancing": supported values: ',
            id="unknown usage",
        ),
        pytest.param(
            {"request": base64.b64encode(b"nonsense").decode()},
            "spec.request",
            "Invalid value: ",
            id="no request",
        ),
        pytest.param(
            {"expirationSeconds": 599},
            "spec.expirationSeconds",
            "Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)",
            id="short life",
        ),
    ],
)
async def test_a_bad_request_is_refused(
    api: Api, name: str, spec: KubeObject, field: str, message: str
) -> None:
    """Before anybody has to look at it."""
    request = request_object(name)
    request["spec"].update(spec)
    answer = await api.post(PATH, request)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    causes = {cause["field"]: cause["message"] for cause in answer.body["details"]["causes"]}
    assert list(causes) == [field]
    assert causes[field].startswith(message)


async def test_an_approval_takes_its_own_path(api: Api, name: str) -> None:
    """The object itself passes over it, its status refuses it."""
    made = await create(api, name)
    changed = {**made, "status": {"conditions": [condition("Approved")]}}
    assert (await api.put(path_of(name), changed)).ok()["status"] == {}
    message = 'Forbidden: updates may not add a condition of type "Approved"'
    (await api.put(path_of(name, "status"), changed)).assert_refused(
        422,
        "Invalid",
        f'CertificateSigningRequest.certificates.k8s.io "{name}" is invalid: status.conditions: '
        f"{message}",
        {
            "name": name,
            "group": GROUP,
            "kind": "CertificateSigningRequest",
            "causes": [
                {"reason": "FieldValueForbidden", "message": message, "field": "status.conditions"}
            ],
        },
    )
    body = (await api.put(path_of(name, "approval"), changed)).ok()
    found = body["status"]["conditions"][0]
    assert found.pop("lastUpdateTime")
    assert found.pop("lastTransitionTime")
    assert found == condition("Approved")


async def test_a_decision_is_not_taken_back(api: Api, name: str) -> None:
    """Neither removed nor turned into its opposite."""
    made = await create(api, name, signer=OTHER_SIGNER)
    approved = await decide(api, made)
    path = path_of(name, "approval")
    removed = await api.put(path, {**approved, "status": {"conditions": []}})
    assert removed.status == 422
    assert removed.body["details"]["causes"] == [
        {
            "reason": "FieldValueForbidden",
            "message": 'Forbidden: updates may not remove a condition of type "Approved"',
            "field": "status.conditions",
        }
    ]
    both = [*approved["status"]["conditions"], condition("Denied")]
    answer = await api.put(path, {**approved, "status": {"conditions": both}})
    assert answer.status == 422
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "{conditions[{\\"type\\": \\"Approved\\"}], '
            'conditions[{\\"type\\": \\"Denied\\"}]}": must specify at most one of: '
            '`conditions[{"type": "Approved"}]`, `conditions[{"type": "Denied"}]`',
            "field": "status.conditions",
        }
    ]


async def test_a_decision_is_true(api: Api, name: str) -> None:
    """There is no approval that is False."""
    made = await create(api, name)
    decision = {**condition("Approved"), "status": "False"}
    answer = await api.put(
        path_of(name, "approval"), {**made, "status": {"conditions": [decision]}}
    )
    assert answer.status == 422
    cause = answer.body["details"]["causes"][0]
    assert cause["field"] == "status.conditions[0].status"
    assert cause["message"] == 'Unsupported value: "False": supported values: "True"'


async def test_approving_takes_a_right_on_the_signer(api: Api, callers: Callers, name: str) -> None:
    """To write the subresource is not enough."""
    made = await create(api, name, signer=OTHER_SIGNER)
    rules = rule(GROUP, "certificatesigningrequests/approval", "update")
    user = await asker(api, callers, f"{name}-a", rules)
    changed = {**made, "status": {"conditions": [condition("Approved")]}}
    (await user.put(path_of(name, "approval"), changed)).assert_refused(
        403,
        "Forbidden",
        f'certificatesigningrequests.certificates.k8s.io "{name}" is forbidden: user not permitted '
        f'to approve requests with signerName "{OTHER_SIGNER}"',
        details(CERTIFICATE_SIGNING_REQUESTS, name),
    )


@pytest.mark.parametrize("signers", [OTHER_SIGNER, "example.com/*"])
async def test_the_right_to_approve_names_signers(
    api: Api, callers: Callers, name: str, signers: str
) -> None:
    """One, or all of a domain."""
    made = await create(api, name, signer=OTHER_SIGNER)
    user = await asker(
        api,
        callers,
        f"{name}-a",
        rule(GROUP, "certificatesigningrequests/approval", "update"),
        rule(GROUP, "signers", "approve", resource_names=[signers]),
    )
    changed = {**made, "status": {"conditions": [condition("Denied")]}}
    body = (await user.put(path_of(name, "approval"), changed)).ok()
    assert body["status"]["conditions"][0]["type"] == "Denied"


async def test_signing_takes_a_right_on_the_signer(api: Api, callers: Callers, name: str) -> None:
    """The same for whoever writes certificates."""
    made = await create(api, name, signer=OTHER_SIGNER)
    user = await asker(
        api, callers, f"{name}-a", rule(GROUP, "certificatesigningrequests/status", "update")
    )
    changed = {**made, "status": {"conditions": [condition("Failed")]}}
    (await user.put(path_of(name, "status"), changed)).assert_refused(
        403,
        "Forbidden",
        f'certificatesigningrequests.certificates.k8s.io "{name}" is forbidden: user not permitted '
        f'to sign requests with signerName "{OTHER_SIGNER}"',
        details(CERTIFICATE_SIGNING_REQUESTS, name),
    )


async def test_nobody_asks_to_become_a_master(api: Api, name: str) -> None:
    """The signer for clients is not for that group, even if an administrator asks."""
    answer = await api.post(PATH, request_object(name, groups=("system:masters",)))
    answer.assert_refused(
        403,
        "Forbidden",
        f'certificatesigningrequests.certificates.k8s.io "{name}" is forbidden: use of '
        "kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
        details(CERTIFICATE_SIGNING_REQUESTS, name),
    )


@pytest.mark.parametrize("signer", [OTHER_SIGNER, "kubernetes.io/kube-apiserver-client"])
async def test_requests_are_selected_by_signer(api: Api, name: str, signer: str) -> None:
    """Approvers and signers watch only theirs."""
    await create(api, name, signer=signer)
    body = (await api.get(PATH, fieldSelector=f"spec.signerName={signer}")).ok()
    assert name in {item["metadata"]["name"] for item in body["items"]}
    assert {item["spec"]["signerName"] for item in body["items"]} == {signer}
