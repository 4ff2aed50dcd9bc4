"""What runs Pods: Deployments, DaemonSets, ReplicaSets, StatefulSets, Jobs, CronJobs."""

from collections.abc import Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import cron_job_name, dns_label, dns_subdomain
from towline_sandbox.embedded.built_in.traits.composing import (
    at,
    check_all,
    selectable,
    text_at,
    unchanged,
)
from towline_sandbox.embedded.built_in.traits.defaulting import (
    Defaults,
    Each,
    Made,
    set_defaults,
)
from towline_sandbox.embedded.built_in.traits.pod_defaults import complete_pod_spec
from towline_sandbox.embedded.built_in.traits.pod_rules import check_pod_spec
from towline_sandbox.embedded.built_in.traits.pod_warnings import warn_of_template
from towline_sandbox.embedded.built_in.traits.rollout_status import check_deployment_status
from towline_sandbox.embedded.built_in.traits.rollouts import (
    check_daemon_rollout,
    check_deployment_rollout,
    check_deployment_times,
)
from towline_sandbox.embedded.built_in.traits.selectors import check_selector, is_empty, selects
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import Check, Complete, StorageKey, Traits
from towline_sandbox.embedded.model.wording import (
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)

_REVISION_HISTORY = 10
_DEPLOYMENT: Defaults = {
    "spec": {
        "replicas": 1,
        "strategy": {"type": "RollingUpdate"},
        "revisionHistoryLimit": _REVISION_HISTORY,
        "progressDeadlineSeconds": 600,
    }
}
_DAEMON_SET: Defaults = {
    "spec": {
        "updateStrategy": {"type": "RollingUpdate"},
        "revisionHistoryLimit": _REVISION_HISTORY,
    }
}
_REPLICA_SET: Defaults = {"spec": {"replicas": 1}}
_STATEFUL_SET: Defaults = {
    "spec": {
        "replicas": 1,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate"},
        "revisionHistoryLimit": _REVISION_HISTORY,
        "persistentVolumeClaimRetentionPolicy": Made(
            {"whenDeleted": "Retain", "whenScaled": "Retain"}
        ),
        "volumeClaimTemplates": Each(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "spec": {"volumeMode": "Filesystem"},
                "status": {"phase": "Pending"},
            }
        ),
    }
}
_JOB: Defaults = {
    "spec": {
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "manualSelector": False,
        "podReplacementPolicy": "TerminatingOrFailed",
    }
}
_CRON_JOB: Defaults = {
    "spec": {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
}
_ROLLING: dict[str, Defaults] = {
    "strategy": {"maxUnavailable": "25%", "maxSurge": "25%"},
    "daemons": {"maxUnavailable": 1, "maxSurge": 0},
    "stateful": {"partition": 0, "maxUnavailable": 1},
}
_CONCURRENCY = ("Allow", "Forbid", "Replace")
_UID_LABEL = "batch.kubernetes.io/controller-uid"
_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _completed(defaults: Defaults, *, strategy: str = "", rolling: str = "") -> Complete:
    def complete(obj: KubeObject) -> None:
        set_defaults(obj, defaults)
        complete_pod_spec(obj["spec"]["template"]["spec"])
        if strategy and obj["spec"][strategy]["type"] == "RollingUpdate":
            set_defaults(obj["spec"][strategy], {"rollingUpdate": Made(_ROLLING[rolling])})

    return complete


def _complete_daemon_set(daemon_set: KubeObject) -> None:
    _completed(_DAEMON_SET, strategy="updateStrategy", rolling="daemons")(daemon_set)
    # Inside the server neither can be left out.
    rollout = daemon_set["spec"]["updateStrategy"].get("rollingUpdate")
    if rollout is not None:
        set_defaults(rollout, {"maxUnavailable": 0, "maxSurge": 0})
    # Corrected when it is stored; but it belongs to whoever writes the object.
    daemon_set["metadata"].setdefault("annotations", {}).setdefault(_TEMPLATE_GENERATION, "1")


def _complete_job(job: KubeObject) -> None:
    set_defaults(job, _JOB)
    spec = job["spec"]
    # One run at a time, and once, unless either number is given.
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    labels = at(spec, "template.metadata.labels")
    if labels and not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(labels)
    complete_pod_spec(spec["template"]["spec"])


def _complete_cron_job(cron_job: KubeObject) -> None:
    set_defaults(cron_job, _CRON_JOB)
    complete_pod_spec(cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"])


def _fill_job(_call: Call, new: KubeObject, old: KubeObject | None) -> None:
    spec, metadata = new["spec"], new["metadata"]
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    if old is None and not spec.get("manualSelector"):
        own = {"controller-uid": metadata["uid"], "job-name": metadata["name"]}
        for prefix in ("batch.kubernetes.io/", ""):
            for name, value in own.items():
                labels.setdefault(f"{prefix}{name}", value)
        selector = spec.setdefault("selector", {}).setdefault("matchLabels", {})
        selector.setdefault(_UID_LABEL, metadata["uid"])
    if labels:
        metadata["labels"] = metadata.get("labels") or dict(labels)


def _fill_daemon_set(_call: Call, new: KubeObject, old: KubeObject | None) -> None:
    """Count the template's changes where they were counted before there was a generation."""
    if old is None:
        count = 1
    else:
        before = (old["metadata"].get("annotations") or {}).get(_TEMPLATE_GENERATION, "0")
        count = int(before) + (new["spec"]["template"] != old["spec"]["template"])
    new["metadata"].setdefault("annotations", {})[_TEMPLATE_GENERATION] = str(count)


def _check_workload(
    called: str, *, selector_required: bool = True, counts_replicas: bool = True
) -> Check:
    """Return the rules of what keeps Pods running that its selector picks."""

    def check(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
        if call.subresource:
            return
        spec = new["spec"]
        if counts_replicas and spec["replicas"] < 0:
            told = "must be greater than or equal to 0"
            yield invalid_value("spec.replicas", spec["replicas"], told)
        selector = spec.get("selector")
        if selector is None and selector_required:
            yield required("spec.selector")
        elif selector is not None and is_empty(selector):
            yield invalid_value("spec.selector", {}, f"empty selector is invalid for {called}")
        elif selector is not None:
            yield from check_selector("spec.selector", selector)
        yield from _check_template("spec.template", spec, selector)
        yield from check_pod_spec("spec.template.spec", spec["template"]["spec"])
        policy = spec["template"]["spec"]["restartPolicy"]
        if policy != "Always":
            yield unsupported("spec.template.spec.restartPolicy", policy, ("Always",))

    return check


def _check_template(where: str, spec: KubeObject, selector: KubeObject | None) -> Iterator[Cause]:
    labels = at(spec, "template.metadata.labels") or {}
    # No selector picks nothing, an empty one everything.
    if selector is None or not selects(selector, labels):
        told = "`selector` does not match template `labels`"
        yield invalid_value(f"{where}.metadata.labels", labels or None, told)


def _check_deployment(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    strategy = new["spec"]["strategy"]
    kind = strategy["type"]
    if kind == "Recreate" and "rollingUpdate" in strategy:
        told = "may not be specified when strategy `type` is 'Recreate'"
        yield forbidden_field("spec.strategy.rollingUpdate", told)
    elif kind not in ("Recreate", "RollingUpdate"):
        yield unsupported(
            "spec.strategy",
            _go_strategy(strategy),
            ("Recreate", "RollingUpdate"),
        )
    elif "rollingUpdate" in strategy:
        where = "spec.strategy.rollingUpdate"
        yield from check_deployment_rollout(where, strategy["rollingUpdate"])
    yield from check_deployment_times(new["spec"])


def _check_daemon_set(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    strategy = new["spec"]["updateStrategy"]
    if strategy["type"] not in ("RollingUpdate", "OnDelete"):
        kinds = ("RollingUpdate", "OnDelete")
        yield unsupported("spec.updateStrategy", _go_strategy(strategy), kinds)
    elif strategy["type"] == "RollingUpdate":
        yield from check_daemon_rollout(
            "spec.updateStrategy.rollingUpdate", strategy["rollingUpdate"]
        )


def _check_stateful_set(_call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    strategy = new["spec"]["updateStrategy"]
    if strategy["type"] not in ("RollingUpdate", "OnDelete"):
        told = "must be 'RollingUpdate' or 'OnDelete'"
        yield invalid_value("spec.updateStrategy", _go_strategy(strategy), told)


def _go_strategy(strategy: KubeObject) -> KubeObject:
    told = {"type": strategy["type"], "rollingUpdate": strategy.get("rollingUpdate")}
    return _go_names(told)


def _go_names(value: KubeObject) -> KubeObject:
    """Return the value with its fields called as inside the server, where some complaints end."""
    return {
        name[0].upper() + name[1:]: _go_names(inner) if isinstance(inner, dict) else inner
        for name, inner in value.items()
    }


def _check_job(call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    spec, uid = new["spec"], new["metadata"]["uid"]
    selector = spec.get("selector") or {}
    generated = {"matchLabels": {_UID_LABEL: uid}}
    if old is None and not spec.get("manualSelector") and selector != generated:
        yield invalid_value("spec.selector", selector, "`selector` not auto-generated")
    yield from _check_template("spec.template", spec, selector)
    yield from check_pod_spec("spec.template.spec", spec["template"]["spec"])
    yield from _check_run_policy("spec.template.spec", spec["template"]["spec"])


def _check_run_policy(where: str, spec: KubeObject) -> Iterator[Cause]:
    if spec["restartPolicy"] == "Always":
        yield required(f"{where}.restartPolicy", 'valid values: "OnFailure", "Never"')


def _check_cron_job(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    spec = new["spec"]
    template = spec["jobTemplate"]["spec"]["template"]["spec"]
    where = "spec.jobTemplate.spec.template.spec"
    yield from check_pod_spec(where, template)
    yield from _check_run_policy(where, template)
    schedule = spec.get("schedule", "")
    fields = schedule.split()
    if not schedule:
        yield required("spec.schedule")
    elif len(fields) != 5 and not schedule.startswith("@"):
        told = f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
        yield invalid_value("spec.schedule", schedule, told)
    if spec["concurrencyPolicy"] not in _CONCURRENCY:
        yield unsupported("spec.concurrencyPolicy", spec["concurrencyPolicy"], _CONCURRENCY)


_TEMPLATE_WARNINGS = warn_of_template("spec.template.spec")

TRAITS = {
    StorageKey("apps", "deployments"): Traits(
        complete=_completed(_DEPLOYMENT, strategy="strategy", rolling="strategy"),
        check=check_all(
            _check_workload("deployment"),
            _check_deployment,
            check_deployment_status,
            unchanged("spec.selector"),
        ),
        check_name=dns_subdomain,
        warn=_TEMPLATE_WARNINGS,
        counts_generation=True,
    ),
    StorageKey("apps", "daemonsets"): Traits(
        complete=_complete_daemon_set,
        fill=_fill_daemon_set,
        check=check_all(
            _check_workload("daemonset", selector_required=False, counts_replicas=False),
            _check_daemon_set,
            unchanged("spec.selector"),
        ),
        check_name=dns_subdomain,
        warn=_TEMPLATE_WARNINGS,
        counts_generation=True,
    ),
    StorageKey("apps", "replicasets"): Traits(
        complete=_completed(_REPLICA_SET),
        check=check_all(_check_workload("deployment"), unchanged("spec.selector")),
        check_name=dns_subdomain,
        warn=_TEMPLATE_WARNINGS,
        counts_generation=True,
        selectable=selectable("status.replicas"),
    ),
    StorageKey("apps", "statefulsets"): Traits(
        complete=_completed(_STATEFUL_SET, strategy="updateStrategy", rolling="stateful"),
        check=check_all(
            _check_workload("statefulset"),
            _check_stateful_set,
            unchanged(
                "spec.serviceName",
                "spec.podManagementPolicy",
                "spec.selector",
                "spec.volumeClaimTemplates",
            ),
        ),
        check_name=dns_label,
        warn=_TEMPLATE_WARNINGS,
        counts_generation=True,
    ),
    StorageKey("batch", "jobs"): Traits(
        complete=_complete_job,
        fill=_fill_job,
        check=check_all(
            _check_job, unchanged("spec.completions", "spec.selector", "spec.template")
        ),
        check_name=dns_subdomain,
        warn=_TEMPLATE_WARNINGS,
        counts_generation=True,
        selectable={"status.successful": text_at("status.succeeded")},
    ),
    StorageKey("batch", "cronjobs"): Traits(
        complete=_complete_cron_job,
        check=_check_cron_job,
        check_name=cron_job_name,
        warn=warn_of_template("spec.jobTemplate.spec.template.spec"),
        counts_generation=True,
    ),
}
