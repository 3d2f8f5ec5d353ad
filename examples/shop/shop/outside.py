"""What stands for companies outside: payment providers and senders of messages.

Like the real ones it does a thing once for a key, however often it is asked, and keeps a book of what it did. The book
is a file of the pod's own: the shop's database may fail without it.
"""

import sqlite3
import threading
from pathlib import Path

from shop.answers import Answer, Refused, Request, Routes, json_answer
from shop.settings import Settings


class Book:
    """What was done, by key."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._file = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._file.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, what TEXT NOT NULL)")

    def do(self, key: str, what: str) -> None:
        """Does it, unless it was done."""
        with self._lock:
            self._file.execute("INSERT OR IGNORE INTO done VALUES (?, ?)", (key, what))

    def done(self) -> dict[str, str]:
        """Everything that was done, by key."""
        with self._lock:
            return dict(self._file.execute("SELECT key, what FROM done").fetchall())


def routes(settings: Settings) -> Routes:
    """POST /done with {key, what}, GET /done, and /healthz."""
    book = Book(Path(settings.book))

    def do(request: Request) -> Answer:
        found = request.json()
        if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in ("key", "what")):
            raise Refused(400, "key and what are needed, as strings")
        book.do(found["key"], found["what"])
        return json_answer({"done": found["key"]})

    return {
        ("POST", "/done"): do,
        ("GET", "/done"): lambda _: json_answer(book.done()),
        ("GET", "/healthz"): lambda _: json_answer({"ok": True}),
    }
