"""Finds mistakes in an expression before it runs: names nobody declared, types that do not fit."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lark import Token, Tree

from towline_sandbox.embedded.expressions.functions import NOT_HERE, OVERLOADS, Overload
from towline_sandbox.embedded.expressions.patterns import compile_pattern
from towline_sandbox.embedded.expressions.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    CelType,
    list_of,
    map_of,
)

_LITERALS = {
    "UINT_LIT": UINT,
    "FLOAT_LIT": DOUBLE,
    "INT_LIT": INT,
    "MLSTRING_LIT": STRING,
    "STRING_LIT": STRING,
    "BYTES_LIT": BYTES,
    "BOOL_LIT": BOOL,
    "NULL_LIT": NULL,
}
_NUMBERS = (INT, UINT, DOUBLE)
_TYPE_NAMES = frozenset(
    {"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"}
)
_TESTS = frozenset({"all", "exists", "exists_one"})
_MACROS = _TESTS | {"filter", "map"}
_LARGEST_INTEGER = 2**63 - 1
_BINARY = {
    "relation_lt": ("_<_", 1),
    "relation_le": ("_<=_", 2),
    "relation_gt": ("_>_", 1),
    "relation_ge": ("_>=_", 2),
    "relation_eq": ("_==_", 2),
    "relation_ne": ("_!=_", 2),
    "relation_in": ("@in", 2),
    "addition_add": ("_+_", 1),
    "addition_sub": ("_-_", 1),
    "multiplication_mul": ("_*_", 1),
    "multiplication_div": ("_/_", 1),
    "multiplication_mod": ("_%_", 1),
}
"""Operators by celpy's rule: CEL's name, and how many characters it takes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake in an expression.

    Args:
        line: Line it is in, from 1.
        column: Column, from 1.
        message: What it is.
    """

    line: int
    column: int
    message: str


class Checker:
    """Finds the type of one expression, and its mistakes.

    Args:
        variables: What the expression may name.
    """

    def __init__(self, variables: Mapping[str, CelType]) -> None:
        self._scopes: list[Mapping[str, CelType]] = [variables]
        self.problems: list[Problem] = []

    def type_of(self, tree: Any) -> CelType:
        """Return the type of what an expression comes to; mistakes add to `problems`."""
        if len(tree.children) == 1 and isinstance(tree.children[0], Tree) and tree.data in _PASSING:
            return self.type_of(tree.children[0])
        found: CelType = getattr(self, f"_{tree.data}")(tree)
        return found

    def _wrong(self, line: int, column: int, message: str) -> CelType:
        self.problems.append(Problem(line, column, message))
        return DYN

    def _no_overload(self, line: int, column: int, name: str, types: Sequence[CelType]) -> CelType:
        told = ", ".join(map(str, types))
        return self._wrong(
            line, column, f"found no matching overload for '{name}' applied to '({told})'"
        )

    # Operators.

    def _expr(self, tree: Any) -> CelType:
        condition, then, otherwise = map(self.type_of, tree.children)
        if not fits(condition, BOOL) or not (fits(then, otherwise) or fits(otherwise, then)):
            at = _end(tree.children[0])
            column = at[1] + 1 if at else 1
            types = (condition, then, otherwise)
            return self._no_overload(tree.meta.line, column, "_?_:_", types)
        return otherwise if then.is_dynamic else then

    def _conditionalor(self, tree: Any) -> CelType:
        return self._logical(tree, "_||_")

    def _conditionaland(self, tree: Any) -> CelType:
        return self._logical(tree, "_&&_")

    def _logical(self, tree: Any, name: str) -> CelType:
        types = [self.type_of(child) for child in tree.children]
        if not all(fits(each, BOOL) for each in types):
            at = _end(tree.children[0])
            self._no_overload(tree.meta.line, at[1] + 1 if at else 1, name, types)
        return BOOL

    def _relation(self, tree: Any) -> CelType:
        return self._binary(tree)

    _addition = _relation
    _multiplication = _relation

    def _binary(self, tree: Any) -> CelType:
        operator, right_tree = tree.children
        name, width = _BINARY[operator.data]
        left, right = self.type_of(operator.children[0]), self.type_of(right_tree)
        result = _result_of(name, left, right)
        if result is None:
            line, column = operator.meta.end_line, operator.meta.end_column - width
            return self._no_overload(line, column, name, (left, right))
        return result

    def _unary(self, tree: Any) -> CelType:
        operator, operand = tree.children
        found = self.type_of(operand)
        line, column = tree.meta.line, tree.meta.column
        if operator.data == "unary_not":
            return BOOL if fits(found, BOOL) else self._no_overload(line, column, "!_", (found,))
        if any(fits(found, each) for each in (INT, DOUBLE)):
            return found
        return self._no_overload(line, column, "-_", (found,))

    # Members.

    def _member_dot(self, tree: Any) -> CelType:
        member, name = tree.children
        return self._field(self.type_of(member), name)

    def _field(self, owner: CelType, name: Token, *, place: int | None = None) -> CelType:
        line, column = name.line or 1, place or (name.column or 2) - 1
        if owner.is_dynamic:
            return DYN
        if owner.name == "map":
            return owner.element or DYN
        if owner.fields is None:
            return self._wrong(line, column, f"type '{owner}' does not support field selection")
        found = owner.fields.get(name)
        if found is None:
            return self._wrong(line, column, f"undefined field '{name}'")
        return found

    def _member_index(self, tree: Any) -> CelType:
        owner, index = map(self.type_of, tree.children)
        if owner.is_dynamic:
            return DYN
        if owner.name == "list" and fits(index, INT):
            return owner.element or DYN
        if owner.name == "map" and fits(index, owner.key or STRING):
            return owner.element or DYN
        at = _end(tree.children[0])
        return self._no_overload(tree.meta.line, at[1] if at else 1, "_[_]", (owner, index))

    def _member_object(self, tree: Any) -> CelType:
        return self._wrong(tree.meta.line, tree.meta.column, "messages cannot be made here")

    def _member_dot_arg(self, tree: Any) -> CelType:
        member, name, *rest = tree.children
        arguments = rest[0].children if rest else []
        if name in _MACROS and len(arguments) > 1:
            return self._macro(member, name, arguments)
        owner = self.type_of(member)
        types = [self.type_of(argument) for argument in arguments]
        if name == "matches" and arguments:
            self._check_pattern(arguments[-1])
        return self._call(name, types, receiver=owner)

    def _check_pattern(self, argument: Any) -> None:
        literal = _innermost(argument)
        if literal.data != "literal" or literal.children[0].type != "STRING_LIT":
            return
        token = literal.children[0]
        text = token.lstrip("rR")[1:-1]
        try:
            compile_pattern(text if token[0] in "rR" else text.replace("\\\\", "\\"))
        except re.error:
            self._wrong(token.line, token.column, "invalid matches argument")

    def _macro(self, member: Any, name: Token, arguments: Sequence[Any]) -> CelType:
        owner = self.type_of(member)
        variable = _identifier(arguments[0])
        line, column = name.line or 1, name.end_column or 1
        if variable is None:
            return self._wrong(line, column, "argument must be a simple name")
        if len(arguments) > (3 if name == "map" else 2):
            return self._wrong(
                line, column, "the embedded control plane does not iterate with two variables"
            )
        element = DYN
        if owner.name == "list":
            element = owner.element or DYN
        elif owner.name == "map":
            element = owner.key or STRING
        elif not owner.is_dynamic:
            return self._wrong(
                line,
                column,
                f"expression of type '{owner}' cannot be range of a comprehension (must be list, "
                "map, or dynamic)",
            )
        self._scopes.append({variable: element})
        try:
            found = [self.type_of(argument) for argument in arguments[1:]]
        finally:
            self._scopes.pop()
        if name in _TESTS:
            return BOOL
        return list_of(element if name == "filter" else found[-1])

    def _call(self, name: Token, types: Sequence[CelType], *, receiver: CelType | None) -> CelType:
        line, column = name.line or 1, name.end_column or 1
        overloads = OVERLOADS.get(name)
        if overloads is None and name in NOT_HERE:
            return self._wrong(
                line, column, f"the embedded control plane does not have the function '{name}'"
            )
        if overloads is None:
            return self._wrong(line, column, f"undeclared reference to '{name}' (in container '')")
        fitting = [each for each in overloads if _takes(each, types, receiver)]
        if not fitting:
            told = ", ".join(map(str, types))
            how = f"({told})" if receiver is None else f"{receiver}.({told})"
            return self._wrong(
                line, column, f"found no matching overload for '{name}' applied to '{how}'"
            )
        results = {str(each.result): each.result for each in fitting}
        return fitting[0].result if len(results) == 1 else DYN

    # Primaries.

    def _ident_arg(self, tree: Any) -> CelType:
        name, *rest = tree.children
        arguments = rest[0].children if rest else []
        if name == "has":
            return self._has(name, arguments)
        return self._call(name, [self.type_of(argument) for argument in arguments], receiver=None)

    def _has(self, name: Token, arguments: Sequence[Any]) -> CelType:
        selection = _innermost(arguments[0]) if len(arguments) == 1 else None
        if selection is None or selection.data != "member_dot":
            return self._wrong(
                name.line or 1, name.end_column or 1, "invalid argument to has() macro"
            )
        member, field = selection.children
        self._field(self.type_of(member), field, place=name.end_column)
        return BOOL

    def _ident(self, tree: Any) -> CelType:
        name = tree.children[0]
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        if name in _TYPE_NAMES:
            return TYPE
        return self._wrong(
            name.line, name.column, f"undeclared reference to '{name}' (in container '')"
        )

    def _dot_ident(self, tree: Any) -> CelType:
        return self._ident(tree)

    def _dot_ident_arg(self, tree: Any) -> CelType:
        return self._ident_arg(tree)

    def _paren_expr(self, tree: Any) -> CelType:
        return self.type_of(tree.children[0])

    def _list_lit(self, tree: Any) -> CelType:
        items = tree.children[0].children if tree.children else []
        return list_of(_common([self.type_of(item) for item in items]))

    def _map_lit(self, tree: Any) -> CelType:
        parts = tree.children[0].children if tree.children else []
        types = [self.type_of(part) for part in parts]
        return map_of(_common(types[1::2]), key=_common(types[::2]))

    def _literal(self, tree: Any) -> CelType:
        token = tree.children[0]
        if token.type == "INT_LIT" and abs(int(token, 0)) > _LARGEST_INTEGER + (token[0] == "-"):
            return self._wrong(token.line, token.column, "invalid int literal")
        return _LITERALS[token.type]


_PASSING = frozenset(
    {
        *("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication"),
        *("unary", "member", "primary"),
    }
)


def fits(found: CelType, wanted: CelType) -> bool:
    """Return whether a value of one type may turn out to be of the other."""
    if found.is_dynamic or wanted.is_dynamic:
        return True
    if found.name != wanted.name:
        # An object with fixed fields is a map to functions that do not care.
        return {found.name, wanted.name} == {"object", "map"}
    if found.element is not None and wanted.element is not None:
        return fits(found.element, wanted.element)
    return True


def _result_of(name: str, left: CelType, right: CelType) -> CelType | None:
    match name:
        case "_==_" | "_!=_":
            return BOOL if fits(left, right) else None
        case "@in":
            inside = right.element if right.name == "list" else right.key
            if right.is_dynamic:
                return BOOL
            is_container = right.name in ("list", "map")
            return BOOL if is_container and fits(left, inside or DYN) else None
        case "_<_" | "_<=_" | "_>_" | "_>=_":
            if left in _NUMBERS and right in _NUMBERS:
                return BOOL
            comparable = (*_NUMBERS, STRING, BYTES, BOOL, TIMESTAMP, DURATION)
            fitting = any(fits(left, each) and fits(right, each) for each in comparable)
            return BOOL if fitting else None
        case _:
            return _sum_of(name, left, right)


_SUMS = {
    ("_+_", "timestamp", "duration"): TIMESTAMP,
    ("_+_", "duration", "timestamp"): TIMESTAMP,
    ("_-_", "timestamp", "duration"): TIMESTAMP,
    ("_-_", "timestamp", "timestamp"): DURATION,
}


_SUMMANDS: Mapping[str, Sequence[CelType]] = {
    "_+_": (*_NUMBERS, STRING, BYTES, DURATION, list_of(DYN)),
    "_-_": (*_NUMBERS, DURATION),
    "_*_": _NUMBERS,
    "_/_": _NUMBERS,
    "_%_": (INT, UINT),
}
"""What each operator takes two of, to give another."""


def _sum_of(name: str, left: CelType, right: CelType) -> CelType | None:
    if left.is_dynamic and right.is_dynamic:
        return DYN
    results = [
        result
        for (operator, first, second), result in _SUMS.items()
        if operator == name
        and (left.is_dynamic or left.name == first)
        and (right.is_dynamic or right.name == second)
    ]
    if any(fits(left, each) and fits(right, each) for each in _SUMMANDS[name]):
        results.append(right if left.is_dynamic else left)
    if not results:
        return None
    return results[0] if all(each == results[0] for each in results) else DYN


def _takes(overload: Overload, types: Sequence[CelType], receiver: CelType | None) -> bool:
    if (overload.receiver is None) != (receiver is None):
        return False
    if len(types) != len(overload.arguments):
        return False
    if receiver is not None and not fits(receiver, overload.receiver or DYN):
        return False
    return all(map(fits, types, overload.arguments))


def _common(types: Sequence[CelType]) -> CelType:
    first = types[0] if types else DYN
    return first if all(each == first for each in types) else DYN


def _innermost(tree: Any) -> Any:
    while len(tree.children) == 1 and isinstance(tree.children[0], Tree):
        tree = tree.children[0]
    return tree


def _identifier(tree: Any) -> str | None:
    while isinstance(tree, Tree) and len(tree.children) == 1:
        if tree.data == "ident":
            return str(tree.children[0])
        tree = tree.children[0]
    return None


def _end(tree: Any) -> tuple[int, int] | None:
    meta = getattr(tree, "meta", None)
    return None if meta is None or meta.empty else (meta.end_line, meta.end_column)
