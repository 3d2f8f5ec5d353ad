"""Logs: one JSON object a line, or plain text; a sentence that repeats is said once a minute."""

import logging
import sys
import threading
import time
from types import TracebackType

from pythonjsonlogger.json import JsonFormatter

from stepdown.api.lines import one_line

REPEAT_SECONDS = 60.0
SENTENCES_MAX = 1000


class Quiet(logging.Filter):
    """Lets a warning pass once in a while: what is retried every second is news once."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log."""
        if record.levelno != logging.WARNING:
            return True
        now = time.monotonic()
        text = f"{record.getMessage()}{getattr(record, 'policy', '')}{getattr(record, 'why', '')}"
        if now - self._said.get(text, float("-inf")) < REPEAT_SECONDS:
            return False
        if len(self._said) >= SENTENCES_MAX:
            self._said.clear()
        self._said[text] = now
        return True


class _Line(logging.Formatter):
    """Plain text, with what belongs to the record, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        extras = [f"{key}={record.__dict__[key]}" for key in ("policy", "reason", "why") if key in record.__dict__]
        text = " ".join(
            [f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7}", record.getMessage(), *extras]
        )
        if record.exc_info:
            text += " | " + self.formatException(record.exc_info)
        return one_line(text, len(text))


def set_up(level: str, form: str) -> None:
    """Sends all logs to standard error; kopf's own only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
    renamed = {"asctime": "time", "levelname": "level", "name": "logger"}
    handler.setFormatter(JsonFormatter(fields, rename_fields=renamed) if form == "json" else _Line())
    handler.addFilter(Quiet())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("stepdown").setLevel(level.upper())
    logging.getLogger("kopf").setLevel(logging.ERROR)
    _take_what_is_printed_otherwise()


def _take_what_is_printed_otherwise() -> None:
    """Warnings, and errors that nobody has caught, go into the log: Python would print them over many lines."""
    log = logging.getLogger("stepdown")
    logging.captureWarnings(capture=True)

    def of_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("ended by an error", exc_info=(kind, error, trace))

    def of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            log.error("a thread ended by an error", exc_info=args.exc_value)

    def of_nobody(args: "sys.UnraisableHookArgs") -> None:
        log.error("an error that could not be raised", exc_info=args.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = of_main, of_thread, of_nobody
