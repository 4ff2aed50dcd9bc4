"""The rule about acceptance that the API server is asked to enforce."""

from towline_hub.clusters.acceptance_guard import acceptance_guard


def test_the_guard_asks_for_the_right_ocms_webhook_asks_for() -> None:
    """An operator grants one right, whichever of the two enforces it."""
    policy, _ = acceptance_guard()
    (validation,) = policy["spec"]["validations"]
    assert validation["expression"] == (
        "authorizer.group('register.open-cluster-management.io').resource('managedclusters')"
        ".subresource('accept').name(object.metadata.name).check('update').allowed()"
    )
    assert validation["reason"] == "Forbidden"


def test_the_guard_fails_closed_and_touches_nothing_but_acceptance() -> None:
    """It stands in the way of every write of a ManagedCluster, so it must let the others pass."""
    policy, binding = acceptance_guard()
    (condition,) = policy["spec"]["matchConditions"]
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert "oldObject.spec.hubAcceptsClient" in condition["expression"]
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert rule["resources"] == ["managedclusters"]
    assert binding["spec"] == {
        "policyName": policy["metadata"]["name"],
        "validationActions": ["Deny"],
    }
