"""The controllers do what kube-controller-manager does; each case was tried on a real plane."""

import base64
from datetime import timedelta

import pytest

from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIG_MAPS,
    NAMESPACES,
    SECRETS,
    SERVICE_ACCOUNTS,
    KubeObject,
)
from towline_certs.identities import Subject
from towline_certs.keys import generate_key
from towline_certs.requests import build_request
from unit.sandbox.embedded.controllers.conftest import World

HOUR = timedelta(hours=1)


def owned_by(owner: KubeObject, *, blocks: bool = False, **changed: object) -> KubeObject:
    """Return a reference to a ConfigMap that owns something."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        **({"blockOwnerDeletion": True} if blocks else {}),
        **changed,
    }


async def dependent(
    world: World, name: str, *owners: KubeObject, finalizers: tuple[str, ...] = ()
) -> KubeObject:
    """Store a Secret with these owners."""
    metadata: KubeObject = {"ownerReferences": list(owners)}
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    return await world.create(SECRETS, name, namespace="default", metadata=metadata)


async def release(world: World, name: str) -> None:
    """Take the finalizers off a Secret."""
    secret = await world.get(SECRETS, name, namespace="default")
    metadata = {key: value for key, value in secret["metadata"].items() if key != "finalizers"}
    await world.calls.update(SECRETS, {**secret, "metadata": metadata})


async def test_a_namespace_has_an_account_and_the_authority(world: World) -> None:
    """Also after somebody has taken them away."""
    for resource, name in ((SERVICE_ACCOUNTS, "default"), (CONFIG_MAPS, "kube-root-ca.crt")):
        found = await world.get(resource, name, namespace="default")
        await world.delete(resource, found, "Background")
        again = await world.get(resource, name, namespace="default")
        assert again["metadata"]["uid"] != found["metadata"]["uid"]
    published = await world.get(CONFIG_MAPS, "kube-root-ca.crt", namespace="default")
    assert published["data"] == {"ca.crt": "PEM"}
    await world.calls.update(CONFIG_MAPS, {**published, "data": {"ca.crt": "other"}})
    restored = await world.get(CONFIG_MAPS, "kube-root-ca.crt", namespace="default")
    assert restored["data"] == {"ca.crt": "PEM"}


async def test_a_namespace_goes_when_it_is_empty(world: World) -> None:
    """Until then its status says what keeps it."""
    namespace = await world.create(NAMESPACES, "n")
    await world.settle()
    held = await world.create(
        CONFIG_MAPS, "held", namespace="n", metadata={"finalizers": ["example.com/x"]}
    )
    await world.delete(NAMESPACES, namespace, "Background")
    ending = await world.get(NAMESPACES, "n")
    assert ending["status"]["phase"] == "Terminating"
    told = {each["type"]: each["message"] for each in ending["status"]["conditions"]}
    assert told["NamespaceFinalizersRemaining"] == (
        "Some content in the namespace has finalizers remaining: "
        "example.com/x in 1 resource instances"
    )
    assert await world.find(SERVICE_ACCOUNTS, "default", namespace="n") is None
    held = await world.get(CONFIG_MAPS, "held", namespace="n")
    del held["metadata"]["finalizers"]
    await world.calls.update(CONFIG_MAPS, held)
    assert await world.find(NAMESPACES, "n") is None


async def test_an_object_goes_with_its_last_owner(world: World) -> None:
    """One that is left keeps it; those that are gone are forgotten."""
    first = await world.create(CONFIG_MAPS, "a", namespace="default")
    second = await world.create(CONFIG_MAPS, "b", namespace="default")
    await dependent(world, "d", owned_by(first), owned_by(second))
    await world.delete(CONFIG_MAPS, first, "Background")
    secret = await world.get(SECRETS, "d", namespace="default")
    assert secret["metadata"]["ownerReferences"] == [owned_by(second)]
    await world.delete(CONFIG_MAPS, second, "Background")
    assert await world.find(SECRETS, "d", namespace="default") is None


@pytest.mark.parametrize(
    ("changed", "stays"),
    [
        pytest.param({"uid": "another"}, False, id="another-of-that-name"),
        pytest.param({"name": "another"}, False, id="none-of-that-name"),
        pytest.param({"kind": "Secret"}, False, id="none-of-that-kind"),
        pytest.param({"apiVersion": "no.such/v1", "kind": "Nope"}, True, id="unknown-kind"),
    ],
)
async def test_an_owner_is_one_object_and_no_other(
    world: World, changed: KubeObject, stays: bool
) -> None:
    """Name, kind and uid have to fit; of a kind that nobody serves nothing can be said."""
    owner = await world.create(CONFIG_MAPS, "a", namespace="default")
    await dependent(world, "d", owned_by(owner, **changed))
    assert (await world.find(SECRETS, "d", namespace="default") is not None) is stays


async def test_owners_in_other_namespaces_are_not_looked_for(world: World) -> None:
    """An object is owned in its own namespace, or by one that is in none."""
    await world.create(NAMESPACES, "n")
    owner = await world.create(CONFIG_MAPS, "a", namespace="n")
    await dependent(world, "d", owned_by(owner))
    assert await world.find(SECRETS, "d", namespace="default") is None
    await world.create(NAMESPACES, "owned", metadata={"ownerReferences": [owned_by(owner)]})
    assert await world.find(NAMESPACES, "owned") is not None


async def test_an_owner_deleted_in_the_foreground_waits(world: World) -> None:
    """For those that say so; the others are told to go as well, but are not waited for."""
    owner = await world.create(CONFIG_MAPS, "a", namespace="default")
    await dependent(world, "blocks", owned_by(owner, blocks=True), finalizers=("example.com/x",))
    await dependent(world, "lingers", owned_by(owner), finalizers=("example.com/x",))
    await world.delete(CONFIG_MAPS, owner, "Foreground")
    waiting = await world.get(CONFIG_MAPS, "a", namespace="default")
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
    for name in ("blocks", "lingers"):
        secret = await world.get(SECRETS, name, namespace="default")
        assert "deletionTimestamp" in secret["metadata"]
    await release(world, "blocks")
    assert await world.find(CONFIG_MAPS, "a", namespace="default") is None
    assert await world.find(SECRETS, "lingers", namespace="default") is not None


async def test_an_owner_does_not_wait_for_who_has_left_it(world: World) -> None:
    """A dependent that is given to somebody else blocks nobody any more."""
    owner = await world.create(CONFIG_MAPS, "a", namespace="default")
    await dependent(world, "d", owned_by(owner, blocks=True), finalizers=("example.com/x",))
    await world.delete(CONFIG_MAPS, owner, "Foreground")
    secret = await world.get(SECRETS, "d", namespace="default")
    del secret["metadata"]["ownerReferences"]
    await world.calls.update(SECRETS, secret)
    assert await world.find(CONFIG_MAPS, "a", namespace="default") is None


async def test_waiting_goes_down_the_line(world: World) -> None:
    """An owner waits for what its dependents own, too."""
    owner = await world.create(CONFIG_MAPS, "a", namespace="default")
    middle = await dependent(world, "middle", owned_by(owner, blocks=True))
    last = owned_by(middle, blocks=True, kind="Secret")
    await dependent(world, "last", last, finalizers=("example.com/x",))
    await world.delete(CONFIG_MAPS, owner, "Foreground")
    between = await world.get(SECRETS, "middle", namespace="default")
    assert between["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert await world.find(CONFIG_MAPS, "a", namespace="default") is not None
    await release(world, "last")
    for name in ("middle", "last"):
        assert await world.find(SECRETS, name, namespace="default") is None
    assert await world.find(CONFIG_MAPS, "a", namespace="default") is None


async def test_orphans_stay(world: World) -> None:
    """Without a word of their former owner."""
    owner = await world.create(CONFIG_MAPS, "a", namespace="default")
    await dependent(world, "d", owned_by(owner))
    await world.delete(CONFIG_MAPS, owner, "Orphan")
    assert await world.find(CONFIG_MAPS, "a", namespace="default") is None
    secret = await world.get(SECRETS, "d", namespace="default")
    assert "ownerReferences" not in secret["metadata"]


async def test_an_approved_request_is_signed_and_cleaned_up(world: World) -> None:
    """An hour later nobody needs it any more, and the next hourly look finds it."""
    pem = build_request(generate_key(), subject=Subject("a", frozenset({"b"})))
    request = await world.create(
        CERTIFICATE_SIGNING_REQUESTS,
        "r",
        spec={
            "request": base64.b64encode(pem).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    )
    assert "certificate" not in (await world.get(CERTIFICATE_SIGNING_REQUESTS, "r"))["status"]
    approved = {"type": "Approved", "status": "True", "reason": "r", "message": "m"}
    await world.calls.update(
        CERTIFICATE_SIGNING_REQUESTS,
        {**request, "status": {"conditions": [approved]}},
        subresource="approval",
    )
    assert (await world.get(CERTIFICATE_SIGNING_REQUESTS, "r"))["status"]["certificate"]
    await world.clock.advance(HOUR)
    world.controllers.look_again()
    assert await world.find(CERTIFICATE_SIGNING_REQUESTS, "r") is not None
    await world.clock.advance(HOUR)
    world.controllers.look_again()
    assert await world.find(CERTIFICATE_SIGNING_REQUESTS, "r") is None


async def test_an_expired_bootstrap_token_is_deleted(world: World) -> None:
    """One that is good, or not said to end, stays."""
    await world.create(NAMESPACES, "kube-system")
    ends = (world.clock.now() + HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, data in (("ends", {"expiration": ends}), ("stays", {})):
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        await world.create(
            SECRETS,
            name,
            namespace="kube-system",
            type="bootstrap.kubernetes.io/token",
            data=encoded,
        )
    assert await world.find(SECRETS, "ends", namespace="kube-system") is not None
    await world.clock.advance(HOUR)
    world.controllers.look_again()
    assert await world.find(SECRETS, "ends", namespace="kube-system") is None
    assert await world.find(SECRETS, "stays", namespace="kube-system") is not None
