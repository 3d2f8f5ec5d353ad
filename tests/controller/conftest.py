"""A quicker world: what comes round every second does so every tenth."""

import pytest

from stepdown.controller import watched
from stepdown.controller.watched import Watched


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy's interval and the pause between two looks are a tenth of what they say."""
    said = Watched.interval.fget
    assert said is not None
    monkeypatch.setattr(Watched, "interval", property(lambda found: said(found) / 10))
    monkeypatch.setattr(watched, "PENDING_INTERVAL", watched.PENDING_INTERVAL / 10)
