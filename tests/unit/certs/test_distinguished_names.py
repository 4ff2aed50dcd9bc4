import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from support.csrs import BMP, CN, IA5, OU, PRINTABLE, TELETEX, UTF8, O, der, der_attribute, der_name
from towline_certs import AddonIdentity, Subject
from towline_certs.der import DerError
from towline_certs.distinguished_names import (
    StringEncoding,
    find_plain_subject,
    format_name,
    parse_name,
)

values = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(values, st.frozensets(values, max_size=4), st.frozensets(values, max_size=3))
def test_a_subject_survives_being_written(common_name, organizations, units):
    """A certificate has to name exactly the subject that was decided on, however long its name."""
    subject = Subject(common_name, organizations, units)
    assert find_plain_subject(parse_name(format_name(subject).public_bytes())) == subject


def test_organizations_share_one_set_as_in_requests_made_by_go():
    """The API server's own library writes it so; a reader of ours must not mind."""
    identity = AddonIdentity("c1", "a", "g")
    attributes = parse_name(format_name(identity.subject).public_bytes())
    assert [(each.oid, each.rdn) for each in attributes] == [(O, 0), (O, 0), (CN, 1)]


def test_organizations_in_sets_of_their_own_mean_the_same():
    """Openssl writes one set for each."""
    name = der_name([der_attribute(O, "b")], [der_attribute(CN, "c")], [der_attribute(O, "a")])
    assert find_plain_subject(parse_name(name)) == Subject("c", frozenset({"a", "b"}))


@pytest.mark.parametrize(
    ("tag", "raw", "text", "encoding"),
    [
        (UTF8, "é".encode(), "é", StringEncoding.UTF8),
        (PRINTABLE, b"a:b", "a:b", StringEncoding.PRINTABLE),
        (IA5, b"a@b", "a@b", StringEncoding.IA5),
        (TELETEX, b"\xe9", "é", StringEncoding.TELETEX),
        (BMP, b"\x00a", "a", StringEncoding.BMP),
        (0x03, b"\x00\x01", "#03020001", StringEncoding.OTHER),
    ],
)
def test_every_string_type_is_told_apart(tag, raw, text, encoding):
    """A value is what its bytes mean in its own type, and the type is kept for the policy."""
    (attribute,) = parse_name(der_name([der_attribute(CN, raw, tag=tag)]))
    assert (attribute.value, attribute.encoding) == (text, encoding)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(der_name(), id="empty"),
        pytest.param(der_name([der_attribute(O, "o")]), id="no-common-name"),
        pytest.param(der_name([der_attribute(CN, "a")], [der_attribute(CN, "b")]), id="two-names"),
        pytest.param(der_name([der_attribute(CN, "a"), der_attribute(CN, "b")]), id="names-in-set"),
        pytest.param(
            der_name([der_attribute(CN, "a")], [der_attribute(O, "o")], [der_attribute(O, "o")]),
            id="same-organization-twice",
        ),
        pytest.param(
            der_name([der_attribute(CN, "a")], [der_attribute(OU, "u")], [der_attribute(OU, "u")]),
            id="same-unit-twice",
        ),
        pytest.param(der_name([der_attribute(CN, "a"), der_attribute(O, "o")]), id="mixed-set"),
        pytest.param(der_name([der_attribute(CN, "")]), id="empty-name"),
        pytest.param(
            der_name([der_attribute(CN, "a")], [der_attribute(O, "")]), id="empty-organization"
        ),
        pytest.param(
            der_name([der_attribute(CN, "a")], [der_attribute("2.5.4.6", "DE", tag=PRINTABLE)]),
            id="country",
        ),
        pytest.param(
            # Kubernetes reads this one as the user's UID.
            der_name([der_attribute(CN, "a")], [der_attribute("1.3.6.1.4.1.57683.2", "u")]),
            id="kubernetes-uid",
        ),
        pytest.param(der_name([der_attribute(CN, b"a", tag=TELETEX)]), id="teletex"),
        pytest.param(der_name([der_attribute(CN, b"\0a", tag=BMP)]), id="bmp"),
        pytest.param(der_name([der_attribute(CN, b"a", tag=IA5)]), id="ia5"),
    ],
)
def test_a_name_that_says_more_than_a_subject_is_not_plain(name):
    """What a `Subject` cannot hold would be signed without having been judged."""
    assert find_plain_subject(parse_name(name)) is None


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(der_name([]), id="empty-set"),
        pytest.param(der(0x30, der(0x30, der_attribute(CN, "a"))), id="no-set"),
        pytest.param(der_name([der(0x30, b"")]), id="no-type"),
        pytest.param(der_name([der_attribute(CN, "a") + b"\x05\x00"]), id="stray-element"),
        pytest.param(der_name([der_attribute(CN, b"\xff")]), id="not-utf8"),
        pytest.param(der_name([der_attribute(CN, b"a_b", tag=PRINTABLE)]), id="not-printable"),
        pytest.param(der_name([der_attribute(CN, b"\xe9", tag=IA5)]), id="not-ascii"),
        pytest.param(der_name([der_attribute(CN, b"a", tag=BMP)]), id="half-a-character"),
    ],
)
def test_a_broken_name_is_an_error(name):
    """Nothing is guessed about a name that does not keep its own format."""
    with pytest.raises(DerError):
        parse_name(name)


@given(st.lists(st.tuples(st.sampled_from(["2.5.4.10", "2.5.4.11"]), values), max_size=5))
def test_values_are_those_the_library_reads(pairs):
    """Two independent readers have to agree on what was signed."""
    name = der_name(*([der_attribute(oid, value)] for oid, value in pairs))
    theirs = [
        (each.oid.dotted_string, each.value)
        for each in x509.Name.from_bytes(name)  # iterates over all attributes
    ]
    assert [(each.oid, each.value) for each in parse_name(name)] == theirs
