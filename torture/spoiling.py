"""Ways to spoil a whole answer: from a document that would be believed to the bytes of a reply that must not be."""

import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

from adapters.hostile import HEAD, NOW, http

Document = dict[str, Any]

SHAPES: tuple[Any, ...] = (
    None, [], "row", 1, {}, {"metric": {}}, {"metric": [], "value": [NOW, "1"]}, {"metric": None, "value": [NOW, "1"]},
    {"metric": {"a": 1}, "value": [NOW, "1"]}, {"metric": {"a": {"b": "c"}}, "value": [NOW, "1"]},
    {"metric": {}, "histogram": [NOW, {}]}, {"metric": {}, "values": [[NOW, "1"]]},
)  # fmt: skip
"""Rows that are none."""

POINTS: tuple[Any, ...] = (
    None, "0.9", 0.9, {}, [], [NOW], [NOW, 0.9], [NOW, None], [NOW, True], [NOW, ["0.9"]], [NOW, {"v": "0.9"}],
    [NOW, "0.9", "0.9"], [NOW, ""], [NOW, " 0.9"], [NOW, "0.9 "], [NOW, "0.9\n"], [NOW, "0,9"], [NOW, "1_0"],
    [NOW, "0x1p-1"], [NOW, "\u0660.\u0669"], [NOW, "\uff10.\uff19"], [NOW, "nan"], [NOW, "Infinity"], [NOW, "0.9e"],
    [NOW, ".9"], [NOW, "90%"], [NOW, "--1"], [NOW, "\u0000"], [NOW, "0.9\u202e"], [str(NOW), "0.9"], [None, "0.9"],
    [True, "0.9"], [{}, "0.9"], [10**400, "0.9"], [-(10**400), "0.9"],
)  # fmt: skip
"""Points that are no time and number as text."""

BYTES = (b"\xff", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80")
"""What is no UTF-8 wherever it stands."""


def text(document: Any) -> bytes:
    """Its JSON."""
    return json.dumps(document).encode()


def shape(chance: random.Random, document: Document) -> bytes:
    """One row, or the point in it, is of another shape."""
    rows = document["data"]["result"]
    place = chance.randrange(len(rows))
    if chance.random() < 0.3:
        rows[place] = chance.choice(SHAPES)
    else:
        rows[place]["value"] = chance.choice(POINTS)
    return http(text(document))


def truncated(chance: random.Random, document: Document) -> bytes:
    """The JSON ends somewhere."""
    whole = text(document)
    return http(whole[: chance.randrange(len(whole))])


def cut(chance: random.Random, document: Document) -> bytes:
    """The connection ends somewhere, in the head or in the body, however far the body was announced."""
    head, _, body = http(text(document)).partition(b"\r\n\r\n")
    if chance.random() < 0.3:
        return head[: chance.randrange(len(head))]
    return head + b"\r\n\r\n" + body[: chance.randrange(len(body))]


def short(chance: random.Random, document: Document) -> bytes:
    """Fewer bytes are announced than come."""
    body = text(document)
    return HEAD + b"Content-Length: %d\r\n\r\n" % chance.randrange(len(body)) + body


def bad_text(chance: random.Random, document: Document) -> bytes:
    """Bytes that are no UTF-8, somewhere."""
    whole = text(document)
    place = chance.randrange(len(whole))
    return http(whole[:place] + chance.choice(BYTES) + whole[place:])


def encoding(chance: random.Random, document: Document) -> bytes:
    """Text in another encoding, or with a mark of bytes' order."""
    return http(json.dumps(document).encode(chance.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037"))))


def constant(chance: random.Random, document: Document) -> bytes:
    """A number that JSON has no word for."""
    row = chance.choice(document["data"]["result"])
    row["value"][chance.randrange(2)] = "HERE"
    return http(text(document).replace(b'"HERE"', chance.choice((b"NaN", b"Infinity", b"-Infinity"))))


def twice(chance: random.Random, document: Document) -> bytes:
    """A name that is there twice, first with something else."""
    whole = text(document)
    name, other = chance.choice(
        (
            (b'"status": ', b'"error"'), (b'"data": ', b"null"), (b'"resultType": ', b'"matrix"'),
            (b'"result": ', b"[]"), (b'"metric": ', b"{}"), (b'"value": ', b'[0, "0"]'),
            (b'"stepdown_query": ', b'"7"'),
        )
    )  # fmt: skip
    return http(whole.replace(name, name + other + b", " + name, 1))


def refusal(chance: random.Random, document: Document) -> bytes:
    """An error, whatever data is with it."""
    kinds = ("bad_data", "execution", "timeout", "internal", "canceled", "unavailable", "not_found", 5, None)
    document |= {
        "status": "error",
        "errorType": chance.choice(kinds),
        "error": chance.choice(("no\x1b[31m", "", 5, None)),
    }
    return http(text(document), chance.choice((200, 400, 401, 403, 404, 422, 429, 500, 502, 503, 504)))


def http_status(chance: random.Random, document: Document) -> bytes:
    """A status that isn't 200, whatever is with it."""
    codes = (
        201,
        202,
        203,
        204,
        205,
        206,
        300,
        301,
        302,
        303,
        304,
        307,
        308,
        400,
        401,
        403,
        404,
        418,
        429,
        500,
        503,
        999,
    )
    return http(text(document), chance.choice(codes))


def content_type(chance: random.Random, document: Document) -> bytes:
    """Something else than JSON, as it says itself."""
    said = chance.choice(("text/html", "text/plain", "application/jsonp", "application/x-json", "json", "\u00e9", ""))
    return http(text(document), headers=f"Content-Type: {said}\r\n" if said else "")


def result_type(chance: random.Random, document: Document) -> bytes:
    """A result of another type, in name at least."""
    document["data"]["resultType"] = chance.choice(
        ("matrix", "scalar", "string", "", "Vector", None, 5, ["vector"], {})
    )
    return http(text(document))


def warnings(chance: random.Random, document: Document) -> bytes:
    """The source's own doubt, or something that may be one."""
    said = (
        ["store 2 is down"],
        [""],
        ["\u202e"],
        ["PromQL warning: odd"],
        ["results truncated due to limit"],
        [5],
        "odd",
        {},
        1,
    )
    return http(text(document | {"warnings": chance.choice(said)}))


def compressed(chance: random.Random, document: Document) -> bytes:
    """Compressed, whether it says so or not."""
    whole = text(document)
    said, body = chance.choice(
        (("gzip", gzip.compress(whole)), ("deflate", zlib.compress(whole)), ("br", whole), ("gzip, identity", whole))
    )
    named = f"Content-Encoding: {said}\r\n" if body is whole or chance.random() < 0.5 else ""
    return http(body, headers=f"Content-Type: application/json\r\n{named}")


def other_keys(chance: random.Random, document: Document) -> bytes:
    """What is needed is somewhere else, or called otherwise."""
    data = document["data"]
    return http(
        text(
            chance.choice(
                (
                    data, [document], {"Status": "success", "data": data}, {"status": "success", "Data": data},
                    {"status": "success", "data": [data]}, {"status": "success", "data": data["result"]},
                    {"status": "success", "data": {**data, "result": {"0": data["result"]}}},
                    {"status": ["success"], "data": data}, {"status": True, "data": data},
                    {"status": "success", "data": json.dumps(data)},
                )
            )
        )
    )  # fmt: skip


def any_json(chance: random.Random, _: Document) -> bytes:
    """Some JSON."""

    def some(depth: int) -> Any:
        match chance.randrange(8 if depth else 5):
            case 0:
                return chance.choice((None, True, False, "", "success", "vector"))
            case 1:
                return chance.choice((0, -1, 10**18, 10**400, 1e308, 5e-324))
            case 2 | 3 | 4:
                return "".join(map(chr, (chance.randrange(0xD800) for _ in range(chance.randrange(12)))))
            case 5 | 6:
                return [some(depth - 1) for _ in range(chance.randrange(5))]
        names = ("status", "data", "result", "resultType", "metric", "value", "x")
        return {chance.choice(names): some(depth - 1) for _ in range(chance.randrange(5))}

    return http(text(some(6)))


def any_bytes(chance: random.Random, _: Document) -> bytes:
    """Some bytes for JSON, or for all of the reply."""
    some = chance.randbytes(chance.randrange(2000))
    return http(some) if chance.random() < 0.5 else some


def deep(chance: random.Random, document: Document) -> bytes:
    """More levels than anybody reads."""
    levels = chance.randrange(2_000, 40_000)
    opened, closed = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    whole = opened * levels + text(document) + closed * chance.choice((levels, 0))
    return http(whole if chance.random() < 0.5 else text(document)[:-1] + b', "x": ' + opened * levels + b"}")


def huge_number(chance: random.Random, document: Document) -> bytes:
    """A number of more digits than anybody reads."""
    chance.choice(document["data"]["result"])["value"][0] = "HERE"
    return http(text(document).replace(b'"HERE"', b"1" + b"0" * chance.randrange(310, 20_000)))


def garbage_after(chance: random.Random, document: Document) -> bytes:
    """Something more after the JSON, or before it."""
    more = chance.choice((b"{}", b"x", b"\x00", b",", b"]", b"<html>", text(document)))
    return http(text(document) + more if chance.random() < 0.7 else more + text(document))


def headers(chance: random.Random, document: Document) -> bytes:
    """Heads that are too long, or too many."""
    many = ("X: " + "x" * 9_000 + "\r\n") * 4, "X: x\r\n" * 101, "X: " + "x" * 70_000 + "\r\n"
    return http(text(document), headers="Content-Type: application/json\r\n" + chance.choice(many))


def chunks(chance: random.Random, document: Document) -> bytes:
    """Pieces whose sizes are wrong."""
    body = text(document)
    sizes = (b"-5", b"zz", b"", b"ffffffffffffffffffff", b"%x" % (len(body) + 9), b"%x" % (len(body) // 2))
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chance.choice(sizes) + b"\r\n" + body + b"\r\n0\r\n\r\n"


SPOILING: dict[str, Callable[[random.Random, Document], bytes]] = {
    spoil.__name__: spoil
    for spoil in (
        shape, truncated, cut, short, bad_text, encoding, constant, twice, refusal, http_status, content_type,
        result_type, warnings, compressed, other_keys, any_json, any_bytes, deep, huge_number, garbage_after,
        headers, chunks,
    )
}  # fmt: skip
