"""What the status page says, as bytes of HTTP: always 503, to people in HTML and to programs in JSON.

Nothing on it comes from a request, and nothing is fetched for it: one file, without scripts, that a browser asks for
again by itself. The message is somebody's plain text; it is escaped, and a page can't be made to be anything else.
"""

import html
import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from stepdown.api.lines import one_line

MESSAGE_MAX = 512

STYLE = (
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;font:1.125rem/1.6 system-ui,sans-serif;"
    "color:#1b1b1b;background:#fff}"
    "main{max-width:36rem;padding:2rem}"
    "h1{font-size:1.5rem;line-height:1.3}"
    "a{color:#0b4fa8}"
    "@media(prefers-color-scheme:dark){body{color:#ececec;background:#161616}a{color:#9cc7ff}}"
)

_POLICY = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{retry_after}">
<title>Service unavailable</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>Service unavailable</h1>
<p dir="auto">{message}</p>
<p>This page has been shown since <time datetime="{instant}">{since}</time>. It tries again by itself every
{retry_after} s. <a href="">Try again now</a></p>
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a page says. `retry_after` is in whole seconds."""

    message: str
    retry_after: int


@dataclass(frozen=True, slots=True)
class Answers:
    """The whole answers of one moment, each with its head: to browsers, to programs, and to HEAD of either."""

    html: bytes
    json: bytes
    html_head: bytes
    json_head: bytes

    def to(self, request: bytes) -> bytes:
        """The answer to a request, of which the method and `Accept` are looked at. Whatever it is, it is answered."""
        is_json = _accept(request) == b"json"
        if request.startswith(b"HEAD "):
            return self.json_head if is_json else self.html_head
        return self.json if is_json else self.html


def answers(notice: Notice, since: float, now: float) -> Answers:
    """The answers at `now`; both times are in seconds since the epoch."""
    message = one_line(notice.message, MESSAGE_MAX)
    start = datetime.fromtimestamp(since, UTC)
    page = _PAGE.format(
        style=STYLE,
        message=html.escape(message),
        retry_after=notice.retry_after,
        instant=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        since=f"{start:%Y-%m-%d %H:%M} UTC",
    ).encode()
    facts = {
        "status": 503,
        "title": "Service unavailable",
        "detail": message,
        "since": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "retryAfter": notice.retry_after,
    }
    document = json.dumps(facts).encode() + b"\n"
    html_head = _head("text/html; charset=utf-8", len(page), notice, now)
    json_head = _head("application/json", len(document), notice, now)
    return Answers(html_head + page, json_head + document, html_head, json_head)


def _head(kind: str, length: int, notice: Notice, now: float) -> bytes:
    """Every connection ends with its answer: one that was kept would stay at the page after the service is back."""
    lines = [
        "HTTP/1.1 503 Service Unavailable",
        f"Date: {datetime.fromtimestamp(now, UTC):%a, %d %b %Y %H:%M:%S GMT}",
        f"Content-Type: {kind}",
        f"Content-Length: {length}",
        f"Retry-After: {notice.retry_after}",
        "Cache-Control: no-store",
        "Connection: close",
        "Vary: Accept",
        f"Content-Security-Policy: {_POLICY}",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _accept(request: bytes) -> bytes:
    """What a request would rather have: `html`, also where it doesn't say, or `json`."""
    for line in request.split(b"\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"accept":
            kinds = value.lower()
            return b"json" if b"json" in kinds and b"text/html" not in kinds else b"html"
    return b"html"
