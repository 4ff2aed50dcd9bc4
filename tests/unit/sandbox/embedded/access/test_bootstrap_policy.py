"""What every cluster starts with. That the file is right is checked against a real server."""

import pytest

from support.policies import put
from towline_sandbox.embedded.access import Attributes, Authorizer, bootstrap_policy
from towline_sandbox.embedded.model.calls import ANONYMOUS, User
from towline_sandbox.embedded.storage.store import Store

ALICE = User("alice", ("system:authenticated",))


@pytest.mark.parametrize(
    ("user", "wanted", "expected"),
    [
        pytest.param(ANONYMOUS, Attributes.of_path("GET", "/version"), True, id="version"),
        pytest.param(ANONYMOUS, Attributes.of_path("GET", "/api"), False, id="no-discovery"),
        pytest.param(ALICE, Attributes.of_path("GET", "/apis/apps/v1"), True, id="discovery"),
        pytest.param(
            ALICE,
            Attributes("create", "authorization.k8s.io", resource="selfsubjectaccessreviews"),
            True,
            id="ask-about-oneself",
        ),
        pytest.param(ALICE, Attributes("list", resource="namespaces"), False, id="nothing-else"),
    ],
)
def test_everybody_may_find_out_what_is_served(
    user: User, wanted: Attributes, expected: bool
) -> None:
    """Without these kubectl does not get as far as a refusal."""
    authorizer = Authorizer(put(Store(), *bootstrap_policy.objects()))
    assert authorizer.authorize(user, wanted).allowed is expected


def test_each_object_is_a_fresh_one() -> None:
    """Whoever stores them adds uids and times."""
    first, second = bootstrap_policy.objects(), bootstrap_policy.objects()
    first[0]["metadata"]["labels"].clear()
    assert second[0]["metadata"]["labels"]
