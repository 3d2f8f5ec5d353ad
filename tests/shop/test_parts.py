"""The parts of the example shop that need no network: orders, pages, answers, what is known after asking."""

import json

import pytest

from shop.answers import ANY, Answer, Refused, Request, answer, json_answer
from shop.asking import Outcome, ask_outside, read_code
from shop.crowd import read_answer
from shop.orders import read_order
from shop.outside import routes as outside_routes
from shop.pages import price, reading_page, shop_page
from shop.settings import Settings

KETTLE = {"id": 1, "name": "Kettle & lid", "cents": 3490}
CUP = {"id": 3, "name": "Cup", "cents": 790}


def post(body: bytes) -> Request:
    return Request("POST", "/checkout", body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b'{"product": 3, "quantity": 2}', (3, 2)), (b'{"product": 3}', (3, 1)), (b"product=3&quantity=2", (3, 2))],
)
def test_an_order_is_read_from_json_and_from_a_form(body: bytes, expected: tuple[int, int]) -> None:
    order = read_order(post(body))

    assert (order.product, order.quantity) == expected


def test_each_order_has_an_id_of_its_own() -> None:
    assert read_order(post(b"product=3")).id != read_order(post(b"product=3")).id


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "the body isn't JSON"),
        (b"", "product is the number of one, not None"),
        (b"product=tea", "product is the number of one, not 'tea'"),
        (b'{"product": true}', "product is the number of one, not True"),
        (b"product=3&quantity=0", "quantity is a number from 1 to 100, not 0"),
        (b'{"product": 3, "quantity": 101}', "quantity is a number from 1 to 100, not 101"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_the_reason(body: bytes, why: str) -> None:
    with pytest.raises(Refused, match=f"^{why}$") as refused:
        read_order(post(body))

    assert refused.value.code == 400


def test_a_page_shows_every_product_with_its_price_and_what_goes_together() -> None:
    html = shop_page([KETTLE, CUP], [{"product": 1, "goes_with": 3, "times": 9}])

    assert "<li>Kettle &amp; lid, €34.90 <form" in html
    assert "<li>Kettle &amp; lid and Cup</li>" in html


def test_a_page_without_recommendations_says_nothing_of_them() -> None:
    assert "bought together" not in shop_page([KETTLE], None)


def test_a_page_for_reading_has_no_form_and_says_why() -> None:
    html = reading_page([KETTLE])

    assert "<form" not in html
    assert "You can look but not buy right now" in html


def test_prices_have_two_digits_after_the_point() -> None:
    assert [price(cents) for cents in (5, 320, 3490)] == ["€0.05", "€3.20", "€34.90"]


def test_a_path_that_nobody_serves_is_refused_and_a_route_for_any_takes_it() -> None:
    here: Answer = json_answer("here")

    assert answer({("GET", "/"): lambda _: here}, Request("GET", "/there")).code == 404
    assert answer({("GET", ANY): lambda _: here}, Request("GET", "/there")) == here


def test_a_refusal_becomes_its_code_and_its_sentence() -> None:
    def refuse(_: Request) -> Answer:
        raise Refused(503, "not now")

    assert answer({("GET", "/"): refuse}, Request("GET", "/")) == Answer(503, b'{"error": "not now"}\n')


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (200, Outcome.DONE),
        (402, Outcome.REFUSED),
        (503, Outcome.UNREACHED),
        (500, Outcome.UNKNOWN),
        (504, Outcome.UNKNOWN),
    ],
)
def test_only_a_full_line_is_taken_for_not_done(code: int, outcome: Outcome) -> None:
    assert read_code(code) is outcome


def test_a_company_that_nobody_answers_for_was_surely_not_asked() -> None:
    assert ask_outside("http://127.0.0.1:1", "key", "what") is Outcome.UNREACHED


def test_a_company_outside_does_a_thing_once_for_a_key(tmp_path) -> None:
    routes = outside_routes(Settings(book=str(tmp_path / "book")))
    for what in ("100", "200"):
        answer(routes, Request("POST", "/done", json.dumps({"key": "order-1", "what": what}).encode()))

    assert json.loads(answer(routes, Request("GET", "/done")).body) == {"order-1": "100"}


@pytest.mark.parametrize(
    ("answered", "got"),
    [
        (b"HTTP/1.0 200 OK\r\nX-Served-By: core\r\n\r\n<html>", "core"),
        (b"HTTP/1.0 503 Service Unavailable\r\nX-Served-By: read-only\r\n\r\n{}", "error 503 by read-only"),
        (b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\n\r\n", "error 502 by somebody"),
        (b"", "error cut off by somebody"),
    ],
)
def test_the_crowd_tells_who_served_it_and_what_went_wrong(answered: bytes, got: str) -> None:
    assert read_answer(answered) == got
