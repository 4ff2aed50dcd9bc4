"""Either version can be asked for, and nothing that anybody wrote is lost by it."""

import copy
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from support.drawn_addons import drawn, schema
from support.drawn_instances import validator
from towline_api.conversion import ConversionError, convert
from towline_api.crds import CONVERTED_KINDS
from towline_api.names import CONVERSION_ANNOTATION
from towline_api.resources import KubeObject

GROUP = "addon.open-cluster-management.io"
OLD, NEW = f"{GROUP}/v1alpha1", f"{GROUP}/v1beta1"
NAMESPACE_ANNOTATION = "addon.open-cluster-management.io/v1alpha1-install-namespace"
KUBE_CLIENT = "kubernetes.io/kube-apiserver-client"


def addon(version: str = OLD, **parts: Any) -> KubeObject:
    """Return a ManagedClusterAddOn."""
    annotations = parts.pop("annotations", None)
    metadata: KubeObject = {"name": "hello", "namespace": "c1", "uid": "u", "generation": 3}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": version,
        "kind": "ManagedClusterAddOn",
        "metadata": metadata,
        "spec": {},
        **parts,
    }


def definition(version: str = OLD, **parts: Any) -> KubeObject:
    """Return a ClusterManagementAddOn."""
    return {
        "apiVersion": version,
        "kind": "ClusterManagementAddOn",
        "metadata": {"name": "hello", "uid": "u"},
        "spec": {},
        **parts,
    }


def convert_unchanged(obj: KubeObject, version: str) -> KubeObject:
    """Convert, and see that the input was left alone and the metadata kept."""
    before = copy.deepcopy(obj)
    converted = convert(obj, api_version=version)
    assert obj == before
    assert converted["apiVersion"] == version
    assert converted["kind"] == obj["kind"]
    assert without_annotations(converted) == without_annotations(obj)
    return converted


def without_annotations(obj: KubeObject) -> KubeObject:
    return {key: value for key, value in obj["metadata"].items() if key != "annotations"}


def memory(obj: KubeObject) -> Any:
    """Return what an object remembers of its other version; None for nothing."""
    text = obj["metadata"].get("annotations", {}).get(CONVERSION_ANNOTATION)
    return None if text is None else json.loads(text)


# Each pair says the same in both versions, so that it converts both ways with nothing remembered.
PAIRS: dict[str, tuple[KubeObject, KubeObject]] = {
    "install namespace": (
        addon(spec={"installNamespace": "helloworld", "configs": []}),
        addon(NEW, spec={"configs": []}, annotations={NAMESPACE_ANNOTATION: "helloworld"}),
    ),
    "beside other annotations": (
        addon(spec={"installNamespace": "x"}, annotations={"a": "b"}),
        addon(NEW, annotations={"a": "b", NAMESPACE_ANNOTATION: "x"}),
    ),
    "no install namespace": (addon(annotations={"a": "b"}), addon(NEW, annotations={"a": "b"})),
    "client registration": (
        addon(status={"registrations": [{"signerName": KUBE_CLIENT, "subject": {"user": "u"}}]}),
        addon(
            NEW,
            status={
                "registrations": [{"type": "kubeClient", "kubeClient": {"subject": {"user": "u"}}}]
            },
        ),
    ),
    "registration without a subject": (
        addon(status={"registrations": [{"signerName": KUBE_CLIENT}]}),
        addon(NEW, status={"registrations": [{"type": "kubeClient"}]}),
    ),
    "driver": (
        addon(
            status={
                "kubeClientDriver": "token",
                "registrations": [
                    {"signerName": KUBE_CLIENT},
                    {"signerName": "example.com/x"},
                    {"signerName": KUBE_CLIENT, "subject": {"groups": ["g"]}},
                ],
            }
        ),
        addon(
            NEW,
            status={
                "registrations": [
                    {"type": "kubeClient", "kubeClient": {"driver": "token"}},
                    {"type": "customSigner", "customSigner": {"signerName": "example.com/x"}},
                    {
                        "type": "kubeClient",
                        "kubeClient": {"subject": {"groups": ["g"]}, "driver": "token"},
                    },
                ]
            },
        ),
    ),
    "custom signer": (
        addon(
            status={
                "registrations": [
                    {
                        "signerName": "example.com/x",
                        "subject": {"user": "u", "groups": ["g"], "organizationUnit": ["o"]},
                    }
                ]
            }
        ),
        addon(
            NEW,
            status={
                "registrations": [
                    {
                        "type": "customSigner",
                        "customSigner": {
                            "signerName": "example.com/x",
                            "subject": {"user": "u", "groups": ["g"], "organizationUnits": ["o"]},
                        },
                    }
                ]
            },
        ),
    ),
    "configuration": (
        addon(
            status={
                "configReferences": [
                    {
                        "group": "g",
                        "resource": "r",
                        "namespace": "n",
                        "name": "x",
                        "desiredConfig": {"namespace": "n", "name": "x", "specHash": "h"},
                    },
                    {"resource": "r", "name": "y", "lastAppliedConfig": {"name": "y"}},
                ]
            }
        ),
        addon(
            NEW,
            status={
                "configReferences": [
                    {
                        "group": "g",
                        "resource": "r",
                        "desiredConfig": {"namespace": "n", "name": "x", "specHash": "h"},
                    },
                    {"resource": "r", "lastAppliedConfig": {"name": "y"}},
                ]
            },
        ),
    ),
    "what is the same": (
        addon(status={"namespace": "n", "conditions": [{"type": "Available"}], "future": 1}),
        addon(NEW, status={"namespace": "n", "conditions": [{"type": "Available"}], "future": 1}),
    ),
    "default configurations": (
        definition(
            spec={
                "addOnMeta": {"displayName": "Hello"},
                "supportedConfigs": [
                    {"group": "g", "resource": "r", "defaultConfig": {"name": "x"}},
                    {"resource": "s", "defaultConfig": {"namespace": "n", "name": "y"}},
                    {"resource": "t"},
                ],
                "installStrategy": {"type": "Manual"},
            },
            status={"defaultconfigReferences": [{"group": "g", "resource": "r"}]},
        ),
        definition(
            NEW,
            spec={
                "addOnMeta": {"displayName": "Hello"},
                "defaultConfigs": [
                    {"group": "g", "resource": "r", "name": "x"},
                    {"resource": "s", "namespace": "n", "name": "y"},
                    {"resource": "t", "name": "__reserved_no_default__"},
                ],
                "installStrategy": {"type": "Manual"},
            },
            status={"defaultConfigReferences": [{"group": "g", "resource": "r"}]},
        ),
    ),
    "no status": (definition(), definition(NEW)),
}


@pytest.mark.parametrize(("old", "new"), PAIRS.values(), ids=PAIRS)
def test_every_field_goes_where_the_other_version_has_it(old: KubeObject, new: KubeObject) -> None:
    """The places are OCM's: its components read what our webhook converted."""
    assert convert_unchanged(old, NEW) == new
    assert convert_unchanged(new, OLD) == old


# What the other version has no field for: the object, and what its other form shows of it.
LOSSY: dict[str, tuple[KubeObject, KubeObject]] = {
    "units of a client registration": (
        addon(
            status={
                "registrations": [
                    {
                        "signerName": KUBE_CLIENT,
                        "subject": {"user": "u", "organizationUnit": ["o"]},
                    }
                ]
            }
        ),
        {"registrations": [{"type": "kubeClient", "kubeClient": {"subject": {"user": "u"}}}]},
    ),
    "driver without a registration": (addon(status={"kubeClientDriver": "csr"}), {}),
    "name of its own": (
        addon(
            status={
                "configReferences": [
                    {"resource": "r", "name": "old", "desiredConfig": {"name": "new"}}
                ]
            }
        ),
        {"configReferences": [{"resource": "r", "desiredConfig": {"name": "new"}}]},
    ),
    "old configuration": (addon(status={"addOnConfiguration": {"crName": "x"}}), {}),
    "drivers that differ": (
        addon(
            NEW,
            status={
                "registrations": [
                    {"type": "kubeClient"},
                    {"type": "kubeClient", "kubeClient": {"driver": "token"}},
                    {"type": "kubeClient", "kubeClient": {"driver": "csr"}},
                ]
            },
        ),
        {
            "kubeClientDriver": "token",
            "registrations": [{"signerName": KUBE_CLIENT}] * 3,
        },
    ),
    "a member its type does not look at": (
        addon(
            NEW,
            status={
                "registrations": [
                    {
                        "type": "kubeClient",
                        "kubeClient": {},
                        "customSigner": {"signerName": "example.com/x"},
                    }
                ]
            },
        ),
        {"registrations": [{"signerName": KUBE_CLIENT}]},
    ),
    "a configuration that nobody wants": (
        addon(NEW, status={"configReferences": [{"resource": "r"}]}),
        {"configReferences": [{"resource": "r", "name": ""}]},
    ),
}


@pytest.mark.parametrize(("obj", "status"), LOSSY.values(), ids=LOSSY)
def test_what_the_other_version_cannot_say_comes_back(obj: KubeObject, status: KubeObject) -> None:
    """It is remembered in one annotation, which is gone again afterwards."""
    other = NEW if obj["apiVersion"] == OLD else OLD
    shown = convert_unchanged(obj, other)
    assert shown["status"] == status
    back = convert_unchanged(shown, obj["apiVersion"])
    assert back == obj
    assert memory(back) is None


def test_who_changes_a_part_means_what_it_says_then() -> None:
    """A registration for somebody else must not get the units of the former one."""
    obj, _ = LOSSY["units of a client registration"]
    shown = convert_unchanged(obj, NEW)
    shown["status"]["registrations"][0]["kubeClient"]["subject"]["user"] = "somebody else"
    back = convert_unchanged(shown, OLD)
    assert back["status"]["registrations"] == [
        {"signerName": KUBE_CLIENT, "subject": {"user": "somebody else"}}
    ]


def test_what_moves_in_a_list_takes_along_what_is_remembered() -> None:
    """Others may sort a list, and add to it."""
    obj, _ = LOSSY["units of a client registration"]
    shown = convert_unchanged(obj, NEW)
    shown["status"]["registrations"].insert(0, {"type": "kubeClient"})
    back = convert_unchanged(shown, OLD)
    assert back["status"]["registrations"][1] == obj["status"]["registrations"][0]
    assert back["status"]["registrations"][0] == {"signerName": KUBE_CLIENT}


def test_the_agents_driver_does_not_cost_what_is_remembered() -> None:
    """An agent that speaks the newer version declares it in every registration."""
    obj, _ = LOSSY["units of a client registration"]
    shown = convert_unchanged(obj, NEW)
    shown["status"]["registrations"][0]["kubeClient"]["driver"] = "csr"
    back = convert_unchanged(shown, OLD)
    assert back["status"] == obj["status"] | {"kubeClientDriver": "csr"}


@pytest.mark.parametrize(
    "told",
    [
        pytest.param("not json", id="no JSON"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("[]", id="no object"),
        pytest.param('{"registrations": 1, "drivers": {}, "installNamespace": 7}', id="types"),
        pytest.param('{"registrations": [[0], [1, 2], ["a", {}], [9, {}]]}', id="no pairs"),
        pytest.param(
            '{"registrations": [[0, {"type": "kubeClient", "kubeClient": {"subject": {"user": '
            '"admin"}}}]], "drivers": ["token"]}',
            id="another subject and driver",
        ),
    ],
)
def test_an_annotation_somebody_made_up_changes_nothing(told: str) -> None:
    """Writing an object's metadata must not be a way to write its status."""
    status = {
        "kubeClientDriver": "csr",
        "registrations": [{"signerName": KUBE_CLIENT, "subject": {"user": "u"}}],
    }
    plain = convert_unchanged(addon(status=status), NEW)
    assert (
        convert(addon(status=status, annotations={CONVERSION_ANNOTATION: told}), api_version=NEW)
        == plain
    )
    there = convert(plain, api_version=OLD)
    plain["metadata"]["annotations"] = {CONVERSION_ANNOTATION: told}
    assert convert(plain, api_version=OLD) == there


def test_a_driver_is_not_declared_by_an_annotation() -> None:
    """Only where there was no registration to declare it for does it come from there."""
    told = {CONVERSION_ANNOTATION: '{"driver": "token"}'}
    status = {"registrations": [{"type": "kubeClient"}]}
    shown = convert_unchanged(addon(NEW, status=status, annotations=told), OLD)
    assert "kubeClientDriver" not in shown["status"]
    shown = convert_unchanged(addon(NEW, status={}, annotations=told), OLD)
    assert shown["status"] == {"kubeClientDriver": "token"}


@pytest.mark.parametrize(
    ("old", "shown"),
    [
        pytest.param(addon(annotations={NAMESPACE_ANNOTATION: "Not One"}), "Not One", id="no name"),
        pytest.param(
            addon(spec={"installNamespace": "x"}, annotations={NAMESPACE_ANNOTATION: "Not One"}),
            "Not One",
            id="no name beside the field",
        ),
        pytest.param(
            addon(spec={"installNamespace": "x"}, annotations={NAMESPACE_ANNOTATION: "y"}),
            "x",
            id="another name",
        ),
        pytest.param(addon(annotations={NAMESPACE_ANNOTATION: "y"}), "y", id="without the field"),
    ],
)
def test_an_annotation_of_the_old_version_keeps_its_value(old: KubeObject, shown: str) -> None:
    """The field counts there, and the annotation is one like any other."""
    new = convert_unchanged(old, NEW)
    assert new["metadata"]["annotations"][NAMESPACE_ANNOTATION] == shown
    assert convert_unchanged(new, OLD) == old


@pytest.mark.parametrize(
    ("obj", "version"),
    [
        pytest.param(addon(), f"{GROUP}/v2", id="unknown version"),
        pytest.param(addon() | {"kind": "Thing"}, NEW, id="unknown kind"),
        pytest.param({}, NEW, id="empty"),
        pytest.param(addon(spec=[]), NEW, id="spec"),
        pytest.param(addon(status={"registrations": "x"}), NEW, id="registrations"),
        pytest.param(addon(status={"registrations": [{}]}), NEW, id="no signer"),
        pytest.param(addon(NEW, status={"registrations": [{}]}), OLD, id="no type"),
        pytest.param(
            addon(NEW, status={"registrations": [{"type": "customSigner"}]}), OLD, id="no member"
        ),
        pytest.param(addon() | {"metadata": {"annotations": "x"}}, NEW, id="annotations"),
    ],
)
def test_what_cannot_be_converted_is_refused(obj: KubeObject, version: str) -> None:
    """A guess would be stored."""
    with pytest.raises(ConversionError):
        convert(obj, api_version=version)


def test_the_version_it_has_is_the_object_itself() -> None:
    """API servers do not ask that, but may."""
    obj = addon()
    assert convert(obj, api_version=OLD) is obj


KINDS = [kind.kind for kind in CONVERTED_KINDS]
thorough = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
@thorough
@given(data=st.data())
def test_every_object_survives_the_way_there_and_back(
    kind: str, version: str, data: st.DataObject
) -> None:
    """Through either version, whatever is in it, twice."""
    obj = data.draw(drawn(kind, version))
    other = "v1beta1" if version == "v1alpha1" else "v1alpha1"
    there = convert_unchanged(obj, f"{GROUP}/{other}")
    back = convert_unchanged(there, f"{GROUP}/{version}")
    assert back == obj
    assert convert_unchanged(back, f"{GROUP}/{other}") == there
    json.dumps(there)


@pytest.mark.parametrize("kind", KINDS)
@thorough
@given(data=st.data())
def test_what_is_stored_keeps_what_only_the_newer_version_says(
    kind: str, data: st.DataObject
) -> None:
    """Somebody reads as v1beta1, any number of times, what was written as v1beta1."""
    written = data.draw(drawn(kind, "v1beta1"))
    stored = convert(written, api_version=OLD)
    for _ in range(2):
        read = convert(stored, api_version=NEW)
        assert read == written
        stored = convert(read, api_version=OLD)


@pytest.mark.parametrize("kind", KINDS)
@thorough
@given(data=st.data())
def test_what_comes_of_a_valid_object_is_valid(kind: str, data: st.DataObject) -> None:
    """API servers do not look at what a webhook returns; later writes would be refused for it."""
    obj = data.draw(drawn(kind, "v1alpha1"))
    there = convert(obj, api_version=NEW)
    members = {name: there[name] for name in ("spec", "status") if name in there}
    _newer_validator(kind).validate(members)


@cache
def _newer_validator(kind: str) -> Draft202012Validator:
    return validator(schema(kind, "v1beta1"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    (
                        *("spec", "status", "metadata", "annotations", "registrations", "type"),
                        *("kubeClient", "driver", "subject", "configReferences", "name"),
                        *("desiredConfig", "supportedConfigs", "defaultConfigs"),
                        CONVERSION_ANNOTATION,
                    )
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    ),
    st.sampled_from([OLD, NEW]),
    st.sampled_from(KINDS),
)
@example({"status": {"registrations": [None]}}, OLD, KINDS[1])
def test_any_json_converts_or_is_refused(value: Any, version: str, kind: str) -> None:
    """The webhook meets no other exception, whatever somebody stored."""
    obj = value if isinstance(value, dict) else {"spec": value}
    obj = {**obj, "apiVersion": version, "kind": kind}
    try:
        convert(obj, api_version=NEW if version == OLD else OLD)
    except ConversionError as error:
        assert error.field  # noqa: PT017 - that there is none is as good an outcome
