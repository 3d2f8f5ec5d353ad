"""What people and programs read on a status page, and that nobody's message makes it anything else."""

import json
from html.parser import HTMLParser

import pytest

from stepdown.page.text import MESSAGE_MAX, STYLE, Answers, Notice, answers

SINCE = 1_772_388_000.0  # 2026-03-01T18:00:00Z
HOSTILE = [
    "</p></main><script>alert(1)</script>",
    '"><meta http-equiv="refresh" content="0;url=https://example.com">',
    "{message} {style} %s $(HOSTNAME) &lt;b&gt; &amp;",
    "ends here\r\nSet-Cookie: a=b\r\n\r\n<h1>other</h1>",
    "\u202eturned round\u0000 \x1b[31m",
    "Grüße, 日本語, عربي",
]


class Seen(HTMLParser):
    """The tags with their attributes, and the text of each element."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.tags[-1][0], data.strip()))


def said(message: str = "We will be right back.", retry_after: int = 60, now: float = SINCE + 5) -> Answers:
    return answers(Notice(message, retry_after), SINCE, now)


def parts(answer: bytes) -> tuple[str, dict[str, str], str]:
    """Status line, headers and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body.decode()


def test_a_page_says_the_message_and_since_when_and_asks_again_by_itself() -> None:
    status, headers, page = parts(said().to(b"GET / HTTP/1.1\r\n\r\n"))
    seen = Seen(page)

    assert status == "HTTP/1.1 503 Service Unavailable"
    assert headers["Retry-After"] == "60"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Connection"] == "close"
    assert headers["Content-Length"] == str(len(page.encode()))
    assert headers["Date"] == "Sun, 01 Mar 2026 18:00:05 GMT"
    assert ("p", "We will be right back.") in seen.texts
    assert ("time", "2026-03-01 18:00 UTC") in seen.texts
    assert ("meta", {"http-equiv": "refresh", "content": "60"}) in seen.tags


def test_a_page_has_a_language_a_title_a_heading_and_needs_no_script_and_no_other_file() -> None:
    _, headers, page = parts(said().html)
    seen = Seen(page)

    assert ("html", {"lang": "en"}) in seen.tags
    assert ("title", "Service unavailable") in seen.texts
    assert [tag for tag, _ in seen.tags].count("h1") == 1
    assert {tag for tag, _ in seen.tags}.isdisjoint({"script", "img", "link", "iframe", "form", "object"})
    assert [a for tag, a in seen.tags if "src" in a or a.get("href")] == []
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""

    def luminance(colour: str) -> float:
        digits = colour if len(colour) == 6 else "".join(2 * c for c in colour)
        shares = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("text", "ground"), [("1b1b1b", "fff"), ("0b4fa8", "fff"), ("ececec", "161616"), ("9cc7ff", "161616")]
)
def test_text_and_links_stand_out_by_seven_to_one_in_light_and_dark(text: str, ground: str) -> None:
    assert f"color:#{text}" in STYLE
    assert f"background:#{ground}" in STYLE
    assert _contrast(text, ground) >= 7


@pytest.mark.parametrize("message", HOSTILE)
def test_a_message_is_text_whatever_it_holds(message: str) -> None:
    plain, hostile = Seen(parts(said().html)[2]), said(message)
    status, headers, page = parts(hostile.html)

    assert Seen(page).tags == plain.tags
    assert [tag for tag, _ in Seen(page).texts] == [tag for tag, _ in plain.texts]
    assert (status, headers.keys()) == (parts(said().html)[0], parts(said().html)[1].keys())
    assert json.loads(parts(hostile.json)[2])["detail"].isprintable()


def test_a_message_keeps_its_words() -> None:
    message = "Grüße & <bis> \"gleich\", 50 % 'off'"

    assert ("p", message) in Seen(parts(said(message).html)[2]).texts
    assert json.loads(parts(said(message).json)[2])["detail"] == message


def test_a_message_is_bounded() -> None:
    assert len(json.loads(parts(said("x" * 10_000).json)[2])["detail"]) == MESSAGE_MAX


def test_programs_that_ask_for_json_get_it() -> None:
    _, headers, body = parts(said().to(b"POST /cart HTTP/1.1\r\nHost: x\r\naccept: application/json\r\n\r\n"))

    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "status": 503,
        "title": "Service unavailable",
        "detail": "We will be right back.",
        "since": "2026-03-01T18:00:00Z",
        "retryAfter": 60,
    }


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (b"Accept: text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        (b"Accept: */*", "text/html; charset=utf-8"),
        (b"Accept: application/json, text/html", "text/html; charset=utf-8"),
        (b"ACCEPT:application/problem+json", "application/json"),
        (b"X-Accept: application/json", "text/html; charset=utf-8"),
    ],
)
def test_a_browser_gets_html_whatever_else_it_would_take(accept: bytes, kind: str) -> None:
    assert parts(said().to(b"GET / HTTP/1.1\r\n" + accept + b"\r\n\r\n"))[1]["Content-Type"] == kind


def test_head_gets_the_same_head_and_no_body() -> None:
    asked = b" / HTTP/1.1\r\n\r\n"
    full, head = said().to(b"GET" + asked), said().to(b"HEAD" + asked)

    assert full.startswith(head)
    assert head.endswith(b"\r\n\r\n")
    assert parts(head)[2] == ""
