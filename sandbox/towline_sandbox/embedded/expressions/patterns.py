r"""Regular expressions as Go understands them, for Python's `re`.

Schemas and rules hold RE2 expressions. The two languages agree on nearly all of them; where they
do not, the expression is rewritten: `$` is the end of the text and not of its last line, `\z` is
written `\Z`, POSIX classes are spelled out, and `\d`, `\w`, `\s` mean ASCII.
"""

import re
from functools import lru_cache

_POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPED_CODE = re.compile(r"\\x\{([0-9A-Fa-f]+)\}")
_POSIX_CLASS = re.compile(r"\[:([a-z]+):\]")
_CLASS_START = re.compile(r"\[\^?\]?")
_MULTILINE = re.compile(r"\(\?[a-zA-Z]*m")


@lru_cache(maxsize=1024)
def compile_pattern(expression: str) -> re.Pattern[str]:
    """Return a Go regular expression, compiled.

    Raises:
        re.error: Python does not understand it either way.
    """
    return re.compile(to_python(expression), re.ASCII)


def to_python(expression: str) -> str:
    """Return a Go regular expression in Python's notation."""
    dollar_ends_lines = _MULTILINE.match(expression) is not None
    written: list[str] = []
    position = 0
    inside_class = False
    while position < len(expression):
        rest = expression[position:]
        read, meant = rest[0], rest[0]
        if code := _ESCAPED_CODE.match(rest):
            read, meant = code.group(), re.escape(chr(int(code[1], 16)))
        elif rest.startswith("\\"):
            read = rest[:2]
            meant = r"\Z" if read == r"\z" else read
        elif inside_class:
            if posix := _POSIX_CLASS.match(rest):
                read, meant = posix.group(), _POSIX_CLASSES.get(posix[1], posix.group())
            elif read == "[":
                meant = r"\["
            inside_class = read != "]"
        elif start := _CLASS_START.match(rest):
            read = meant = start.group()
            inside_class = True
        elif read == "$" and not dollar_ends_lines:
            meant = r"\Z"
        written.append(meant)
        position += len(read)
    return "".join(written)
