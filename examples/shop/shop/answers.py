"""What a request is, and what is answered: values, without a socket."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request. `body` is as it came."""

    method: str
    path: str
    body: bytes = b""

    def json(self) -> Any:
        """The body, read. Raises Refused where it isn't JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Refused(400, "the body isn't JSON") from None


@dataclass(frozen=True)
class Answer:
    """One answer. `headers` come on top of those that every answer has."""

    code: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """Why a request gets no proper answer: the code, and a sentence for whoever asked."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


Action = Callable[[Request], Answer]
Routes = Mapping[tuple[str, str], Action]
"""What is done by method and path. The path ANY stands for all that aren't named."""
ANY = "*"


def json_answer(content: Any, code: int = 200) -> Answer:
    """Content as JSON."""
    return Answer(code, json.dumps(content).encode() + b"\n")


def page(html: str, code: int = 200) -> Answer:
    """A page for people."""
    return Answer(code, html.encode(), "text/html; charset=utf-8")


def answer(routes: Routes, request: Request) -> Answer:
    """What a service answers. A Refused becomes JSON with its sentence."""
    try:
        action = routes.get((request.method, request.path)) or routes.get((request.method, ANY))
        if action is None:
            raise Refused(404, f"nothing is at {request.method} {request.path}")
        return action(request)
    except Refused as refusal:
        return json_answer({"error": refusal.why}, refusal.code)
