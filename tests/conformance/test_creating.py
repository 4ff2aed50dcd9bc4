"""Creating objects: what the server sets, what it refuses, and in which words."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, config_map, details
from towline_api.resources import LEASES, NAMESPACES, SECRETS, KubeObject
from towline_api.timestamps import parse_time

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def test_a_created_object_has_its_metadata(api: Api, namespace: str) -> None:
    """Identity, age and version are the server's to give."""
    answer = await api.post(
        CONFIG_MAPS.path(namespace=namespace), config_map("a", {"k": "v"}, labels={"l": "1"})
    )
    body = answer.ok(201)
    metadata = body["metadata"]
    assert (body["kind"], body["apiVersion"]) == ("ConfigMap", "v1")
    assert body["data"] == {"k": "v"}
    assert UID.fullmatch(metadata["uid"])
    assert metadata["resourceVersion"].isdecimal()
    assert metadata["labels"] == {"l": "1"}
    assert metadata["namespace"] == namespace
    assert "generation" not in metadata  # ConfigMaps have no spec to count changes of
    created = parse_time(metadata["creationTimestamp"])
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
    again = (await api.get(CONFIG_MAPS.path(namespace=namespace, name="a"))).ok()
    assert again == body


async def test_the_server_keeps_its_own_fields(api: Api, namespace: str) -> None:
    """What a caller claims about identity and age is not believed."""
    claimed = config_map(
        "a",
        uid="11111111-1111-4111-8111-111111111111",
        creationTimestamp="2001-01-01T00:00:00Z",
        generation=7,
        deletionTimestamp="2001-01-01T00:00:00Z",
        deletionGracePeriodSeconds=1,
        selfLink="/somewhere",
    )
    body = (await api.post(CONFIG_MAPS.path(namespace=namespace), claimed)).ok(201)
    metadata = body["metadata"]
    assert metadata["uid"] != claimed["metadata"]["uid"]
    assert not metadata["creationTimestamp"].startswith("2001")
    assert not {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"} & set(metadata)


async def test_a_resource_version_is_not_for_creation(api: Api, namespace: str) -> None:
    """A body that was read elsewhere would otherwise be created by mistake."""
    answer = await api.post(
        CONFIG_MAPS.path(namespace=namespace), config_map("a", resourceVersion="5")
    )
    answer.assert_refused(
        500,  # a mistake of the caller's, but that is what the real one says
        "",
        "resourceVersion should not be set on objects to be created",
    )


async def test_a_name_is_made_on_request(api: Api, namespace: str) -> None:
    """Five more characters, from an alphabet without vowels."""
    path = CONFIG_MAPS.path(namespace=namespace)
    body = {"metadata": {"generateName": "made-"}}
    names = {(await api.post(path, body)).ok(201)["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(re.fullmatch(r"made-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)


async def test_an_object_needs_a_name(api: Api, namespace: str) -> None:
    """Neither a name nor a prefix for one."""
    answer = await api.post(CONFIG_MAPS.path(namespace=namespace), {"data": {"a": "b"}})
    message = "Required value: name or generateName is required"
    answer.assert_refused(
        422,
        "Invalid",
        f'ConfigMap "" is invalid: metadata.name: {message}',
        {
            "kind": "ConfigMap",
            "causes": [
                {"reason": "FieldValueRequired", "message": message, "field": "metadata.name"}
            ],
        },
    )


async def test_a_name_is_taken_once(api: Api, namespace: str) -> None:
    """The first to create wins; that is how requests are made once."""
    path = CONFIG_MAPS.path(namespace=namespace)
    (await api.post(path, config_map("a"))).ok(201)
    (await api.post(path, config_map("a"))).assert_refused(
        409, "AlreadyExists", 'configmaps "a" already exists', details(CONFIG_MAPS, "a")
    )


async def test_a_bad_name_is_refused(api: Api, namespace: str) -> None:
    """With Kubernetes' own sentence about what a name is."""
    answer = await api.post(CONFIG_MAPS.path(namespace=namespace), config_map("Not_A_Name"))
    message = (
        'Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain must consist of lower case '
        "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
        "character (e.g. 'example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )
    answer.assert_refused(
        422,
        "Invalid",
        f'ConfigMap "Not_A_Name" is invalid: metadata.name: {message}',
        {
            "name": "Not_A_Name",
            "kind": "ConfigMap",
            "causes": [
                {"reason": "FieldValueInvalid", "message": message, "field": "metadata.name"}
            ],
        },
    )


@pytest.mark.parametrize(
    ("metadata", "fields"),
    [
        pytest.param({"labels": {"a b": "c"}}, {"metadata.labels"}, id="label key"),
        pytest.param({"labels": {"a": "-c"}}, {"metadata.labels"}, id="label value"),
        pytest.param({"annotations": {"a b": "c"}}, {"metadata.annotations"}, id="annotation"),
        pytest.param(
            {"finalizers": ["not qualified!"]},
            {"metadata.finalizers", "metadata.finalizers[0]"},
            id="finalizer",
        ),
        pytest.param(
            {"ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": ""}]},
            {"metadata.ownerReferences[0].uid"},
            id="owner",
        ),
    ],
)
async def test_bad_metadata_is_refused(
    api: Api, namespace: str, metadata: KubeObject, fields: set[str]
) -> None:
    """Labels, annotations, finalizers and owners have rules of their own."""
    answer = await api.post(CONFIG_MAPS.path(namespace=namespace), config_map("a", **metadata))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert {cause["field"] for cause in answer.body["details"]["causes"]} == fields


async def test_the_body_has_to_fit_the_path(api: Api, namespace: str) -> None:
    """Another namespace, another kind, another version: none is what was asked for."""
    path = CONFIG_MAPS.path(namespace=namespace)
    elsewhere = await api.post(path, config_map("a", namespace="default"))
    elsewhere.assert_refused(
        400,
        "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request",
    )
    other_kind = await api.post(path, {**config_map("a"), "kind": "Secret"})
    other_kind.assert_refused(
        400,
        "BadRequest",
        'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to '
        "(core.ConfigMap): unknown conversion",
    )
    other_version = await api.post(path, {**config_map("a"), "apiVersion": "v2"})
    assert (other_version.status, other_version.body["reason"]) == (400, "BadRequest")


async def test_what_is_no_json_is_refused(api: Api, namespace: str) -> None:
    """Before anything else is looked at."""
    answer = await api.call("POST", CONFIG_MAPS.path(namespace=namespace), b"{not json")
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


async def test_other_formats_are_refused(api: Api, namespace: str) -> None:
    """The refusal lists those that are read."""
    answer = await api.call(
        "POST",
        CONFIG_MAPS.path(namespace=namespace),
        b"<configmap/>",
        headers={"Content-Type": "text/xml"},
    )
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")
    assert answer.body["message"].startswith(
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json"
    )


async def test_a_value_of_the_wrong_type_is_refused(api: Api, namespace: str) -> None:
    """ConfigMaps hold text only; the refusal names the field."""
    body = {**config_map("a"), "data": {"k": 5}}
    answer = await api.post(CONFIG_MAPS.path(namespace=namespace), body)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert "ConfigMap.data" in answer.body["message"]


async def test_yaml_is_read_as_well(api: Api, namespace: str) -> None:
    """People send what they have in a file."""
    answer = await api.call(
        "POST",
        CONFIG_MAPS.path(namespace=namespace),
        b"metadata:\n  name: a\ndata:\n  k: v\n",
        headers={"Content-Type": "application/yaml"},
    )
    assert answer.ok(201)["data"] == {"k": "v"}


async def test_nothing_is_created_in_a_missing_namespace(api: Api, name: str) -> None:
    """The refusal is about the namespace, not about the object."""
    answer = await api.post(CONFIG_MAPS.path(namespace=name), config_map("a"))
    answer.assert_refused(
        404, "NotFound", f'namespaces "{name}" not found', details(NAMESPACES, name)
    )


async def test_plain_text_of_a_secret_is_encoded(api: Api, namespace: str) -> None:
    """`stringData` is for writing only and wins over `data`."""
    body = {"metadata": {"name": "a"}, "data": {"k": "b2xk"}, "stringData": {"k": "new"}}
    made = (await api.post(SECRETS.path(namespace=namespace), body)).ok(201)
    assert made["data"] == {"k": "bmV3"}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


async def test_a_lease_tells_time_to_the_microsecond(api: Api, namespace: str) -> None:
    """Six digits, no more and no less."""
    path = LEASES.path(namespace=namespace)
    renewed = "2026-01-01T00:00:00.500000Z"
    made = await api.post(path, {"metadata": {"name": "a"}, "spec": {"renewTime": renewed}})
    assert made.ok(201)["spec"] == {"renewTime": renewed}
    short = "2026-01-01T00:00:00.5Z"
    answer = await api.post(path, {"metadata": {"name": "b"}, "spec": {"renewTime": short}})
    answer.assert_refused(
        400,
        "BadRequest",
        f'Lease in version "v1" cannot be handled as a Lease: parsing time "{short}" as '
        '"2006-01-02T15:04:05.000000Z07:00": cannot parse ".5Z" as ".000000"',
    )


async def test_a_lease_is_checked(api: Api, namespace: str) -> None:
    """A duration has to be longer than nothing."""
    body = {"metadata": {"name": "a"}, "spec": {"leaseDurationSeconds": 0}}
    answer = await api.post(LEASES.path(namespace=namespace), body)
    message = "Invalid value: 0: must be greater than 0"
    answer.assert_refused(
        422,
        "Invalid",
        f'Lease.coordination.k8s.io "a" is invalid: spec.leaseDurationSeconds: {message}',
        {
            "name": "a",
            "group": "coordination.k8s.io",
            "kind": "Lease",
            "causes": [
                {
                    "reason": "FieldValueInvalid",
                    "message": message,
                    "field": "spec.leaseDurationSeconds",
                }
            ],
        },
    )
