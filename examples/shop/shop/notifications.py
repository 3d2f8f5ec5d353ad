"""Telling customers, by the channel that the flag names."""

from shop.answers import Answer, Refused, Request, Routes, json_answer
from shop.asking import Outcome, ask_outside
from shop.catalogue import health
from shop.database import Database
from shop.flags import Flags
from shop.settings import Settings


def routes(settings: Settings) -> Routes:
    """POST /messages with {order, text}, and /healthz.

    Every message is written down with its channel: in-app ones are shown from there, queued ones are sent by somebody
    at work.
    """
    database, flags = Database(settings), Flags(settings.flags)
    senders = {"email": settings.email, "sms": settings.sms}

    def tell(request: Request) -> Answer:
        message = request.json()
        channel = flags.notifications
        if channel in senders and ask_outside(senders[channel], message["order"], message["text"]) is not Outcome.DONE:
            raise Refused(503, f"{channel} doesn't answer")
        database.rows(
            "INSERT INTO messages (order_id, channel, text) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            *(message["order"], channel, message["text"]),
        )
        return json_answer({"channel": channel})

    return {("POST", "/messages"): tell, ("GET", "/healthz"): lambda _: health(database)}
