"""What the hub is granted as a signer: names, and nothing beside them."""

from towline_api.rbac_subjects import user_subject
from towline_hub.permissions import addons_only_permissions, hub_permissions
from towline_hub.signers.permissions import SIGNERS_ROLE, authority_rules, signing_rules
from towline_hub.signers.settings import SignerSettings

OWN = SignerSettings(signer_name="example.com/own", secret="own")
MANAGED = SignerSettings(signer_name="example.com/managed", secret="managed", managed=True)


def test_only_the_served_signers_may_be_signed_for() -> None:
    """`sign` on another name would let a hub that was taken over sign as somebody else."""
    status, signers = signing_rules([OWN, MANAGED])
    assert status == {
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["certificatesigningrequests/status"],
        "verbs": ["update"],
    }
    assert signers["resourceNames"] == ["example.com/own", "example.com/managed"]
    assert signers["verbs"] == ["approve", "sign"]


def test_every_right_to_a_secret_names_it() -> None:
    """And what an operator looks after himself is only read."""
    rules = authority_rules([OWN, MANAGED])
    assert all(rule["resourceNames"] for rule in rules)
    assert not any("*" in part for rule in rules for value in rule.values() for part in value)
    writable = [
        name
        for rule in rules
        if rule["resources"] == ["secrets"] and "patch" in rule["verbs"]
        for name in rule["resourceNames"]
    ]
    assert writable == ["managed"]
    assert len(authority_rules([OWN])) == 2


def test_who_only_approves_for_a_signer_may_not_sign_for_it() -> None:
    """Somebody else plays that one."""
    rules = signing_rules([OWN], approve_signers=["example.com/other", "example.com/own"])
    assert rules[2:] == [
        {
            "apiGroups": ["certificates.k8s.io"],
            "resources": ["signers"],
            "verbs": ["approve"],
            "resourceNames": ["example.com/other"],
        }
    ]
    granted = hub_permissions(user_subject("hub"), approve_signers=["example.com/other"])
    assert [obj["kind"] for obj in granted if obj["metadata"]["name"] == SIGNERS_ROLE] == [
        "ClusterRole",
        "ClusterRoleBinding",
    ]


def test_secrets_are_granted_in_the_hubs_own_namespace_alone() -> None:
    """No right to Secrets of the whole cluster."""
    subject = user_subject("hub")
    granted = hub_permissions(subject, namespace="here", signers=[OWN])
    wide = [obj for obj in granted if obj["kind"] == "ClusterRole"]
    assert not any("secrets" in rule["resources"] for obj in wide for rule in obj["rules"])
    role, binding = granted[-2:]
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "here")
    assert binding["roleRef"]["name"] == role["metadata"]["name"] == SIGNERS_ROLE
    assert binding["subjects"] == [subject]


def test_a_program_with_some_addons_only_may_play_their_signers() -> None:
    """Beside a hub that belongs to somebody else, who plays others."""
    subject = user_subject("program")
    granted = addons_only_permissions(subject, addons=["a1"], namespace="here", signers=[OWN])
    held = [rule for obj in granted for rule in obj.get("rules", ())]
    assert all(rule in held for rule in signing_rules([OWN]))
    (role,) = [obj for obj in granted if obj.get("rules") == authority_rules([OWN])]
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "here")
    assert "a1" in role["metadata"]["name"]


def test_a_hub_without_signers_gets_none_of_it() -> None:
    """What is not used is not granted."""
    names = [obj["metadata"]["name"] for obj in hub_permissions(user_subject("hub"))]
    assert SIGNERS_ROLE not in names
