"""One expression, checked and ready to run."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from celpy import celtypes
from celpy.celparser import CELParseError, CELParser
from celpy.evaluation import Activation, CELEvalError, Evaluator
from lark import Token, Tree
from lark.exceptions import LarkError

from towline_sandbox.embedded.expressions.checking import Checker, Problem
from towline_sandbox.embedded.expressions.functions import FUNCTIONS
from towline_sandbox.embedded.expressions.operators import OPERATORS, failure
from towline_sandbox.embedded.expressions.types import CelType
from towline_sandbox.embedded.expressions.values import plain_value

_EVERYTHING_THAT_MAY_FOLLOW = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, "
    "STRING, BYTES, IDENTIFIER}"
)
_TOO_DEEP = Problem(1, 1, "the embedded control plane does not evaluate expressions this deep")
_STEPS = frozenset(
    {
        *("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication"),
        *("unary", "member"),
    }
)
"""Rules of the grammar that stand for nothing when they have one part."""
_BASE_FUNCTIONS: dict[str, Any] = {**FUNCTIONS, **OPERATORS}


class BadExpression(Exception):  # noqa: N818  # it is told to whoever wrote the expression
    """An expression has mistakes; the text names them with their places, as compilers do."""


class EvaluationFailed(Exception):  # noqa: N818  # it is told to whoever wrote the expression
    """An expression came to no value."""


_LONGEST_MESSAGE = 5 * 1024


class Program:
    """An expression that can be evaluated.

    Args:
        expression: Its text.
        variables: What it may name.

    Raises:
        BadExpression: It has mistakes.
    """

    def __init__(self, expression: str, *, variables: Mapping[str, CelType]) -> None:
        self.expression = expression
        tree = _parsed(expression)
        checker = Checker(variables)
        try:
            self.type: CelType = checker.type_of(tree)
            """What it comes to."""
        except RecursionError:
            raise BadExpression(_told(expression, [_TOO_DEEP])) from None
        if checker.problems:
            raise BadExpression(_told(expression, checker.problems))
        self._tree = tree
        self.names = frozenset(
            str(each.children[0]) for each in tree.find_data("ident")
        ) & frozenset(variables)
        """Which of the variables it names."""

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return what the expression comes to, as plain Python.

        Args:
            values: The variables, as CEL's values.

        Raises:
            EvaluationFailed: It comes to nothing.
        """
        return plain_value(self.evaluate_to_cel(values))

    def message(self, values: Mapping[str, Any]) -> str:
        """Return the message that the expression comes to; empty if that is none to be shown."""
        try:
            made = str(self.evaluate(values)).strip()
        except EvaluationFailed:
            return ""
        return made if "\n" not in made and len(made) <= _LONGEST_MESSAGE else ""

    def evaluate_to_cel(self, values: Mapping[str, Any]) -> Any:
        """Return what the expression comes to, as a value of CEL.

        Raises:
            EvaluationFailed: It comes to nothing.
        """
        activation = Activation(functions=_BASE_FUNCTIONS)
        try:
            return _Evaluator(self._tree, activation).evaluate(dict(values))
        except CELEvalError as error:
            raise EvaluationFailed(_sentence(error)) from None
        except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
            # celpy lets some of Python's own errors through.
            raise EvaluationFailed("no such overload") from error
        except RecursionError:
            raise EvaluationFailed(_TOO_DEEP.message) from None


class _Evaluator(Evaluator):
    """celpy's evaluator, with two macros as Kubernetes has them."""

    def sub_evaluator(self, ast: Any) -> "_Evaluator":
        return _Evaluator(ast, activation=self.activation)

    def macro_has_eval(self, exprlist: Any) -> Any:
        """Look for one field; that what should have it is not there is an error of its own."""
        selection = _innermost(exprlist.children[0])
        if selection.data != "member_dot":
            return failure("invalid argument to has() macro")
        member, name = selection.children
        owner = self.visit(member)
        if isinstance(owner, CELEvalError):
            return owner
        return celtypes.BoolType(isinstance(owner, dict) and str(name) in owner)


def _innermost(tree: Any) -> Any:
    while len(tree.children) == 1 and isinstance(tree.children[0], Tree):
        tree = tree.children[0]
    return tree


@lru_cache(maxsize=512)
def _parsed(expression: str) -> Any:
    try:
        tree = CELParser().parse(expression)
    except CELParseError as error:
        raise BadExpression(_told(expression, [_syntax_problem(expression, error)])) from None
    except LarkError as error:
        problem = Problem(1, 1, f"Syntax error: {error}")
        raise BadExpression(_told(expression, [problem])) from None
    return _without_three_part_maps(_without_mere_steps(tree))


def _without_mere_steps(tree: Any) -> Any:
    """Leave out nodes that only lead to the next: most of a tree, most of the time it takes."""

    def reached(node: Any) -> Any:
        while (
            isinstance(node, Tree)
            and node.data in _STEPS
            and len(node.children) == 1
            and isinstance(node.children[0], Tree)
        ):
            node = node.children[0]
        return node

    for each in tree.iter_subtrees():
        each.children = [reached(child) for child in each.children]
    return reached(tree)


def _without_three_part_maps(tree: Any) -> Any:
    """Write `l.map(x, condition, value)` as `l.filter(x, condition).map(x, value)`."""
    for each in tree.find_data("member_dot_arg"):
        if each.children[1] == "map" and len(each.children[2].children) == 3:
            owner, name, arguments = each.children
            variable, condition, value = arguments.children
            called = Token.new_borrow_pos("IDENT", "filter", name)
            filtered = Tree(
                "member_dot_arg",
                [owner, called, Tree("exprlist", [variable, condition])],
                each.meta,
            )
            each.children[0] = Tree("member", [filtered], each.meta)
            each.children[2] = Tree("exprlist", [variable, value], arguments.meta)
    return tree


def _syntax_problem(expression: str, error: CELParseError) -> Problem:
    line, column = error.line, error.column
    at_end = getattr(getattr(error.__context__, "token", None), "type", "") == "$END"
    if at_end or line is None or column is None or line < 1 or column < 1:
        lines = expression.split("\n")
        return Problem(
            len(lines),
            len(lines[-1]) + 1,
            f"Syntax error: mismatched input '<EOF>' expecting {_EVERYTHING_THAT_MAY_FOLLOW}",
        )
    found = expression.split("\n")[line - 1][column - 1 : column]
    if not found:
        told = f"mismatched input '<EOF>' expecting {_EVERYTHING_THAT_MAY_FOLLOW}"
    else:
        told = f"extraneous input '{found}' expecting {_EVERYTHING_THAT_MAY_FOLLOW}"
    return Problem(line, column, f"Syntax error: {told}")


def _told(expression: str, problems: list[Problem]) -> str:
    lines = expression.split("\n")
    return "\n".join(
        f"ERROR: <input>:{problem.line}:{problem.column}: {problem.message}\n"
        f" | {lines[problem.line - 1]}\n"
        f" | {'.' * (problem.column - 1)}^"
        for problem in sorted(problems, key=lambda problem: (problem.line, problem.column))
    )


def _sentence(error: CELEvalError) -> str:
    message = str(error.args[0]) if error.args else "no such overload"
    missing = message.partition("no such member in mapping: ")[2]
    if missing:
        return f"no such key: {missing.strip(chr(39))}"
    if "divide by zero" in message:
        return "division by zero"
    if "no matching overload" in message:
        return "no such overload"
    return message
