"""Reading objects and lists, and which state a read shows."""

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, config_map, details
from support.waiting import until
from towline_api.resources import LEASES


async def create_maps(api: Api, namespace: str, *names: str) -> list[int]:
    """Create ConfigMaps and return their resourceVersions."""
    path = CONFIG_MAPS.path(namespace=namespace)
    made = [(await api.post(path, config_map(name))).ok(201) for name in names]
    return [int(body["metadata"]["resourceVersion"]) for body in made]


async def test_a_missing_object_is_not_found(api: Api, namespace: str) -> None:
    """Group and plural stand in the details, where clients look."""
    answer = await api.get(LEASES.path(namespace=namespace, name="none"))
    answer.assert_refused(
        404, "NotFound", 'leases.coordination.k8s.io "none" not found', details(LEASES, "none")
    )


async def test_a_list_is_sorted_and_has_a_version(api: Api, namespace: str) -> None:
    """Items say neither kind nor apiVersion: the list says it for them."""
    versions = await create_maps(api, namespace, "c", "a", "b")
    body = (await api.get(CONFIG_MAPS.path(namespace=namespace))).ok()
    assert (body["kind"], body["apiVersion"]) == ("ConfigMapList", "v1")
    found = [item for item in body["items"] if item["metadata"]["name"] in ("a", "b", "c")]
    assert [item["metadata"]["name"] for item in found] == ["a", "b", "c"]
    assert all("kind" not in item and "apiVersion" not in item for item in found)
    assert int(body["metadata"]["resourceVersion"]) >= max(versions)


async def test_an_empty_list_is_a_list(api: Api, namespace: str) -> None:
    """`items` is there, and so is the version to watch from."""
    body = (await api.get(LEASES.path(namespace=namespace))).ok()
    assert body["items"] == []
    assert body["metadata"]["resourceVersion"].isdecimal()


async def test_a_missing_namespace_is_an_empty_one(api: Api, name: str) -> None:
    """Lists do not care whether the namespace is there."""
    assert (await api.get(LEASES.path(namespace=name))).ok()["items"] == []


async def test_versions_grow_across_kinds(api: Api, namespace: str) -> None:
    """There is one counter: what is written later has a higher version."""
    first = (await api.post(CONFIG_MAPS.path(namespace=namespace), config_map("a"))).ok(201)
    lease = {"metadata": {"name": "a"}}
    second = (await api.post(LEASES.path(namespace=namespace), lease)).ok(201)
    third = (
        await api.patch(CONFIG_MAPS.path(namespace=namespace, name="a"), {"data": {"k": "v"}})
    ).ok()
    versions = [int(body["metadata"]["resourceVersion"]) for body in (first, second, third)]
    assert versions == sorted(set(versions))


async def test_a_list_over_all_namespaces(api: Api, namespace: str) -> None:
    """Sorted by namespace first."""
    await create_maps(api, namespace, "a")
    items = (await api.get(CONFIG_MAPS.path())).ok()["items"]
    places = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]
    assert (namespace, "a") in places
    assert places == sorted(places)


async def test_an_exact_version_shows_the_past(api: Api, namespace: str) -> None:
    """`resourceVersionMatch=Exact` is how a client reads one state in many calls."""
    first, _ = await create_maps(api, namespace, "a", "b")
    body = (
        await api.get(
            CONFIG_MAPS.path(namespace=namespace),
            resourceVersion=first,
            resourceVersionMatch="Exact",
        )
    ).ok()
    names = {item["metadata"]["name"] for item in body["items"]}
    assert "a" in names
    assert "b" not in names
    assert body["metadata"]["resourceVersion"] == str(first)


@pytest.mark.parametrize("version", ["0", "1"])
async def test_a_version_at_least_may_be_newer(api: Api, namespace: str, version: str) -> None:
    """Informers start with `resourceVersion=0`: any state will do, and the present one follows."""
    await create_maps(api, namespace, "a")
    seen: list[str] = []

    async def is_shown() -> bool:
        body = (
            await api.get(
                CONFIG_MAPS.path(namespace=namespace),
                resourceVersion=version,
                resourceVersionMatch="NotOlderThan",
            )
        ).ok()
        seen[:] = [item["metadata"]["name"] for item in body["items"]]
        return "a" in seen

    # The real server answers from its watch cache, which may be a moment behind.
    await until(is_shown, what=lambda: seen)


async def test_a_version_of_the_future_is_waited_for_in_vain(api: Api, namespace: str) -> None:
    """The answer says to try again, which a client of another server's version must be told."""
    answer = await api.get(CONFIG_MAPS.path(namespace=namespace), resourceVersion="999999999")
    assert answer.status == 504
    assert answer.body["reason"] == "Timeout"
    assert answer.body["message"].startswith(
        "Timeout: Too large resource version: 999999999, current: "
    )
    assert answer.body["details"] == {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }


async def test_a_version_has_to_be_a_number(api: Api, namespace: str) -> None:
    """Clients treat versions as opaque; the server does not."""
    answer = await api.get(CONFIG_MAPS.path(namespace=namespace), resourceVersion="abc")
    assert answer.status == 400
    assert "abc" in answer.body["message"]


async def test_a_match_without_a_version_is_refused(api: Api, namespace: str) -> None:
    """Exactly what?"""
    answer = await api.get(CONFIG_MAPS.path(namespace=namespace), resourceVersionMatch="Exact")
    message = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
    answer.assert_refused(
        422,
        "Invalid",
        f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {message}',
        {
            "group": "meta.k8s.io",
            "kind": "ListOptions",
            "causes": [
                {
                    "reason": "FieldValueForbidden",
                    "message": message,
                    "field": "resourceVersionMatch",
                }
            ],
        },
    )


async def test_formats_nobody_writes_are_not_acceptable(api: Api, namespace: str) -> None:
    """The refusal lists those that are written."""
    answer = await api.get(CONFIG_MAPS.path(namespace=namespace), accept="text/xml")
    assert (answer.status, answer.body["reason"]) == (406, "NotAcceptable")
    assert answer.body["message"].startswith(
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml"
    )


async def test_yaml_is_written_as_well(api: Api, namespace: str) -> None:
    """For people with curl."""
    await create_maps(api, namespace, "a")
    answer = await api.get(
        CONFIG_MAPS.path(namespace=namespace, name="a"), accept="application/yaml"
    )
    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.text.startswith("apiVersion: v1\nkind: ConfigMap\nmetadata:\n")


async def test_metadata_alone_can_be_read(api: Api, namespace: str) -> None:
    """The garbage collector and many caches read nothing else."""
    await create_maps(api, namespace, "a")
    one = await api.get(
        CONFIG_MAPS.path(namespace=namespace, name="a"),
        accept="application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    )
    body = one.ok()
    assert (body["kind"], body["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert set(body) == {"kind", "apiVersion", "metadata"}
    many = await api.get(
        CONFIG_MAPS.path(namespace=namespace),
        accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    )
    listed = many.ok()
    assert listed["kind"] == "PartialObjectMetadataList"
    assert "a" in {item["metadata"]["name"] for item in listed["items"]}


async def test_methods_that_are_not_served_are_refused(api: Api, namespace: str) -> None:
    """A PUT of a collection, a POST to an object."""
    for method, path in (
        ("PUT", CONFIG_MAPS.path(namespace=namespace)),
        ("POST", CONFIG_MAPS.path(namespace=namespace, name="a")),
    ):
        answer = await api.call(method, path, config_map("a"))
        answer.assert_refused(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
            {},
        )
