"""Selecting objects by their labels: `app=web,tier in (a,b),!legacy`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import orjson

from towline_sandbox.embedded.queries.label_syntax import problems_of_key, problems_of_value


class InvalidSelector(ValueError):  # noqa: N818  # the sentence goes to the caller as it is
    """The text is no selector; the message says why, as Kubernetes does."""


class Operator(StrEnum):
    """How a label has to relate to the values."""

    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    ABSENT = "!"
    GREATER = "gt"
    LESS = "lt"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that is asked of an object's labels.

    Args:
        key: Which label.
        operator: How it has to relate to the values.
        values: The values.
    """

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the labels are as asked."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values if value is not None else False
            case Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.ABSENT:
                return value is None
            case Operator.GREATER:
                return _compare(value, self.values, lambda found, asked: found > asked)
            case Operator.LESS:
                return _compare(value, self.values, lambda found, asked: found < asked)


Requirements = tuple[Requirement, ...]


@lru_cache(maxsize=512)
def parse_label_selector(text: str) -> Requirements:
    """Return what a selector asks; all of it has to hold.

    Raises:
        InvalidSelector: The text is no selector.
    """
    return _Parser(text).parse()


def _compare(found: str | None, asked: frozenset[str], compare: Callable[[int, int], bool]) -> bool:
    if found is None or _INTEGER.fullmatch(found) is None:
        return False
    return all(compare(int(found), int(value)) for value in asked)


class _Token(NamedTuple):
    # `word` for keys, values, `in` and `notin`; `end`; else the symbol itself.
    type: str
    text: str


_INTEGER = re.compile(r"[+-]?[0-9]+")
_SYMBOLS = "=!(),><"
_OPERATORS = ("=", "==", "!=", "(", ")", ",", "!", ">", "<")
_BINARY = "in, notin, =, ==, !=, gt, lt"
_RELATIONS = {"=": Operator.IN, "==": Operator.IN, "!=": Operator.NOT_IN}


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
            continue
        start = at
        if text[at] in _SYMBOLS:
            while at < len(text) and text[at] in _SYMBOLS:
                if text[start:at] in _OPERATORS and text[start : at + 1] not in _OPERATORS:
                    break
                at += 1
            symbol = text[start:at]
            known = symbol in _OPERATORS
            found.append(
                _Token(symbol, symbol)
                if known
                else _Token("error", f"error expected: keyword found '{symbol}'")
            )
        else:
            while at < len(text) and text[at] not in _SYMBOLS and text[at] not in " \t\r\n":
                at += 1
            found.append(_Token("word", text[start:at]))
    found.append(_Token("end", ""))
    return found


class _Parser:
    """One pass over a selector's tokens."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> Requirements:
        requirements: list[Requirement] = []
        while True:
            type_, text = self._next
            if type_ == "end":
                break
            if type_ not in ("word", "!"):
                raise InvalidSelector(
                    f"found '{text}', expected: !, identifier, or 'end of string'"
                )
            try:
                requirements.append(self._requirement())
            except InvalidSelector as error:
                raise InvalidSelector(f"unable to parse requirement: {error}") from None
            type_, text = self._take()
            if type_ == "end":
                break
            if type_ != ",":
                raise InvalidSelector(f"found '{text}', expected: ',' or 'end of string'")
            if self._next.type not in ("word", "!"):
                raise InvalidSelector(f"found '{self._next.text}', expected: identifier after ','")
        return tuple(sorted(requirements, key=lambda requirement: requirement.key))

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        taken = self._tokens[self._at]
        self._at += 1
        return taken

    def _requirement(self) -> Requirement:
        type_, key = self._take()
        is_absence = type_ == "!"
        if is_absence:
            type_, key = self._take()
        if type_ != "word":
            raise InvalidSelector(f"found '{key}', expected: identifier")
        if problems := problems_of_key(key):
            raise InvalidSelector(f"<nil>: Invalid value: {_json(key)}: {'; '.join(problems)}")
        if is_absence:
            return Requirement(key, Operator.ABSENT)
        if self._next.type in ("end", ","):
            return Requirement(key, Operator.EXISTS)
        type_, relation = self._take()
        if type_ == "word" and relation in ("in", "notin"):
            values = self._values()
            return self._checked(key, Operator(relation), values)
        if type_ in (">", "<"):
            operator = Operator.GREATER if type_ == ">" else Operator.LESS
            return self._checked(key, operator, {self._exact_value()})
        if type_ not in _RELATIONS:
            raise InvalidSelector(f"found '{relation}', expected: {_BINARY}")
        return self._checked(key, _RELATIONS[type_], {self._exact_value()})

    def _checked(self, key: str, operator: Operator, values: set[str]) -> Requirement:
        problems = []
        ordered = sorted(values)
        if operator in (Operator.GREATER, Operator.LESS):
            problems += [
                f"values[{index}]: Invalid value: {_json(value)}: "
                "for 'Gt', 'Lt' operators, the value must be an integer"
                for index, value in enumerate(ordered)
                if _INTEGER.fullmatch(value) is None
            ]
        for index, value in enumerate(ordered):
            if found := problems_of_value(value):
                problems.append(
                    f"values[{index}][{key}]: Invalid value: {_json(value)}: {'; '.join(found)}"
                )
        if problems:
            raise InvalidSelector(_together(problems))
        return Requirement(key, operator, frozenset(values))

    def _exact_value(self) -> str:
        if self._next.type in ("end", ","):
            return ""
        type_, text = self._take()
        if type_ != "word":
            raise InvalidSelector(f"found '{text}', expected: identifier")
        return text

    def _values(self) -> set[str]:
        type_, text = self._take()
        if type_ != "(":
            raise InvalidSelector(f"found '{text}' expected: '('")
        first = self._next
        if first.type == ")":
            self._take()
            return {""}
        if first.type not in ("word", ","):
            raise InvalidSelector(f"found '{first.text}', expected: ',', ')' or identifier")
        values = self._listed()
        if self._take().type != ")":
            raise InvalidSelector(f"found '{first.text}', expected: ')'")
        return values

    def _listed(self) -> set[str]:
        # Empty values count: `(a,)`, `(,a)` and `(a,,b)` each hold one.
        values: set[str] = set()
        while True:
            type_, text = self._take()
            if type_ == "word":
                values.add(text)
                if self._next.type == ")":
                    return values
                if self._next.type != ",":
                    raise InvalidSelector(f"found '{self._next.text}', expected: ',' or ')'")
            elif type_ == ",":
                if not values or self._next.type == ",":
                    values.add("")
                if self._next.type == ")":
                    return values | {""}
            else:
                raise InvalidSelector(f"found '{text}', expected: ',', or identifier")


def _together(problems: Sequence[str]) -> str:
    return problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"


def _json(text: str) -> str:
    return orjson.dumps(text).decode()
