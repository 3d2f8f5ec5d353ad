"""From what was read for a question to an observation: one finite, fresh number, or why there is none.

Missing is never a value: each way of having no number is told apart, because each has another cure.
"""

import math
from dataclasses import dataclass

from stepdown.engine.observation import Missing, Observation
from stepdown.engine.questions import PresetQuestion, PromqlQuestion

FUTURE_SECONDS = 30.0
"""How far ahead of us a source's clock may be."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came back for one expression at one time.

    `values` are those of its rows. `failure` says that there are none to trust, and `detail` why in one line.
    `warning` is the source's own doubt.
    """

    values: tuple[float, ...] = ()
    failure: Missing | None = None
    detail: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was read for one question.

    `newest` has a reading per selector, the time of its newest sample; none for a question whose freshness can't
    be known. `volume` is the rate of requests. `vanished` names a metric that was there in its window and is not
    any more.
    """

    value: Reading
    newest: tuple[Reading, ...] = ()
    volume: Reading | None = None
    vanished: str = ""


def judge(question: PromqlQuestion | PresetQuestion, evidence: Evidence, at: float) -> Observation:
    """The observation of one question at a time, in seconds since the epoch."""
    value, volume = evidence.value, evidence.volume
    readings = [value, *evidence.newest, *([volume] if volume is not None else [])]
    failed = next((reading for reading in readings if reading.failure is not None), None)
    if failed is not None:
        return Observation(missing=failed.failure, detail=failed.detail)
    warning = next((reading.warning for reading in readings if reading.warning), "")
    if warning and not question.allow_partial:
        return Observation(missing=Missing.PARTIAL, detail=warning)
    times = [max(reading.values) for reading in evidence.newest if reading.values]
    if not all(math.isfinite(time) for reading in evidence.newest for time in reading.values):
        return Observation(missing=Missing.ERROR, detail="the time of its newest sample is no number")
    sampled = min(times, default=None)
    if times and max(times) - at > FUTURE_SECONDS:
        ahead = max(times) - at
        return Observation(missing=Missing.ERROR, detail=f"its newest sample is {ahead:.0f}s in the future")
    if sampled is not None and at - sampled > question.stale_after:
        old = f"newest sample {at - sampled:.0f}s old"
        return Observation(missing=Missing.STALE, sampled=sampled, detail=old)
    if not value.values:
        return Observation(missing=Missing.EMPTY, sampled=sampled, detail="no series")
    if evidence.vanished:
        return Observation(missing=Missing.STALE, sampled=sampled, detail=f"{evidence.vanished} is no longer there")
    if volume is not None and isinstance(question, PresetQuestion):
        short = _too_few(volume, question.min_rate)
        if short is not None:
            return Observation(missing=short[0], sampled=sampled, detail=short[1])
    if len(value.values) > 1:
        return Observation(missing=Missing.NOT_SCALAR, sampled=sampled, detail="several series, one is needed")
    if not math.isfinite(value.values[0]):
        return Observation(missing=Missing.NOT_FINITE, sampled=sampled, detail=f"{value.values[0]}")
    return Observation(value=value.values[0], sampled=sampled)


def _too_few(volume: Reading, min_rate: float | None) -> tuple[Missing, str] | None:
    """Why a rate of requests is not enough; without requests a ratio or a percentile says nothing."""
    if not volume.values:
        return Missing.EMPTY, "no series of requests"
    if len(volume.values) > 1:
        return Missing.NOT_SCALAR, "several series of requests, one is needed"
    rate = volume.values[0]
    if not math.isfinite(rate):
        return Missing.NOT_FINITE, f"{rate} requests/s"
    if rate <= 0:
        return Missing.TOO_FEW, "no requests"
    if min_rate is not None and rate < min_rate:
        return Missing.TOO_FEW, f"{rate:.3g} requests/s, minRate is {min_rate:g}"
    return None
