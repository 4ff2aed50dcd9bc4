import dataclasses
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from support.csrs import (
    BMP,
    CN,
    NOW,
    OU,
    SUBJECT_ALTERNATIVE_NAME,
    O,
    addon_request,
    cluster_request,
    craft_request,
    csr_object,
    der,
    der_attribute,
    der_extension,
    der_extension_request,
    der_name,
    key_of,
    subject_rdns,
)
from towline_api.names import CLIENT_CERTIFICATE_USAGES, KUBE_CLIENT_SIGNER, addon_dns_name
from towline_certs import (
    AddonFacts,
    AddonIdentity,
    ApprovalContext,
    Approve,
    BootstrapPolicy,
    ClusterFacts,
    ClusterIdentity,
    CustomSignerIdentity,
    Deny,
    ExpectedRegistration,
    Ignore,
    KeyKind,
    ManualApproval,
    Reason,
    SigningRequest,
    Subject,
    build_request,
    decide,
)
from towline_certs.distinguished_names import format_name
from towline_certs.pem import find_pem_blocks, format_pem_block

C1 = ClusterIdentity("c1", "x7kq2")
OLDER = ClusterIdentity("c1", "older")
C2 = ClusterIdentity("c2", "p9rrt")
HELLO = AddonIdentity("c1", "hello", "hello")
BOOTSTRAP = "system:bootstrap:abcdef"
BOOTSTRAP_GROUP = "system:bootstrappers:managedcluster"
CUSTOM = "example.com/hello"
CUSTOM_SUBJECT = Subject("any user", frozenset({"team"}), frozenset({"unit"}))
DNS = addon_dns_name("hello")

ACCEPTED = ClusterFacts(accepted=True, has_live_identity=True)
POLICY = BootstrapPolicy(users=frozenset({"boot"}), groups=frozenset({BOOTSTRAP_GROUP}))
REGISTERED = AddonFacts(
    registrations=(
        ExpectedRegistration(KUBE_CLIENT_SIGNER, HELLO.subject),
        ExpectedRegistration(CUSTOM, CUSTOM_SUBJECT),
    )
)
CONTEXT = ApprovalContext(
    now=NOW,
    bootstrap=POLICY,
    cluster=ACCEPTED,
    addon=REGISTERED,
    may_renew=True,
    signers=frozenset({CUSTOM}),
)
NEW = dataclasses.replace(CONTEXT, cluster=None, addon=None, may_renew=None)


def request(pem, **how):
    return SigningRequest.from_csr(csr_object(pem, **how))


def renewal(**how):
    return request(
        how.pop("pem", cluster_request(C1)), **{"username": C1.user, "cluster": "c1"} | how
    )


def bootstrap(**how):
    arguments = {"username": BOOTSTRAP, "groups": [BOOTSTRAP_GROUP], "cluster": "c1"} | how
    return request(arguments.pop("pem", cluster_request(C1)), **arguments)


def addon(**how):
    arguments = {"username": C1.user, "cluster": "c1", "addon": "hello"} | how
    return request(arguments.pop("pem", addon_request(HELLO)), **arguments)


def custom(**how):
    pem = build_request(key_of(), subject=CUSTOM_SUBJECT, dns_names=[DNS])
    return addon(**{"pem": pem, "signer_name": CUSTOM} | how)


def with_extensions(subject, *extensions, dns=()):
    builder = x509.CertificateSigningRequestBuilder().subject_name(format_name(subject))
    if dns:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in dns])
        builder = builder.add_extension(names, critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key_of(), hashes.SHA256()).public_bytes(Encoding.PEM)


class TestApproved:
    def test_a_cluster_renews_its_own_identity(self):
        """The everyday case, once the access review said yes."""
        assert decide(renewal(), CONTEXT) == Approve(
            C1,
            Reason.CLUSTER_RENEWAL,
            "the agent of cluster 'c1' renews its own certificate",
        )

    @pytest.mark.parametrize(
        "how", [{}, {"username": "boot", "groups": []}, {"groups": ["x", BOOTSTRAP_GROUP]}]
    )
    @pytest.mark.parametrize("cluster", [None, ClusterFacts(), ClusterFacts(accepted=True)])
    def test_a_bootstrap_identity_introduces_a_new_cluster(self, how, cluster):
        """Nobody else has the name yet, and the operator named who may do this."""
        decision = decide(bootstrap(**how), dataclasses.replace(NEW, cluster=cluster))
        assert isinstance(decision, Approve)
        assert (decision.identity, decision.reason) == (C1, Reason.CLUSTER_BOOTSTRAP)

    def test_an_operator_accepts_a_waiting_stranger(self):
        """`towline accept` is a person's word for one request."""
        decision = decide(
            bootstrap(username="stranger", groups=[]),
            dataclasses.replace(NEW, operator_accepts=True),
        )
        assert isinstance(decision, Approve)
        assert (decision.identity, decision.reason) == (C1, Reason.OPERATOR_ACCEPTED)

    def test_an_operator_accepts_a_cluster_that_lost_its_identity(self):
        """A rebuilt cluster takes its old name again, but only by a person's word."""
        context = dataclasses.replace(NEW, cluster=ACCEPTED)
        assert decide(bootstrap(), context).reason is Reason.WAITING_FOR_OPERATOR
        context = dataclasses.replace(context, operator_accepts=True)
        assert decide(bootstrap(), context).reason is Reason.OPERATOR_ACCEPTED

    def test_the_cluster_agent_gets_its_addons_identity(self):
        """The add-on has exactly this registration."""
        decision = decide(addon(), CONTEXT)
        assert isinstance(decision, Approve)
        assert (decision.identity, decision.reason) == (HELLO, Reason.ADDON_REGISTERED)

    def test_older_agents_ask_for_the_group_everybody_is_in(self):
        """`system:authenticated` gives nobody anything."""
        subject = Subject(HELLO.user, frozenset({*HELLO.groups, "system:authenticated"}))
        pem = build_request(key_of(), subject=subject, dns_names=[DNS])
        decision = decide(addon(pem=pem), CONTEXT)
        assert isinstance(decision, Approve)
        assert decision.identity == HELLO

    def test_a_registration_may_hold_the_group_everybody_is_in(self):
        """Older hubs registered it."""
        subject = Subject(HELLO.user, frozenset({*HELLO.groups, "system:authenticated"}))
        facts = AddonFacts(registrations=(ExpectedRegistration(KUBE_CLIENT_SIGNER, subject),))
        decision = decide(addon(), dataclasses.replace(CONTEXT, addon=facts))
        assert isinstance(decision, Approve)

    def test_a_custom_signers_certificate_names_what_is_registered(self):
        """Its subject is the add-on's own business, but it has to be that one."""
        decision = decide(custom(), CONTEXT)
        assert isinstance(decision, Approve)
        assert decision.identity == CustomSignerIdentity("c1", "hello", CUSTOM, CUSTOM_SUBJECT)

    def test_an_addon_that_is_leaving_keeps_its_credential(self):
        """Its agent cleans up on the hub and needs it for that."""
        facts = dataclasses.replace(REGISTERED, deleting=True)
        decision = decide(addon(), dataclasses.replace(CONTEXT, addon=facts))
        assert isinstance(decision, Approve)
        assert "clean up" in decision.message

    @pytest.mark.parametrize("kind", list(KeyKind))
    def test_every_allowed_kind_of_key(self, kind):
        """The closed set is allowed by default."""
        assert isinstance(
            decide(renewal(pem=cluster_request(C1, key=key_of(kind))), CONTEXT), Approve
        )

    @pytest.mark.parametrize("seconds", [None, 600, 86400, 366 * 86400])
    def test_a_lifetime_within_bounds(self, seconds):
        """Both ends belong to what may be asked for."""
        assert isinstance(decide(renewal(expiration_seconds=seconds), CONTEXT), Approve)

    def test_harmless_extensions_of_other_tools(self):
        """Openssl's default settings ask for what the certificate gets anyway."""
        usage = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
        pem = with_extensions(
            C1.subject,
            x509.BasicConstraints(ca=False, path_length=None),
            usage,
            x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2")]),
        )
        assert isinstance(decide(renewal(pem=pem), CONTEXT), Approve)

    def test_the_order_of_usages_does_not_matter(self):
        """They are a set."""
        usages = tuple(reversed(CLIENT_CERTIFICATE_USAGES))
        assert isinstance(decide(renewal(usages=usages), CONTEXT), Approve)


P521 = ec.generate_private_key(ec.SECP521R1())
CA_TRUE = x509.BasicConstraints(ca=True, path_length=None)
SERVER_AUTH = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")])
CERT_SIGN = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x")
URI = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("spiffe://x")])
EMPTY_SAN = der_extension_request(der_extension(SUBJECT_ALTERNATIVE_NAME, der(0x30)))


def unproven(pem):
    """The same request, its signature off by one bit."""
    data = bytearray(find_pem_blocks(pem)[0].der)
    data[-1] ^= 1
    return format_pem_block("CERTIFICATE REQUEST", bytes(data))


def crafted(*rdns):
    return craft_request(der_name(*rdns))


GOOD_RDNS = subject_rdns(C1.subject)

DENIED_FOR_WHOEVER_ASKS = [
    pytest.param({"pem": "%%%"}, Reason.NOT_BASE64, id="not-base64"),
    pytest.param({"pem": b"hello"}, Reason.NOT_PEM, id="not-pem"),
    pytest.param({"pem": cluster_request(C1) * 2}, Reason.SEVERAL_BLOCKS, id="two-blocks"),
    pytest.param({"pem": b"x" * 20000}, Reason.TOO_LARGE, id="too-large"),
    pytest.param(
        {"pem": cluster_request(C1).replace(b"CERTIFICATE REQUEST", b"CERTIFICATE")},
        Reason.WRONG_BLOCK,
        id="a-certificate",
    ),
    pytest.param({"pem": unproven(cluster_request(C1))}, Reason.POSSESSION_NOT_PROVEN, id="proof"),
    pytest.param(
        {"pem": crafted(*GOOD_RDNS, [der_attribute(CN, C1.user)])},
        Reason.SUBJECT_NOT_PLAIN,
        id="common-name-twice",
    ),
    pytest.param(
        {"pem": crafted(*GOOD_RDNS, [der_attribute(O, C1.groups[0])])},
        Reason.SUBJECT_NOT_PLAIN,
        id="organization-twice",
    ),
    pytest.param(
        {"pem": crafted(*GOOD_RDNS, [der_attribute("1.3.6.1.4.1.57683.2", "uid")])},
        Reason.SUBJECT_NOT_PLAIN,
        id="uid-attribute",
    ),
    pytest.param(
        {"pem": crafted(GOOD_RDNS[0], [der_attribute(CN, C1.user.encode("utf-16-be"), tag=BMP)])},
        Reason.SUBJECT_NOT_PLAIN,
        id="other-string-type",
    ),
    pytest.param({"pem": cluster_request(C1, key=P521)}, Reason.KEY_NOT_ALLOWED, id="p-521"),
    pytest.param({"usages": ["client auth"]}, Reason.USAGES_NOT_ALLOWED, id="fewer-usages"),
    pytest.param(
        {"usages": [*CLIENT_CERTIFICATE_USAGES, "server auth"]},
        Reason.USAGES_NOT_ALLOWED,
        id="more-usages",
    ),
    pytest.param({"usages": []}, Reason.USAGES_NOT_ALLOWED, id="no-usages"),
    pytest.param(
        {"pem": with_extensions(C1.subject, CA_TRUE)}, Reason.ASKS_FOR_AUTHORITY, id="authority"
    ),
    pytest.param(
        {"pem": with_extensions(C1.subject, SERVER_AUTH)},
        Reason.EXTENSION_NOT_ALLOWED,
        id="server-auth",
    ),
    pytest.param(
        {"pem": with_extensions(C1.subject, CERT_SIGN)},
        Reason.EXTENSION_NOT_ALLOWED,
        id="certificate-signing",
    ),
    pytest.param(
        {"pem": with_extensions(C1.subject, UNKNOWN)},
        Reason.EXTENSION_NOT_ALLOWED,
        id="unknown-extension",
    ),
    pytest.param({"expiration_seconds": 599}, Reason.LIFETIME_OUT_OF_BOUNDS, id="too-short"),
    pytest.param(
        {"expiration_seconds": 366 * 86400 + 1}, Reason.LIFETIME_OUT_OF_BOUNDS, id="too-long"
    ),
    pytest.param(
        {"pem": with_extensions(C1.subject, dns=["c1.example"])},
        Reason.NAMES_NOT_ALLOWED,
        id="dns-name",
    ),
    pytest.param({"pem": with_extensions(C1.subject, URI)}, Reason.NAMES_NOT_ALLOWED, id="uri"),
    pytest.param(
        {"pem": craft_request(der_name(*GOOD_RDNS), attributes=[EMPTY_SAN])},
        Reason.NAMES_NOT_ALLOWED,
        id="names-without-a-name",
    ),
    pytest.param({"cluster": "C1"}, Reason.LABEL_NOT_A_NAME, id="label-case"),
    pytest.param({"cluster": ""}, Reason.LABEL_NOT_A_NAME, id="label-empty"),
    pytest.param({"cluster": "managed-clusters"}, Reason.LABEL_NOT_A_NAME, id="label-reserved"),
    pytest.param({"cluster": "c2"}, Reason.SUBJECT_OF_ANOTHER, id="label-of-another"),
    pytest.param({"pem": cluster_request(C2)}, Reason.SUBJECT_OF_ANOTHER, id="subject-of-another"),
    pytest.param(
        {"pem": crafted([der_attribute(O, "system:masters")], [der_attribute(CN, "root")])},
        Reason.SUBJECT_NOT_AN_IDENTITY,
        id="administrator",
    ),
    pytest.param(
        {"pem": crafted(*GOOD_RDNS, [der_attribute(O, "system:masters")])},
        Reason.SUBJECT_NOT_AN_IDENTITY,
        id="one-group-more",
    ),
    pytest.param(
        {"pem": crafted(*GOOD_RDNS, [der_attribute(O, "system:authenticated")])},
        Reason.SUBJECT_NOT_AN_IDENTITY,
        id="authenticated-on-a-cluster",
    ),
    pytest.param(
        {"pem": crafted(GOOD_RDNS[0][:1], GOOD_RDNS[1])},
        Reason.SUBJECT_NOT_AN_IDENTITY,
        id="one-group-fewer",
    ),
    pytest.param(
        {"pem": crafted(*GOOD_RDNS, [der_attribute(OU, "unit")])},
        Reason.SUBJECT_NOT_AN_IDENTITY,
        id="organizational-unit",
    ),
    pytest.param(
        {"pem": crafted(GOOD_RDNS[0], [der_attribute(CN, f"{C1.user}:more")])},
        Reason.SUBJECT_NOT_AN_IDENTITY,
        id="prefix-of-a-name",
    ),
    pytest.param(
        {"pem": crafted(GOOD_RDNS[0], [der_attribute(CN, f"{C1.user}\n")])},
        Reason.SUBJECT_NOT_AN_IDENTITY,
        id="line-end-in-a-name",
    ),
    pytest.param(
        {"pem": addon_request(HELLO)}, Reason.SUBJECT_NOT_AN_IDENTITY, id="addon-without-label"
    ),
]


class TestClusterRequestsThatAreDenied:
    @pytest.mark.parametrize(("change", "reason"), DENIED_FOR_WHOEVER_ASKS)
    @pytest.mark.parametrize("make", [renewal, bootstrap])
    @pytest.mark.parametrize("operator_accepts", [False, True])
    def test_one_wrong_fact_is_enough(self, change, reason, make, operator_accepts):
        """No requester, and no operator's click, makes a malformed request good."""
        context = CONTEXT if make is renewal else NEW
        context = dataclasses.replace(context, operator_accepts=operator_accepts)
        decision = decide(make(**change), context)
        assert isinstance(decision, Deny)
        assert decision.reason is reason
        assert "\n" not in decision.message
        assert len(decision.message) < 600

    @pytest.mark.parametrize("user", [C2.user, HELLO.user, AddonIdentity("c2", "a", "g").user])
    @pytest.mark.parametrize("groups", [[], [BOOTSTRAP_GROUP]])
    def test_agents_of_others_cannot_take_a_cluster(self, user, groups):
        """CVE-2026-4740: one cluster's agent renewed another's identity."""
        context = dataclasses.replace(CONTEXT, operator_accepts=True)
        decision = decide(renewal(username=user, groups=groups), context)
        assert isinstance(decision, Deny)
        assert decision.reason is Reason.REQUESTER_NOT_ENTITLED

    def test_kinds_of_key_can_be_narrowed(self):
        """Some operators want one kind only."""
        context = dataclasses.replace(CONTEXT, key_kinds=frozenset({KeyKind.RSA_4096}))
        assert decide(renewal(), context).reason is Reason.KEY_NOT_ALLOWED

    def test_bounds_of_lifetime_can_be_narrowed(self):
        """So can lifetimes."""
        context = dataclasses.replace(CONTEXT, max_lifetime=timedelta(hours=1))
        decision = decide(renewal(expiration_seconds=3601), context)
        assert decision.reason is Reason.LIFETIME_OUT_OF_BOUNDS


class TestClusterRequestsThatWait:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            pytest.param({"cluster": None}, Reason.CLUSTER_NOT_FOUND, id="no-cluster"),
            pytest.param(
                {"cluster": ClusterFacts()}, Reason.CLUSTER_NOT_ACCEPTED, id="not-accepted"
            ),
            pytest.param(
                {"cluster": ClusterFacts(accepted=True, denied=True)},
                Reason.CLUSTER_NOT_ACCEPTED,
                id="denied",
            ),
            pytest.param(
                {"cluster": ClusterFacts(accepted=True, deleting=True)},
                Reason.CLUSTER_DELETING,
                id="deleting",
            ),
            pytest.param({"may_renew": None}, Reason.WAITING_FOR_ACCESS_REVIEW, id="not-asked"),
            pytest.param({"may_renew": False}, Reason.RENEWAL_NOT_ALLOWED, id="not-allowed"),
        ],
    )
    def test_a_renewal_waits_for_what_is_missing(self, change, reason):
        """Facts may come later; a denial would not go away."""
        decision = decide(renewal(), dataclasses.replace(CONTEXT, **change))
        assert isinstance(decision, Ignore)
        assert decision.reason is reason
        assert "c1" in decision.message or reason is Reason.WAITING_FOR_ACCESS_REVIEW

    @pytest.mark.parametrize(
        "how",
        [
            {"username": "stranger", "groups": []},
            {"username": "kubernetes-admin", "groups": ["system:masters"]},
            {"username": "boot ", "groups": []},
            {"username": "booty", "groups": [f"{BOOTSTRAP_GROUP}s", "system:bootstrappers"]},
            {"username": BOOTSTRAP_GROUP, "groups": ["boot"]},
            {"username": OLDER.user, "groups": []},
            {"username": OLDER.user},
        ],
    )
    def test_whoever_may_not_bootstrap_waits_for_the_operator(self, how):
        """As in OCM an administrator may still approve, so it is not denied."""
        decision = decide(bootstrap(**how), NEW)
        assert isinstance(decision, Ignore)
        assert decision.reason is Reason.WAITING_FOR_OPERATOR
        assert "towline accept c1" in decision.message

    def test_nobody_may_bootstrap_by_default(self):
        """Automatic approval is something an operator turns on."""
        decision = decide(bootstrap(), ApprovalContext(now=NOW))
        assert decision.reason is Reason.WAITING_FOR_OPERATOR

    @pytest.mark.parametrize(
        "cluster",
        [
            ClusterFacts(accepted=True, has_live_identity=True),
            ClusterFacts(has_live_identity=True),
            ClusterFacts(denied=True),
        ],
    )
    def test_a_bootstrap_identity_cannot_take_over_a_known_name(self, cluster):
        """Bootstrap tokens are shared; the name of a running cluster is not theirs to give."""
        decision = decide(bootstrap(), dataclasses.replace(NEW, cluster=cluster))
        assert isinstance(decision, Ignore)
        assert decision.reason is Reason.WAITING_FOR_OPERATOR

    def test_a_cluster_that_is_leaving_gets_nothing(self):
        """Not even by an operator's word: it would be orphaned a moment later."""
        context = dataclasses.replace(
            NEW, cluster=ClusterFacts(deleting=True), operator_accepts=True
        )
        assert decide(bootstrap(), context).reason is Reason.CLUSTER_DELETING


HELLO_RDNS = subject_rdns(HELLO.subject)
HELLO_SAN = der_extension_request(
    der_extension(SUBJECT_ALTERNATIVE_NAME, der(0x30, der(0x82, DNS.encode())))
)


def hello(*rdns):
    return craft_request(der_name(*rdns), attributes=[HELLO_SAN])


class TestAddonRequestsThatAreDenied:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            pytest.param({"username": C2.user}, Reason.REQUESTER_NOT_ENTITLED, id="other-cluster"),
            pytest.param({"username": HELLO.user}, Reason.REQUESTER_NOT_ENTITLED, id="addon-agent"),
            pytest.param(
                {"username": BOOTSTRAP, "groups": [BOOTSTRAP_GROUP]},
                Reason.REQUESTER_NOT_ENTITLED,
                id="bootstrap-group",
            ),
            pytest.param({"username": "boot"}, Reason.REQUESTER_NOT_ENTITLED, id="bootstrap-user"),
            pytest.param({"cluster": "c2"}, Reason.SUBJECT_OF_ANOTHER, id="label-other-cluster"),
            pytest.param({"addon": "other"}, Reason.SUBJECT_OF_ANOTHER, id="label-other-addon"),
            pytest.param({"addon": "Hello"}, Reason.LABEL_NOT_A_NAME, id="label-case"),
            pytest.param({"addon": ""}, Reason.LABEL_NOT_A_NAME, id="label-empty"),
            pytest.param(
                {"pem": addon_request(AddonIdentity("c2", "hello", "hello"))},
                Reason.SUBJECT_OF_ANOTHER,
                id="subject-other-cluster",
            ),
            pytest.param(
                {"pem": addon_request(AddonIdentity("c1", "other", "hello"))},
                Reason.SUBJECT_OF_ANOTHER,
                id="subject-other-addon",
            ),
            pytest.param(
                {"pem": cluster_request(C1)}, Reason.SUBJECT_NOT_AN_IDENTITY, id="cluster-subject"
            ),
            pytest.param(
                {"pem": hello(*HELLO_RDNS, [der_attribute(O, "system:masters")])},
                Reason.SUBJECT_NOT_AN_IDENTITY,
                id="one-group-more",
            ),
            pytest.param(
                {"pem": hello(HELLO_RDNS[0][:1], HELLO_RDNS[1])},
                Reason.SUBJECT_NOT_AN_IDENTITY,
                id="one-group-fewer",
            ),
            pytest.param(
                {"pem": hello(*HELLO_RDNS, [der_attribute(O, HELLO.groups[1])])},
                Reason.SUBJECT_NOT_PLAIN,
                id="group-twice",
            ),
            pytest.param(
                {"pem": hello(*HELLO_RDNS, [der_attribute(OU, "unit")])},
                Reason.SUBJECT_NOT_AN_IDENTITY,
                id="organizational-unit",
            ),
            pytest.param(
                {"pem": with_extensions(HELLO.subject)}, Reason.NAMES_NOT_ALLOWED, id="no-name"
            ),
            pytest.param(
                {"pem": with_extensions(HELLO.subject, dns=[DNS, "hub.example"])},
                Reason.NAMES_NOT_ALLOWED,
                id="one-name-more",
            ),
            pytest.param(
                {"pem": with_extensions(HELLO.subject, dns=[DNS, DNS])},
                Reason.NAMES_NOT_ALLOWED,
                id="name-twice",
            ),
            pytest.param(
                {"pem": with_extensions(HELLO.subject, dns=[addon_dns_name("other")])},
                Reason.NAMES_NOT_ALLOWED,
                id="name-of-another",
            ),
            pytest.param(
                {"pem": with_extensions(HELLO.subject, URI)}, Reason.NAMES_NOT_ALLOWED, id="uri"
            ),
            pytest.param({"usages": ["client auth"]}, Reason.USAGES_NOT_ALLOWED, id="usages"),
            pytest.param({"expiration_seconds": 60}, Reason.LIFETIME_OUT_OF_BOUNDS, id="lifetime"),
            pytest.param(
                {"pem": unproven(addon_request(HELLO))}, Reason.POSSESSION_NOT_PROVEN, id="proof"
            ),
            pytest.param({"pem": b"hello"}, Reason.NOT_PEM, id="not-pem"),
            pytest.param(
                {"pem": with_extensions(HELLO.subject, CA_TRUE, dns=[DNS])},
                Reason.ASKS_FOR_AUTHORITY,
                id="authority",
            ),
        ],
    )
    def test_one_wrong_fact_is_enough(self, change, reason):
        """An add-on's identity goes to its own cluster's agent, exactly as registered."""
        decision = decide(addon(**change), dataclasses.replace(CONTEXT, operator_accepts=True))
        assert isinstance(decision, Deny)
        assert decision.reason is reason
        assert "\n" not in decision.message

    def test_a_custom_signer_cannot_be_used_to_name_another_clusters_agent(self):
        """Whoever trusts that signer may know our names too."""
        pem = build_request(key_of(), subject=C2.subject, dns_names=[DNS])
        assert decide(custom(pem=pem), CONTEXT).reason is Reason.SUBJECT_OF_ANOTHER


class TestAddonRequestsThatWait:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"cluster": None}, Reason.CLUSTER_NOT_FOUND),
            ({"cluster": ClusterFacts()}, Reason.CLUSTER_NOT_ACCEPTED),
            ({"cluster": ClusterFacts(accepted=True, denied=True)}, Reason.CLUSTER_NOT_ACCEPTED),
            ({"cluster": ClusterFacts(accepted=True, deleting=True)}, Reason.CLUSTER_DELETING),
            ({"addon": None}, Reason.ADDON_NOT_FOUND),
            ({"addon": AddonFacts()}, Reason.NOT_REGISTERED),
            (
                {"addon": AddonFacts(registrations=REGISTERED.registrations[1:])},
                Reason.NOT_REGISTERED,
            ),
        ],
    )
    def test_what_is_not_there_yet_is_waited_for(self, change, reason):
        """The registration may be written a moment after the request."""
        decision = decide(addon(), dataclasses.replace(CONTEXT, **change))
        assert isinstance(decision, Ignore)
        assert decision.reason is reason

    @pytest.mark.parametrize(
        "subject",
        [
            Subject("root", frozenset({"system:masters"})),
            Subject(HELLO.user, frozenset({*HELLO.groups, "system:masters"})),
            Subject(HELLO.user, frozenset(HELLO.groups), frozenset({"unit"})),
            C1.subject,
            AddonIdentity("c2", "hello", "hello").subject,
            AddonIdentity("c1", "other", "hello").subject,
            Subject("", frozenset()),
        ],
    )
    def test_a_registration_cannot_hand_out_other_identities(self, subject):
        """An add-on's hub side may write what it likes; a program does not hand out any of it."""
        facts = AddonFacts(registrations=(ExpectedRegistration(KUBE_CLIENT_SIGNER, subject),))
        decision = decide(addon(), dataclasses.replace(CONTEXT, addon=facts))
        assert isinstance(decision, Ignore)
        assert decision.reason is Reason.REGISTRATION_NOT_SERVED

    def test_another_agent_name_than_registered_waits(self):
        """The hub may be renaming the agent just now; the request will be made again."""
        pem = addon_request(AddonIdentity("c1", "hello", "other"))
        decision = decide(addon(pem=pem), CONTEXT)
        assert isinstance(decision, Ignore)
        assert decision.reason is Reason.NOT_REGISTERED

    @pytest.mark.parametrize(
        "subject",
        [
            dataclasses.replace(CUSTOM_SUBJECT, common_name="another user"),
            dataclasses.replace(CUSTOM_SUBJECT, organizations=frozenset({"team", "more"})),
            dataclasses.replace(CUSTOM_SUBJECT, organizations=frozenset()),
            dataclasses.replace(CUSTOM_SUBJECT, organizational_units=frozenset()),
            dataclasses.replace(CUSTOM_SUBJECT, organizational_units=frozenset({"unit", "more"})),
        ],
    )
    def test_a_custom_subject_other_than_registered_waits(self, subject):
        """Compared whole, organizational units included."""
        pem = build_request(key_of(), subject=subject, dns_names=[DNS])
        assert decide(custom(pem=pem), CONTEXT).reason is Reason.NOT_REGISTERED

    def test_a_custom_signer_nobody_registered_waits(self):
        """It may be another system's that uses our label."""
        served = dataclasses.replace(CONTEXT, signers=frozenset({CUSTOM, "example.com/x"}))
        assert decide(custom(signer_name="example.com/x"), served).reason is Reason.NOT_REGISTERED

    @pytest.mark.parametrize("user", ["kubernetes-admin", "system:serviceaccount:hub:grpc", ""])
    def test_a_stranger_asking_for_an_addon_waits_for_a_person(self, user):
        """Another approver, or an administrator, may know better."""
        decision = decide(addon(username=user), CONTEXT)
        assert isinstance(decision, Ignore)
        assert decision.reason is Reason.REQUESTER_UNKNOWN


class TestNotOurs:
    @pytest.mark.parametrize("kind", ["Approved", "Denied", "Failed"])
    @pytest.mark.parametrize("make", [renewal, bootstrap, addon])
    def test_a_decided_request_is_left_alone(self, kind, make):
        """Approving what was denied would be the worst race of all."""
        decision = decide(make(conditions=[{"type": kind}]), CONTEXT)
        assert isinstance(decision, Ignore)
        assert decision.reason is Reason.ALREADY_DECIDED

    @pytest.mark.parametrize(
        "pem",
        [
            build_request(key_of(), subject=Subject("system:node:n", frozenset({"system:nodes"}))),
            b"hello",
            "%%%",
        ],
    )
    @pytest.mark.parametrize("signer", [KUBE_CLIENT_SIGNER, "example.com/other"])
    def test_requests_without_our_label_are_other_systems_business(self, pem, signer):
        """However broken they are: denying them would break whoever they belong to."""
        found = request(pem, username="x", cluster=None, signer_name=signer)
        decision = decide(found, CONTEXT)
        assert isinstance(decision, Ignore)
        assert decision.reason is Reason.NOT_OURS

    def test_our_subject_without_our_label_is_not_approved(self):
        """Renewals and bootstraps carry the label; this one comes from somewhere else."""
        for username in (C1.user, BOOTSTRAP):
            decision = decide(renewal(cluster=None, username=username), CONTEXT)
            assert isinstance(decision, Ignore)
            assert decision.reason is Reason.NO_CLUSTER_LABEL

    def test_an_agent_asking_for_another_cluster_without_a_label_is_denied(self):
        """Leaving the label out is no way around the rules, should anybody approve by hand."""
        decision = decide(renewal(cluster=None, username=C2.user), CONTEXT)
        assert isinstance(decision, Deny)
        assert decision.reason is Reason.REQUESTER_NOT_ENTITLED

    @pytest.mark.parametrize(
        "signer",
        [
            "open-cluster-management.io/grpc",
            "example.com/other",
            "kubernetes.io/kube-apiserver-client-kubelet",
            "kubernetes.io/kubelet-serving",
            "kubernetes.io/legacy-unknown",
            "kubernetes.io/kube-apiserver-clientx",
            "",
        ],
    )
    def test_a_cluster_request_for_another_signer_is_left_alone(self, signer):
        """Other registration drivers use the same label with signers of their own."""
        decision = decide(renewal(signer_name=signer), CONTEXT)
        assert isinstance(decision, Ignore)
        assert decision.reason is Reason.SIGNER_NOT_SERVED

    @pytest.mark.parametrize(
        "signer",
        [
            "kubernetes.io/kube-apiserver-client-kubelet",
            "kubernetes.io/x",
            "a.k8s.io/x",
            "k8s.io/x",
        ],
    )
    def test_no_registration_reaches_kubernetes_other_signers(self, signer):
        """One of them makes kubelets; an add-on's status must not be a way to become one."""
        facts = AddonFacts(registrations=(ExpectedRegistration(signer, CUSTOM_SUBJECT),))
        context = dataclasses.replace(CONTEXT, addon=facts)
        decision = decide(custom(signer_name=signer), context)
        assert isinstance(decision, Ignore)
        assert decision.reason is Reason.SIGNER_NOT_SERVED


class TestAccessReview:
    def test_it_is_asked_for_a_renewal(self):
        """And for nothing else, so the hub's cost stays constant."""
        decision = decide(renewal(), dataclasses.replace(CONTEXT, may_renew=None))
        assert decision.reason is Reason.WAITING_FOR_ACCESS_REVIEW

    @pytest.mark.parametrize(
        "found",
        [
            pytest.param(bootstrap(), id="bootstrap"),
            pytest.param(bootstrap(username="stranger"), id="stranger"),
            pytest.param(addon(), id="addon"),
            pytest.param(renewal(username=C2.user), id="other-cluster"),
            pytest.param(renewal(cluster="c2"), id="other-label"),
            pytest.param(
                renewal(pem=cluster_request(ClusterIdentity("c1", "b"))), id="other-agent"
            ),
            pytest.param(renewal(conditions=[{"type": "Denied"}]), id="decided"),
            pytest.param(renewal(signer_name="example.com/x"), id="other-signer"),
            pytest.param(renewal(pem=b"hello"), id="not-pem"),
            pytest.param(renewal(pem="%%%"), id="not-base64"),
        ],
    )
    def test_it_is_not_asked_where_it_could_not_help(self, found):
        """Each costs a call to the API server, and strangers could make many."""
        decision = decide(found, dataclasses.replace(CONTEXT, may_renew=None))
        assert decision.reason is not Reason.WAITING_FOR_ACCESS_REVIEW


def test_a_renewal_is_never_approved_without_a_review():
    """Forgetting to ask must not be a yes."""
    assert isinstance(decide(renewal(), dataclasses.replace(CONTEXT, may_renew=None)), Ignore)


MANUAL = dataclasses.replace(CONTEXT, manual=ManualApproval(addons=frozenset({"c1/hello"})))
LISTED = dataclasses.replace(CONTEXT, manual=ManualApproval(requesters=frozenset({"somebody"})))
STALE = dataclasses.replace(
    CONTEXT, addon=dataclasses.replace(REGISTERED, created=NOW + timedelta(seconds=1))
)
DENIED_LATER = dataclasses.replace(
    CONTEXT,
    cluster=ClusterFacts(denied=True, removed_at=NOW + timedelta(seconds=1)),
)


class TestWishesAndAge:
    @pytest.mark.parametrize(
        ("found", "context", "kind", "reason", "words"),
        [
            (addon(), MANUAL, Ignore, Reason.WAITING_FOR_OPERATOR, "towline approve request"),
            (custom(), MANUAL, Ignore, Reason.WAITING_FOR_OPERATOR, "towline approve request"),
            (addon(), LISTED, Ignore, Reason.WAITING_FOR_OPERATOR, "towline approve request"),
            (renewal(), LISTED, Ignore, Reason.WAITING_FOR_OPERATOR, "towline approve request"),
            (bootstrap(), LISTED, Ignore, Reason.WAITING_FOR_OPERATOR, "towline accept c1"),
            (
                addon(username="somebody"),
                CONTEXT,
                Ignore,
                Reason.REQUESTER_UNKNOWN,
                "towline approve request",
            ),
            (addon(), STALE, Deny, Reason.OLDER_THAN_REMOVAL, "2026-06-01T12:00:01Z"),
            (renewal(), DENIED_LATER, Deny, Reason.OLDER_THAN_REMOVAL, "was denied"),
            (addon(), DENIED_LATER, Deny, Reason.OLDER_THAN_REMOVAL, "was denied"),
        ],
    )
    def test_it_says_what_it_waits_for_or_why_it_is_void(self, found, context, kind, reason, words):
        """Who reads the Event needs nothing else to know what to do."""
        decision = decide(found, context)
        assert (type(decision), decision.reason) == (kind, reason)
        assert words in decision.message

    def test_a_person_answers_for_what_waits_for_one(self):
        """And for nothing else: what is void stays void."""
        for found, context in (
            (addon(), MANUAL),
            (addon(), LISTED),
            (addon(username="somebody"), CONTEXT),
            (renewal(), dataclasses.replace(LISTED, may_renew=None)),
        ):
            assert isinstance(
                decide(found, dataclasses.replace(context, operator_accepts=True)), Approve
            )
        for found, context in ((addon(), STALE), (renewal(), DENIED_LATER)):
            assert isinstance(
                decide(found, dataclasses.replace(context, operator_accepts=True)), Deny
            )
