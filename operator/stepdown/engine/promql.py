"""PromQL, looked at before it is asked: whether it can give one number, and which samples it stands on."""

import re

import promql_parser

_TOKEN = re.compile(r"""\s+|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[A-Za-z0-9_:.$]+|.""", re.DOTALL)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_NAMES = {"(": "parenthesis", "[": "bracket", "{": "brace"}


def check(promql: str) -> str | None:
    """What is wrong with a query, as `line:column: sentence`, or None.

    The parser gives no position. An unclosed bracket or quote is found by looking for it; otherwise the position
    is the end of the longest beginning, cut at tokens, that is a query by itself.
    """
    try:
        tree = promql_parser.parse(promql)
    except ValueError as error:
        return f"{_position(promql)}: {' '.join(str(error).split())[:200]}"
    kind = _result_type(tree)
    if kind is not None:
        return f"1:1: the query gives {kind}, and a signal is one number: aggregate it, for example with sum() or avg()"
    return None


def is_scalar(promql: str) -> bool:
    """Whether the query gives a bare number, which must become a vector to be joined with others."""
    return _scalar(promql_parser.parse(promql))


def selectors(promql: str) -> tuple[str, ...]:
    """The plain selectors whose newest samples the query stands on, without those that look at another time."""
    found: dict[str, None] = {}

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.VectorSelector) and node.offset is None and node.at is None:
            found[" ".join(str(node).split())] = None
        return True

    promql_parser.walk(promql_parser.parse(promql), visit)
    return tuple(found)


def quote(text: str) -> str:
    """A PromQL string of any text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _result_type(tree: object) -> str | None:
    while isinstance(tree, promql_parser.ParenExpr):
        tree = tree.expr
    if isinstance(tree, promql_parser.StringLiteral):
        return "a string"
    if isinstance(tree, promql_parser.MatrixSelector | promql_parser.SubqueryExpr):
        return "a range of samples"
    return None


def _scalar(tree: object) -> bool:
    if isinstance(tree, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        return _scalar(tree.expr)
    if isinstance(tree, promql_parser.NumberLiteral):
        return True
    if isinstance(tree, promql_parser.BinaryExpr):
        return _scalar(tree.lhs) and _scalar(tree.rhs)
    return isinstance(tree, promql_parser.Call) and tree.func.name in ("scalar", "time", "pi")


def _position(promql: str) -> str:
    tokens = [(match.start(), match.group()) for match in _TOKEN.finditer(promql)]
    open_ones: list[tuple[int, str]] = []
    for start, token in tokens:
        if token in ('"', "'", "`"):
            return _at(promql, start)
        if token in _NAMES:
            open_ones.append((start, token))
        elif token in _PAIRS:
            if not open_ones or open_ones[-1][1] != _PAIRS[token]:
                return _at(promql, start)
            open_ones.pop()
    if open_ones:
        return _at(promql, open_ones[-1][0])
    for start, token in reversed(tokens):
        if _parses(promql[:start]):
            space = len(token) - len(token.lstrip())
            return _at(promql, start + (0 if token.strip() else space))
    return "1:1"


def _parses(promql: str) -> bool:
    if not promql.strip():
        return False
    try:
        promql_parser.parse(promql)
    except ValueError:
        return False
    return True


def _at(promql: str, place: int) -> str:
    line = promql.count("\n", 0, place) + 1
    return f"{line}:{place - (promql.rfind(chr(10), 0, place) + 1) + 1}"
