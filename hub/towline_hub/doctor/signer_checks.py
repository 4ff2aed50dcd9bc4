"""Checks of the custom signers in a hub's settings, and of who is declared to use them.

Pure: facts in, findings out.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.doctor.findings import Finding, Verdict
from towline_hub.signers.outlook import Outlook, SignerOutlook

_VERDICTS = {
    Outlook.SIGNS: Verdict.OK,
    Outlook.SOON_TROUBLE: Verdict.WARN,
    Outlook.WAITS: Verdict.WARN,
    Outlook.STUCK: Verdict.FAIL,
    Outlook.UNSEEN: Verdict.UNSEEN,
}


def signer_checks(
    outlooks: Iterable[SignerOutlook],
    *,
    declarations: Iterable[AddonDeclaration],
    approved: AbstractSet[str],
) -> list[Finding]:
    """Return how the signers were found, and whether they and the declarations go together.

    Args:
        outlooks: How each signer of the settings stands.
        declarations: The add-ons of the settings.
        approved: Custom signers that the hub approves for, its own and others'.
    """
    users: dict[str, list[str]] = {}
    for declaration in declarations:
        for signer in declaration.custom_signers:
            users.setdefault(signer.signer_name, []).append(declaration.name)
    findings = []
    for each in outlooks:
        check = f"signer {each.signer}"
        findings.append(Finding(check, _VERDICTS[each.outlook], each.found, each.fix))
        if each.signer not in users:
            findings.append(
                Finding(
                    check,
                    Verdict.WARN,
                    "no declaration names it, and only what is declared is signed",
                    "declare the add-on that uses it, with `custom-signers`; a registration in an "
                    "add-on's status is not enough",
                )
            )
    findings += [
        Finding(
            f"signer {signer}",
            Verdict.FAIL,
            f"declared for {', '.join(sorted(addons))}, and this hub approves nothing for it",
            "add it to the hub's `signers`, or to `approve-signers` where somebody else signs",
        )
        for signer, addons in sorted(users.items())
        if signer not in approved
    ]
    return findings
