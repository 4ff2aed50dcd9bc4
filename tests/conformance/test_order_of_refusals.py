"""Who is asked first about a write that several would refuse."""

from conformance import requests
from conformance.api import Api
from conformance.callers import Callers
from conformance.objects import config_map, rule, user_subject
from conformance.rights import grant_everywhere, until_allowed
from conformance.test_policies import enforce, policy
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS

_CSR_GROUP = CERTIFICATE_SIGNING_REQUESTS.group


async def test_rules_of_the_kind_are_told_before_policies(
    api: Api, namespace: str, name: str
) -> None:
    """A policy is asked about nothing that could not be stored anyway."""
    path = await enforce(api, namespace, policy(name, {"expression": "has(object.data)"}))
    broken = config_map("bad") | {"binaryData": {"no key!": ""}}
    answer = await api.post(path, broken)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"].startswith('ConfigMap "bad" is invalid: binaryData[no key!]: ')


async def test_rules_of_the_kind_are_told_before_rights_on_signers(
    api: Api, callers: Callers, name: str
) -> None:
    """Who may not approve at all learns first that this would be no approval."""
    created = await requests.create(api, name)
    plural = CERTIFICATE_SIGNING_REQUESTS.plural
    rights = [rule(_CSR_GROUP, plural, "get"), rule(_CSR_GROUP, f"{plural}/approval", "update")]
    await grant_everywhere(api, name, *rights, to=user_subject(name))
    user = await callers.user(name)
    await until_allowed(user, requests.path_of(name))
    path = requests.path_of(name, "approval")
    twice = [requests.condition("Approved"), requests.condition("Denied")]
    answer = await user.put(path, created | {"status": {"conditions": twice}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    once = [requests.condition("Approved")]
    answer = await user.put(path, created | {"status": {"conditions": once}})
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert "user not permitted to approve requests with signerName" in answer.body["message"]


async def test_all_that_is_wrong_with_a_policy_is_told_at_once(api: Api, name: str) -> None:
    """What is missing, and what cannot be compiled."""
    made = policy(name, {"expression": "object."})
    del made["spec"]["matchConstraints"]
    answer = await api.post(
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", made
    )
    assert answer.status == 422
    fields = [cause["field"] for cause in answer.body["details"]["causes"]]
    assert fields == ["spec.matchConstraints", "spec.validations[0].expression"]
