"""Pods need an account that exists; nothing else does."""

import pytest

from support.built_in_kinds import NOW, SOMEBODY, created, kind_of
from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in import PodAccounts
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.store import Store

PODS = kind_of("v1", "pods")
ACCOUNTS = kind_of("v1", "serviceaccounts")
CALL = Call("create", PODS, SOMEBODY, NOW, namespace="ns")


def pod(**spec: str) -> KubeObject:
    containers = [{"name": "c", "image": "i"}]
    return created(PODS, {"metadata": {"name": "p"}, "spec": {"containers": containers, **spec}})


async def test_a_pod_without_its_account_is_forbidden() -> None:
    """Its token could not be made."""
    with pytest.raises(ApiFailure) as refusal:
        await PodAccounts(Store())(CALL, pod(serviceAccountName="sa"), None)
    assert refusal.value.code == 403
    assert refusal.value.message == (
        'pods "p" is forbidden: error looking up service account ns/sa: serviceaccount "sa" not '
        "found"
    )


async def test_a_pod_with_an_account_may_come_and_be_changed_without() -> None:
    """An account may go while its Pods are there."""
    store = Store()
    check = PodAccounts(store)
    await check(CALL, pod(), pod())
    account = {"metadata": {"name": "default", "namespace": "ns"}}
    store.create(ACCOUNTS.storage_key, created(ACCOUNTS, account))
    await check(CALL, pod(), None)
