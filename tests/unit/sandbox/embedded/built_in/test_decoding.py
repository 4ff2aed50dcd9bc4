"""Bodies are read as strictly, and as kindly, as the real server reads them.

Every sentence here was said by a kube-apiserver.
"""

from typing import Any

import pytest

from support.built_in_kinds import created, kind_of, read
from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in import duplicate_fields, kinds
from towline_sandbox.embedded.built_in.decoding import decode, decode_as
from towline_sandbox.embedded.model.calls import FieldValidation
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import GroupVersion, Kind

LEASES = kind_of("coordination.k8s.io/v1", "leases")
PODS = kind_of("v1", "pods")
SECRETS = kind_of("v1", "secrets")
CONFIG_MAPS = kind_of("v1", "configmaps")
DEPLOYMENTS = kind_of("apps/v1", "deployments")
ROLES = kind_of("rbac.authorization.k8s.io/v1", "roles")
CRDS = kind_of("apiextensions.k8s.io/v1", "customresourcedefinitions")


def pod(**container: Any) -> KubeObject:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", **container}]}}


def crd(schema: Any) -> KubeObject:
    version = {"name": "v1", "schema": {"openAPIV3Schema": schema}}
    return {"metadata": {"name": "x"}, "spec": {"versions": [version]}}


def refusal_of(kind: Kind, body: KubeObject, **how: Any) -> str:
    with pytest.raises(ApiFailure) as refusal:
        read(kind, body, **how)
    assert refusal.value.code == 400
    assert refusal.value.reason == "BadRequest"
    return refusal.value.message


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        (
            LEASES,
            {"spec": {"leaseDurationSeconds": "x"}},
            "string into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32",
        ),
        (
            LEASES,
            {"spec": {"leaseDurationSeconds": 1.5}},
            "number 1.5 into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32",
        ),
        (
            LEASES,
            {"spec": {"leaseDurationSeconds": 2.0}},
            "number 2.0 into Go struct field LeaseSpec.spec.leaseDurationSeconds of type int32",
        ),
        (
            LEASES,
            {"spec": {"leaseDurationSeconds": 99999999999}},
            (
                "number 99999999999 into Go struct field LeaseSpec.spec.leaseDurationSeconds of "
                "type int32"
            ),
        ),
        (LEASES, {"spec": "x"}, "string into Go struct field Lease.spec of type v1.LeaseSpec"),
        (
            LEASES,
            {"metadata": {"labels": {"a": 5}}},
            "number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            LEASES,
            {"metadata": {"finalizers": "a"}},
            "string into Go struct field ObjectMeta.metadata.finalizers of type []string",
        ),
        (
            LEASES,
            {"metadata": {"ownerReferences": [{"controller": "a"}]}},
            (
                "string into Go struct field OwnerReference.metadata.ownerReferences.controller of "
                "type bool"
            ),
        ),
        (SECRETS, {"data": {"a": 5}}, "number into Go struct field Secret.data of type []uint8"),
        (
            PODS,
            pod(ports=[1]),
            "number into Go struct field Container.spec.containers.ports of type v1.ContainerPort",
        ),
        (
            PODS,
            pod(livenessProbe={"httpGet": {"port": True}}),
            (
                "bool into Go struct field HTTPGetAction.spec.containers.livenessProbe."
                "ProbeHandler.httpGet.port of type int32"
            ),
        ),
        (
            PODS,
            {"spec": {"volumes": [{"name": "x", "configMap": "x"}]}},
            (
                "string into Go struct field Volume.spec.volumes.VolumeSource.configMap of type "
                "v1.ConfigMapVolumeSource"
            ),
        ),
        (
            PODS,
            {"spec": {"restartPolicy": 5}},
            "number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (
            PODS,
            pod(resources={"requests": "x"}),
            (
                "string into Go struct field ResourceRequirements.spec.containers.resources."
                "requests of type v1.ResourceList"
            ),
        ),
        (
            CRDS,
            crd({"type": "object", "properties": {"a": 5}}),
            (
                "number into Go struct field JSONSchemaProps.spec.versions.schema.openAPIV3Schema."
                "properties of type v1.JSONSchemaProps"
            ),
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_gos_sentence(
    kind: Kind, body: KubeObject, problem: str
) -> None:
    """The path in the sentence is what people look for in their manifest."""
    name = kind.resource.kind
    told = f'{name} in version "v1" cannot be handled as a {name}: json: cannot unmarshal {problem}'
    assert refusal_of(kind, body) == told


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        (SECRETS, {"data": {"a": "!!!"}}, "illegal base64 data at input byte 0"),
        (SECRETS, {"data": {"a": "YQ="}}, "illegal base64 data at input byte 3"),
        (SECRETS, {"data": {"a": "YQ==YQ=="}}, "illegal base64 data at input byte 4"),
        (SECRETS, {"data": {"a": "YWJj!"}}, "illegal base64 data at input byte 4"),
        (
            LEASES,
            {"spec": {"renewTime": "x"}},
            'parsing time "x" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "x" as "2006"',
        ),
        (
            PODS,
            pod(resources={"limits": {"cpu": "1e"}}),
            "unable to parse quantity's suffix",
        ),
        (CRDS, crd({"additionalProperties": 5}), "boolean or JSON schema expected"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(kind: Kind, body: KubeObject, problem: str) -> None:
    """Of the right JSON type, but not what it stands for."""
    assert refusal_of(kind, body).endswith(f": {problem}")


UNKNOWN = pod(foo=5) | {"bar": 1}
TOLD = ['unknown field "spec.containers[0].foo"', 'unknown field "bar"']


def test_unknown_fields_are_dropped_with_a_warning() -> None:
    """What kubectl prints after a typo."""
    warnings: list[str] = []
    found = read(PODS, UNKNOWN, warnings=warnings)
    assert warnings == TOLD
    assert "bar" not in found
    assert "foo" not in found["spec"]["containers"][0]


def test_unknown_fields_are_dropped_silently_if_asked() -> None:
    """Old clients ask for that."""
    warnings: list[str] = []
    found = read(PODS, UNKNOWN, field_validation=FieldValidation.IGNORE, warnings=warnings)
    assert warnings == []
    assert "bar" not in found


def test_unknown_fields_are_refused_if_asked() -> None:
    """What kubectl asks for by default."""
    told = refusal_of(PODS, UNKNOWN, field_validation=FieldValidation.STRICT)
    assert told == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '
        'unknown field "spec.containers[0].foo", unknown field "bar"'
    )


def test_fields_sent_twice_are_told_before_unknown_ones() -> None:
    """A field that is both is only told as unknown."""
    sent = b'{"metadata":{"name":"x","name":"y"},"data":{"a":"b","a":"c"},"zz":1,"zz":2}'
    duplicates = duplicate_fields(sent)
    assert duplicates == ("metadata.name", "data.a", "zz")
    warnings: list[str] = []
    decode(
        {"metadata": {"name": "y"}, "data": {"a": "c"}, "zz": 2},
        kind=CONFIG_MAPS,
        field_validation=FieldValidation.WARN,
        warnings=warnings,
        duplicates=duplicates,
    )
    assert warnings == [
        'duplicate field "metadata.name"',
        'duplicate field "data.a"',
        'unknown field "zz"',
    ]


def test_equal_names_in_different_objects_are_no_duplicates() -> None:
    """Only a field of one and the same object can be sent twice."""
    assert duplicate_fields(b'{"a":[{"x":1},{"x":2}],"b":{"x":3}}') == ()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {"apiVersion": "apps/v1beta1", "kind": "Deployment"},
            (
                "the API version in the data (apps/v1beta1) does not match the expected API "
                "version (apps/v1)"
            ),
        ),
        (
            {"apiVersion": "v1", "kind": "Deployment"},
            (
                'Deployment in version "v1" cannot be handled as a Deployment: no kind '
                '"Deployment" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"'
            ),
        ),
        (
            {"apiVersion": "apps/v1", "kind": "StatefulSet"},
            (
                'StatefulSet in version "v1" cannot be handled as a Deployment: converting '
                "(v1.StatefulSet) to (apps.Deployment): unknown conversion"
            ),
        ),
    ],
)
def test_a_body_of_another_kind_is_refused(body: KubeObject, told: str) -> None:
    """Each way of being wrong has a sentence of its own."""
    assert refusal_of(DEPLOYMENTS, body) == told


def test_a_body_that_names_no_kind_is_of_the_kind_it_was_sent_to() -> None:
    """The path says enough."""
    found = read(LEASES, {"metadata": {"name": "x"}})
    assert (found["apiVersion"], found["kind"]) == ("coordination.k8s.io/v1", "Lease")


def test_nothing_and_empty_are_told_apart_where_go_can() -> None:
    """A pointer keeps zero and the empty string; a plain field forgets them."""
    spec = {"replicas": 0, "minReadySeconds": 0, "paused": False, "revisionHistoryLimit": None}
    found = read(DEPLOYMENTS, {"metadata": {"labels": {}, "name": "x"}, "spec": spec})
    assert found["metadata"] == {"name": "x"}
    assert found["spec"]["replicas"] == 0
    assert found["spec"].keys().isdisjoint({"minReadySeconds", "paused", "revisionHistoryLimit"})


def test_what_go_cannot_leave_out_is_added() -> None:
    """Objects look as after a trip through a real server."""
    assert read(ROLES, {"metadata": {"name": "x"}, "rules": []})["rules"] is None
    found = read(DEPLOYMENTS, {})
    assert found["spec"] == {
        "selector": None,
        "template": {"metadata": {}, "spec": {"containers": None}},
        "strategy": {},
    }
    assert found["status"] == {}


def test_null_in_a_list_or_map_is_the_empty_value() -> None:
    """Go has no null for a string."""
    found = read(PODS, pod(args=["a", None], env=[None]))
    assert found["spec"]["containers"][0]["args"] == ["a", ""]
    assert found["spec"]["containers"][0]["env"] == [{"name": ""}]
    assert read(CONFIG_MAPS, {"data": {"a": None}})["data"] == {"a": ""}


def test_schemas_of_definitions_are_read_however_deep() -> None:
    """They contain themselves, as schemas and as things that may be one."""
    inner = {"type": "object", "zip": 1, "nullable": False}
    schema: KubeObject = {"items": inner, "additionalProperties": inner, "enum": [None, {"a": []}]}
    warnings: list[str] = []
    found = read(CRDS, crd({"properties": {"a": schema}, "foo": 1}), warnings=warnings)
    kept = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["a"]
    assert kept["items"] == kept["additionalProperties"] == {"type": "object"}
    assert kept["enum"] == [None, {"a": []}]
    assert warnings == ['unknown field "spec.versions[0].schema.openAPIV3Schema.foo"']


def test_the_body_of_a_subresource_can_be_of_another_kind() -> None:
    """Scaling sends a Scale to a Deployment."""
    scale = decode_as(
        {"metadata": {"name": "x"}, "spec": {"replicas": 3}},
        group_version=GroupVersion("autoscaling", "v1"),
        kind="Scale",
        field_validation=FieldValidation.STRICT,
        warnings=[],
    )
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 3})


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: str(kind.resource.qualified))
def test_reading_twice_changes_nothing(kind: Kind) -> None:
    """Every patch reads the stored object again: it must not drift."""
    once = read(kind, {"metadata": {"name": "x"}})
    assert read(kind, once) == once


def test_a_complete_deployment_is_what_the_real_server_stores() -> None:
    """One object through everything: reading, defaults, what the server adds."""
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {
            "containers": [{"name": "c", "image": "busybox", "ports": [{"containerPort": 80}]}],
            "volumes": [{"name": "v", "secret": {"secretName": "s"}}, {"name": "w"}],
            "serviceAccountName": "sa",
        },
    }
    found = created(
        DEPLOYMENTS,
        {
            "metadata": {"name": "w1"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        },
    )
    assert found["spec"] == {
        "replicas": 1,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "volumes": [
                    {"name": "v", "secret": {"secretName": "s", "defaultMode": 420}},
                    {"name": "w", "emptyDir": {}},
                ],
                "containers": [
                    {
                        "name": "c",
                        "image": "busybox",
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        "resources": {},
                        "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                        "imagePullPolicy": "Always",
                    }
                ],
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": 30,
                "dnsPolicy": "ClusterFirst",
                "serviceAccountName": "sa",
                "serviceAccount": "sa",
                "securityContext": {},
                "schedulerName": "default-scheduler",
            },
        },
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
        },
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    assert found["status"] == {}
