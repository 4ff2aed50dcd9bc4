"""Callers get documents in the form they like best."""

import pytest

from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.views.documents import accepted, in_accepted_form

DOCUMENT = {"kind": "APIVersions", "versions": ["v1"]}
AS_JSON = b'{"kind":"APIVersions","versions":["v1"]}\n'
AS_YAML = b"kind: APIVersions\nversions:\n- v1\n"


@pytest.mark.parametrize(
    ("accept", "body"),
    [
        (None, AS_JSON),
        ("", AS_JSON),
        ("*/*", AS_JSON),
        ("application/*", AS_JSON),
        ("application/yaml", AS_YAML),
        ("application/json;q=0.5, application/yaml", AS_YAML),
        ("application/json;as=Table;g=meta.k8s.io;v=v1,application/json", AS_JSON),
        ("application/vnd.kubernetes.protobuf, application/json", AS_JSON),
    ],
)
def test_the_best_liked_form_is_sent(accept: str | None, body: bytes) -> None:
    """Clients list several, and take what the server has."""
    assert in_accepted_form(DOCUMENT, accept=accept).body == body


@pytest.mark.parametrize("accept", ["text/html", "application/json;as=Table;g=meta.k8s.io;v=v1"])
def test_a_caller_who_takes_nothing_of_it_is_refused(accept: str) -> None:
    """In the words of a real plane."""
    with pytest.raises(ApiFailure) as refusal:
        in_accepted_form(DOCUMENT, accept=accept)
    assert (refusal.value.code, refusal.value.reason) == (406, "NotAcceptable")
    assert refusal.value.message == (
        "only the following media types are accepted: application/json, application/yaml, "
        "application/vnd.kubernetes.protobuf"
    )


def test_parameters_of_a_media_type_are_read() -> None:
    """Aggregated discovery is asked for by them."""
    (first, second) = accepted('a/b;q=0.2;as="X", c/d ; v=v2')
    assert (first.type, dict(first.parameters)) == ("c/d", {"v": "v2"})
    assert (second.type, dict(second.parameters), second.weight) == ("a/b", {"as": "X"}, 0.2)
