"""Where to listen, as a person writes it."""

import pytest
from pydantic import TypeAdapter

from towline_kube.listen_address import ListenAddress, ListenOrOff, parse_listen_address

FIELD: TypeAdapter[ListenAddress | None] = TypeAdapter(ListenOrOff)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0.0.0:8080", ListenAddress("0.0.0.0", 8080)),
        ("[::]:8080", ListenAddress("::", 8080)),
        ("localhost:0", ListenAddress("localhost", 0)),
        ("off", None),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, expected: ListenAddress | None) -> None:
    """Also in brackets, as in a URL."""
    assert parse_listen_address(text) == expected
    assert (str(expected) if expected else "off") == text
    assert FIELD.validate_python(text) == expected


@pytest.mark.parametrize(
    "text", ["8080", ":8080", "host", "host:", "host:http", "host:65536", "::1:80", "[h]:80", ""]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    """Above all a bare port: on which interfaces is a decision."""
    with pytest.raises(ValueError, match=r"0\.0\.0\.0:8080"):
        parse_listen_address(text)


def test_off_in_a_yaml_file_is_off() -> None:
    """YAML takes the bare word for false."""
    assert FIELD.validate_python(False) is None
