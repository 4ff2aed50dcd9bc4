"""Taking keys and tokens out of text that a person or a log will see.

towline never formats a secret on purpose. This is the second fence, for text that comes from
elsewhere: an API server's answer, a library's exception, a command's error output.
"""

import re

REDACTED = "[redacted]"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Private keys of every PEM kind, also cut off before their END line.
    (
        re.compile(
            r"-----BEGIN (?P<kind>[A-Z0-9 ]{0,40}PRIVATE KEY)-----"
            r".*?(?:-----END (?P=kind)-----|\Z)",
            re.DOTALL,
        ),
        REDACTED,
    ),
    # The same inside kubeconfigs and Secrets: base64 of "-----BEGIN " when it starts a value.
    (re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]{20,}"), REDACTED),
    (re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9\-._~+/]{8,}=*"), rf"\g<1>{REDACTED}"),
    (re.compile(r"(?i)(\bbasic\s+)[A-Za-z0-9+/]{8,}=*"), rf"\g<1>{REDACTED}"),
    # JSON web tokens: service account tokens, and what OIDC plugins return.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?"), REDACTED),
    # Bootstrap tokens: six characters, a dot, sixteen more. The first six are a public id.
    (re.compile(r"\b([a-z0-9]{6})\.[a-z0-9]{16}\b"), rf"\g<1>.{REDACTED}"),
    # user:password@ in a URL, for example of a proxy.
    (re.compile(r"(\b[a-z][a-z0-9+.-]{1,15}://)[^/\s@]+@"), rf"\g<1>{REDACTED}@"),
)


def redact(text: str) -> str:
    """Return `text` without private keys, bearer and bootstrap tokens or passwords in URLs."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def quotable(text: str, *, longest: int = 300) -> str:
    """Return foreign text fit to stand in one of our messages.

    One line, printable, redacted, and at most `longest` characters (300 holds what API servers
    say about one field; whole validation reports of CRDs run to kilobytes).
    """
    # Redacted before it is shortened: half a key would no longer look like one.
    line = " ".join(redact(text).split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
