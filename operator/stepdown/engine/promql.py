"""PromQL, looked at before it is asked: whether it gives one number, and which samples that stands on.

A tenant's text is joined with others' into one query, so it is scanned here as Prometheus' own lexer would, apart
from the parser: brackets, quotes and comments must end inside the text. Where scanner and parser disagree the query
is refused. The parser's cost grows with the cube of the nesting, so depth and operators are bounded first.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import promql_parser as parser

from stepdown.api.lines import one_line

DEPTH_MAX = 50
OPERATORS_MAX = 300
_PREFIXES_TRIED = 40
_TOO_LONG = "to fit in target type"

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+|\#[^\r\n]*)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)
    |(?P<word>[A-Za-z0-9_:.$]+)
    |(?P<operator>=~|!~|[=!<>]=|[-+*/%^<>=])
    |(?P<other>.)""",
    re.VERBOSE,
)
_OPENERS = {"(": "parenthesis", "[": "bracket", "{": "brace"}
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})
_LEGACY_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LEGACY_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*(\|[A-Za-z_:][A-Za-z0-9_:]*)*")
_MATCH = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


class Type(StrEnum):
    """What an expression evaluates to."""

    VECTOR = "vector"
    SCALAR = "scalar"
    MATRIX = "matrix"
    STRING = "string"


@dataclass(frozen=True, slots=True)
class Selector:
    """A plain selector as text that can be asked alone.

    `metric` is its name. `window` is how far back in seconds it looks, None for an instant.
    """

    text: str
    metric: str
    window: float | None


@dataclass(frozen=True, slots=True)
class Query:
    """A query that parses: its type, and its selectors.

    Left out are selectors that look at another time (offset, @), and those that name no metric.
    """

    type: Type
    selectors: tuple[Selector, ...]


class Malformed(ValueError):
    """A query that is refused; the message is `line:column: sentence`."""


def check(promql: str) -> str | None:
    """What is wrong with a query that shall give one number, as `line:column: sentence`, or None.

    The parser says what is wrong but not where. A bracket or quote without its partner is found by scanning; a
    function or regular expression by its name in the sentence; anything else is placed at the token that follows
    the longest beginning of the text that is a query by itself.
    """
    try:
        query = analyse(promql)
    except Malformed as error:
        return str(error)
    if query.type is Type.STRING:
        return "1:1: the query gives a string: a signal is one number"
    if query.type is Type.MATRIX:
        return "1:1: the query gives a range of samples: make it one number, for example with max_over_time()"
    return None


def analyse(promql: str) -> Query:
    """The type and the selectors of a query. Raises Malformed."""
    found = _analysed(promql)
    if isinstance(found, str):
        raise Malformed(found)
    return found


@lru_cache(maxsize=4_096)  # 140 MB of the longest queries that a tenant may write, a few of usual ones
def _analysed(promql: str) -> Query | str:
    """The query, or what is wrong with it. Remembered, good or bad: policies ask the same all day."""
    try:
        tokens = _scan(promql)
    except Malformed as error:
        return str(error)
    try:
        return _understood(tokens)
    except ValueError as error:
        sentence = _line(str(error))
        return f"{_at(promql, _place(promql, tokens, sentence))}: {sentence}"


def selectors(promql: str) -> tuple[str, ...]:
    """The texts of a query's selectors. Raises Malformed."""
    return tuple(dict.fromkeys(selector.text for selector in analyse(promql).selectors))


def is_scalar(promql: str) -> bool:
    """Whether a query gives a number without labels, as `time()` does, and no vector. Raises Malformed."""
    return analyse(promql).type is Type.SCALAR


def quote(text: str) -> str:
    """A PromQL string of any text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\x{ord(match.group()):02x}", escaped) + '"'


def quote_pattern(text: str) -> str:
    """A regular expression (RE2) that matches just this text; still to be quoted as a string."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


def _scan(promql: str) -> list[_Token]:
    """The tokens of a text whose brackets and quotes all end inside it. Raises Malformed."""
    tokens: list[_Token] = []
    opened: list[_Token] = []
    operators = 0
    for match in _TOKEN.finditer(promql):
        token = _Token(str(match.lastgroup), match.group(), match.start())
        tokens.append(token)
        if token.text in ('"', "'", "`"):
            raise Malformed(f"{_at(promql, token.start)}: unterminated quoted string")
        if token.kind == "operator" or token.text in _WORD_OPERATORS:
            operators += 1
            if operators > OPERATORS_MAX:
                what = f"more than {OPERATORS_MAX} operators: record parts of the query with a rule"
                raise Malformed(f"{_at(promql, token.start)}: {what}")
        elif token.text in _OPENERS:
            opened.append(token)
            if len(opened) > DEPTH_MAX:
                what = f"more than {DEPTH_MAX} brackets within each other"
                raise Malformed(f"{_at(promql, token.start)}: {what}")
        elif token.text in _CLOSERS:
            if not opened or opened[-1].text != _CLOSERS[token.text]:
                what = f"unexpected right {_OPENERS[_CLOSERS[token.text]]}"
                raise Malformed(f"{_at(promql, token.start)}: {what}")
            opened.pop()
    if opened:
        last = opened[-1]
        raise Malformed(f"{_at(promql, last.start)}: unclosed left {_OPENERS[last.text]}")
    return tokens


def _understood(tokens: list[_Token]) -> Query:
    """The query that some tokens make. Raises ValueError.

    Durations that are too long for the parser make it panic, which no `except Exception` holds, or fail to become
    Python's: a tenant's query must not end the loop that all others share.
    """
    try:
        tree = parser.parse(_without_raw_strings(tokens))
        return Query(_type(tree), tuple(dict.fromkeys(_selectors(tree, None))))
    except BaseException as error:
        if type(error).__name__ == "PanicException" or isinstance(error, OverflowError) or _TOO_LONG in str(error):
            raise ValueError("a duration is out of range") from None
        raise


def _without_raw_strings(tokens: list[_Token]) -> str:
    """The text with raw strings quoted: the parser takes a backslash in them for an escape."""
    return "".join(quote(t.text[1:-1]) if t.text.startswith("`") else t.text for t in tokens)


def _place(promql: str, tokens: list[_Token], sentence: str) -> int:
    """Where an error of the parser is."""
    named = re.search(r"unknown function with name '(\w+)'|illegal regex for (.+)", sentence)
    if named is not None:
        name = named.group(1) or named.group(2)
        return next((t.start for t in tokens if name in t.text), 0)
    words = [token for token in tokens if token.kind != "space"]
    for cut in range(len(words) - 1, max(0, len(words) - 1 - _PREFIXES_TRIED), -1):
        try:
            _understood(_scan(promql[: words[cut].start]))
        except ValueError:
            continue
        return words[cut].start
    return words[0].start if words else 0


def _at(promql: str, place: int) -> str:
    """`line:column`, both from 1."""
    before = promql[:place]
    return f"{before.count(chr(10)) + 1}:{place - (before.rfind(chr(10)) + 1) + 1}"


def _line(text: str) -> str:
    return one_line(text, 200).strip()


def _children(node: Any) -> tuple[Any, ...]:
    """The parts of an expression. The parser's own walk is of no use: it takes minutes for some queries."""
    match node:
        case parser.BinaryExpr():
            return node.lhs, node.rhs
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            return (node.expr,)
        case parser.AggregateExpr():
            return (node.expr,) if node.param is None else (node.expr, node.param)
        case parser.Call():
            return tuple(node.args)
    return ()


def _selectors(node: Any, window: float | None) -> Iterator[Selector]:
    if isinstance(node, parser.SubqueryExpr) and (node.offset is not None or node.at is not None):
        return
    if isinstance(node, parser.SubqueryExpr | parser.MatrixSelector):
        window = (window or 0.0) + (node.range.total_seconds() if node.range is not None else 0.0)
    if isinstance(node, parser.MatrixSelector):
        node = node.vector_selector
    if isinstance(node, parser.VectorSelector):
        # Prometheus has no `or` between matchers; other servers' dialects are asked without a check of freshness.
        if node.offset is None and node.at is None and not node.matchers.or_matchers:
            yield from _named(node, window)
        return
    for child in _children(node):
        yield from _selectors(child, window)


def _named(node: Any, window: float | None) -> Iterator[Selector]:
    """The selector once for each name that it lists, none for a pattern of names.

    `timestamp` drops the name, and fails where two metrics are then alike. The parser prints matchers without
    escapes, so they are printed here.
    """
    names = [node.name] if node.name is not None else []
    parts = []
    for matcher in node.matchers.matchers:
        operator = _MATCH[str(matcher.op)]
        if matcher.name == "__name__" and operator == "=":
            names = [matcher.value]
        elif matcher.name == "__name__" and operator == "=~" and _NAMES.fullmatch(matcher.value):
            names = names or matcher.value.split("|")
        else:
            label = matcher.name if _LEGACY_LABEL.fullmatch(matcher.name) else quote(matcher.name)
            parts.append(f"{label}{operator}{quote(matcher.value)}")
    for name in names:
        if _LEGACY_METRIC.fullmatch(name):
            yield Selector(name + (f"{{{', '.join(parts)}}}" if parts else ""), name, window)
        else:
            yield Selector(f"{{{', '.join([f'__name__={quote(name)}', *parts])}}}", name, window)


def _type(node: Any) -> Type:
    match node:
        case parser.NumberLiteral():
            return Type.SCALAR
        case parser.StringLiteral():
            return Type.STRING
        case parser.MatrixSelector() | parser.SubqueryExpr():
            return Type.MATRIX
        case parser.ParenExpr() | parser.UnaryExpr():
            return _type(node.expr)
        case parser.BinaryExpr():
            both = {_type(node.lhs), _type(node.rhs)}
            return Type.SCALAR if both == {Type.SCALAR} else Type.VECTOR
        case parser.Call():
            return Type(str(node.func.return_type).rpartition(".")[2].lower())
    return Type.VECTOR
