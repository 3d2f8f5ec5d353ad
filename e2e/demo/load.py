"""The load of a launch over time."""

import math

FEW, MANY = 100, 10_000
"""Users before and after, and at the peak."""

CALM, RISE, PEAK, FALL = 5.0, 45.0, 15.0, 25.0
LENGTH = CALM + RISE + PEAK + FALL
"""Seconds of the launch's parts, and of all of it."""


def users_at(seconds: float) -> int:
    """Users so many seconds after the start: a hundredfold in 45 seconds, the same factor every second."""
    if seconds < CALM:
        return FEW
    if seconds < CALM + RISE:
        return round(FEW * math.pow(MANY / FEW, (seconds - CALM) / RISE))
    if seconds < CALM + RISE + PEAK:
        return MANY
    if seconds < LENGTH:
        return round(MANY * math.pow(FEW / MANY, (seconds - CALM - RISE - PEAK) / FALL))
    return FEW
