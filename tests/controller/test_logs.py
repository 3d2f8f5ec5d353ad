"""One object a line whatever is said, and nothing said every second."""

import json
import logging
import sys
import threading
import warnings
from types import SimpleNamespace

import pytest

from stepdown.controller.logs import Quiet, set_up


@pytest.fixture(autouse=True)
def _as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


def test_a_hostile_string_is_one_json_object_on_one_line(capsys):
    set_up("info", "json")
    logging.getLogger("stepdown.x").info('a\nb\x1b[31m "c" \u202e', extra={"policy": "shop/shop"})
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert (found["message"], found["policy"], found["level"]) == ('a\nb\x1b[31m "c" \u202e', "shop/shop", "INFO")


def test_plain_text_is_one_line_without_control_characters(capsys):
    set_up("info", "text")
    logging.getLogger("stepdown.x").info("a\nb\x1b[31m", extra={"policy": "shop/shop"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("info    a b [31m policy=shop/shop")


def test_a_warning_that_repeats_is_said_once_and_other_ones_still_are():
    quiet = Quiet()

    def passes(text: str, policy: str = "a/b", level: int = logging.WARNING) -> bool:
        record = logging.LogRecord("stepdown", level, "", 0, text, (), None)
        record.policy = policy
        return bool(quiet.filter(record))

    assert [passes("no lease yet"), passes("no lease yet")] == [True, False]
    assert [passes("other"), passes("no lease yet", policy="a/c")] == [True, True]
    assert [passes("leading", level=logging.INFO), passes("leading", level=logging.INFO)] == [True, True]


def test_kopfs_own_talk_is_not_repeated(capsys):
    set_up("info", "text")
    logging.getLogger("kopf.objects").warning("Unresolved resources")
    assert capsys.readouterr().err == ""


def test_what_python_would_print_over_many_lines_is_one_json_object_too(capsys):
    set_up("info", "json")

    def fail() -> None:
        raise ValueError("a\nb")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    warnings.warn("c\nd", stacklevel=1)
    try:
        fail()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
        sys.unraisablehook(SimpleNamespace(exc_value=error))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["ERROR", "WARNING", "CRITICAL", "ERROR"]
    assert "ValueError: a\nb" in lines[0]["exc_info"]
