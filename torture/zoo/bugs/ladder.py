"""Bugs of deciding when to step down and when to step up."""

from torture.zoo.bug import Bug, Edit

_RECOVERY = "stepdown.engine.recovery"
_DECIDE = "stepdown.engine.decide"
_BREACHES = "stepdown.engine.breaches"

BUGS = (
    Bug(
        "step-up-with-a-missing-signal",
        "What is missing is no breach, so it is healthy: traffic goes back while nobody sees.",
        (Edit(_RECOVERY, "    if missing:\n        return _missing_obstacle(missing)\n", ""),),
        (
            "tests/engine/test_step_up.py::test_any_missing_signal_holds_the_level_whatever_the_kind",
            "tests/engine/test_step_up.py::test_a_gap_in_any_signal_starts_the_healthy_window_again",
        ),
    ),
    Bug(
        "step-up-skips-levels",
        "A step up goes to full service at once, and the load that the levels had taken away comes back at once too.",
        (
            Edit(
                _RECOVERY,
                "    above = turn.current - 1\n    if step.trial",
                "    above = 0\n    if step.trial",
            ),
        ),
        (
            "tests/engine/test_step_up.py::test_levels_are_left_one_at_a_time_each_after_its_own_window",
            "tests/engine/test_ways_back.py::test_a_trial_goes_up_one_level_and_that_level_has_its_own_way_back",
        ),
    ),
    Bug(
        "step-down-by-memory",
        "A breach that was seen once calls for its level for as long as its data is missing.",
        (
            Edit(
                _BREACHES,
                "return breach.firing and not isinstance(value, Missing) and watch.is_beyond(value)",
                "return breach.firing and (isinstance(value, Missing) or watch.is_beyond(value))",
            ),
        ),
        (
            "tests/engine/test_step_down.py::test_a_breach_of_old_does_not_enter_a_deeper_level_while_its_data_is_missing",
        ),
    ),
    Bug(
        "step-on-one-sample",
        "The time for which a breach must last is not kept: one bad sample is enough.",
        (Edit(_BREACHES, "firing=watch.hold <= 0", "firing=True"),),
        (
            "tests/engine/test_step_down.py::test_a_condition_must_hold_for_its_time_without_a_break",
            "tests/engine/test_step_down.py::test_one_good_sample_starts_the_time_again",
        ),
    ),
    Bug(
        "no-band-to-clear",
        "A breach is over as soon as it is below its threshold: around it a level comes and goes.",
        (
            Edit(
                _BREACHES, "value <= watch.clear if watch.sign > 0", "value <= watch.threshold.value if watch.sign > 0"
            ),
        ),
        ("tests/engine/test_step_up.py::test_a_breach_within_the_clear_band_holds_the_level",),
    ),
    Bug(
        "budget-lost-on-restart",
        "Transitions are counted in memory: a crash loop has a new budget each time.",
        (
            Edit(
                _DECIDE,
                '"transitions": [time if time <= now + AHEAD_SECONDS else now for time in state.transitions],',
                '"transitions": [],',
            ),
        ),
        ("tests/engine/test_step_up.py::test_a_restart_is_no_new_budget",),
    ),
    Bug(
        "budget-holds-steps-down",
        "A spent budget holds a step down too: a service in need is left without help.",
        (
            Edit(
                _DECIDE,
                "    if not failed and (rest := turn.dwell_left()) > 0:\n",
                "    if len(turn.state.transitions) >= turn.ladder.budget:\n"
                '        return turn.stay(Reason.BUDGET_SPENT, "spent", breach)\n'
                "    if not failed and (rest := turn.dwell_left()) > 0:\n",
            ),
        ),
        ("tests/engine/test_step_up.py::test_a_spent_budget_never_holds_a_step_down",),
    ),
    Bug(
        "gap-counted-as-healthy",
        "Time in which nobody looked counts for the healthy window: half a window after an outage is enough.",
        (Edit(_DECIDE, '            "healthy_since": None,\n', ""),),
        (
            "tests/engine/test_persons_word.py::test_after_a_gap_the_healthy_window_starts_again",
            "tests/engine/test_ways_back.py::test_a_trial_that_nobody_watched_has_not_succeeded",
        ),
    ),
    Bug(
        "clock-set-back-stops-timers",
        "A clock that is set back leaves times in the future, and every timer stands still until it has caught up.",
        (Edit(_DECIDE, '"since": min(state.since, now),', '"since": state.since,'),),
        (
            "tests/cycle/test_news.py::test_row_18_a_clock_that_is_set_back_an_hour_stops_nothing",
            "tests/engine/test_persons_word.py::test_a_clock_that_was_set_back_stops_no_timer",
        ),
    ),
    Bug(
        "override-without-an-end",
        "An override has an end that nobody looks at: it outlives its incident.",
        (Edit(_DECIDE, "ladder.override is not None and now < ladder.override_until", "ladder.override is not None"),),
        ("tests/engine/test_persons_word.py::test_an_override_ends_at_its_time_and_the_signals_decide_again",),
    ),
    Bug(
        "failed-trial-tried-at-once",
        "A failed trial doesn't make the next wait longer: users are tried on again and again.",
        (Edit(_RECOVERY, "step.trial.after * 2.0 ** min(", "step.trial.after * 1.0 ** min("),),
        ("tests/engine/test_ways_back.py::test_the_wait_doubles_up_to_its_bound",),
    ),
    Bug(
        "status-written-every-tick",
        "The status shows the reading of now, so that each look is a write: the API server pays for every idle policy.",
        (Edit("stepdown.engine.report", "if unmoved and _same(summary.why, before.summary.why):", "if not unmoved:"),),
        ("tests/cycle/test_walk.py::test_a_degraded_policy_writes_nothing_while_nothing_changes",),
    ),
)
