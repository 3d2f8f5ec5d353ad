"""Bugs of a policy's life: its deletion, its namespace's end, a neighbour's failure."""

from torture.zoo.bug import Bug, Edit

_CYCLE = "stepdown.cycle"
_DECIDE = "stepdown.engine.decide"
_PREPARED = "stepdown.prepared"
_EVALUATOR = "stepdown.controller.evaluator"

BUGS = (
    Bug(
        "restored-by-a-daemon",
        "Only the process that saw a policy alive restores it when it is deleted, as with handlers of a framework: one"
        " deleted while the operator is down is never restored.",
        (
            Edit(
                _CYCLE,
                "        if not policy.has_finalizer:\n            return policy\n",
                "        if not policy.has_finalizer:\n            return policy\n"
                "        if memory.looked_at is None:\n"
                "            return await self.journal.set_finalizer(policy, present=False)\n",
            ),
        ),
        ("tests/cycle/test_faults.py::test_row_46_deleting_a_policy_while_degraded_restores_and_then_lets_it_go",),
    ),
    Bug(
        "finalizer-off-before-the-restore",
        "The finalizer goes first and the restore comes after: whatever fails in it is never tried again.",
        (
            Edit(
                _CYCLE,
                "            if status is not None and not status.ledger and (no_pod_waits or is_late):\n",
                "            if status is not None:\n",
            ),
        ),
        (
            "tests/cycle/test_endings.py::test_row_46_a_deletion_whose_targets_cannot_be_read_ends_at_its_deadline_with_what_was_there",
        ),
    ),
    Bug(
        "namespace-held",
        "A finalizer is kept until all is restored, also in a namespace that is going, where nothing can be.",
        (
            Edit(
                _CYCLE,
                'return isinstance(namespace, dict) and "deletionTimestamp" in namespace["metadata"]',
                "return False",
            ),
        ),
        (
            "tests/cycle/test_endings.py::test_row_47_the_finalizer_goes_at_once_in_an_ending_namespace_also_if_nothing_else_can_be_read",
        ),
    ),
    Bug(
        "deletion-held-for-ever",
        "A deletion waits for what can't be restored without a deadline.",
        (
            Edit(
                _CYCLE,
                "is_late = now - memory.restoring_since >= RESTORE_DEADLINE_SECONDS",
                "is_late = now < memory.restoring_since",
            ),
        ),
        (
            "tests/cycle/test_endings.py::test_row_46_a_deletion_whose_targets_cannot_be_read_ends_at_its_deadline_with_what_was_there",
        ),
    ),
    Bug(
        "one-policy-ends-the-loop",
        "An exception in one policy's tick ends the loop that serves all of them.",
        (
            Edit(
                _EVALUATOR,
                '            log.exception("a tick failed", extra={"policy": watched.key})\n',
                "            self._stopping = True\n"
                '            log.exception("a tick failed", extra={"policy": watched.key})\n',
            ),
        ),
        ("tests/controller/test_evaluator.py::test_row_55_a_tick_that_raises_ends_neither_its_policy_nor_the_others",),
    ),
    Bug(
        "cancellation-swallowed",
        "`asyncio.wait_for` of this Python swallows a cancellation that comes as it wakes: a replica stands still for"
        " ever. Found while building, as a test that hung once in dozens of runs.",
        (
            Edit(
                _EVALUATOR,
                """\
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
""",
                """\
                    await asyncio.wait_for(self._wake.wait(), wait)
""",
            ),
        ),
        ("tests/controller/test_evaluator_meanwhile.py::test_an_evaluator_that_is_woken_and_ended_at_once_ends",),
    ),
    Bug(
        "slow-source-holds-all",
        "An observer that never answers is waited for: policies behind it are never looked at again.",
        (Edit(_EVALUATOR, "asyncio.timeout(OBSERVE_SECONDS)", "asyncio.timeout(None)"),),
        (
            "tests/controller/test_evaluator_pace.py::test_row_55_an_observer_that_never_answers_holds_nothing_up_for_longer_than_its_time",
        ),
    ),
    Bug(
        "older-view-replaces-the-newer",
        "Watch events are believed in the order in which they come: an older one brings an old spec back.",
        (
            Edit(
                "stepdown.controller.watched",
                "if int(policy.resource_version) <= int(self.policy.resource_version):",
                "if policy.resource_version == self.policy.resource_version:",
            ),
        ),
        ("tests/controller/test_evaluator_meanwhile.py::test_row_22_an_older_view_brings_no_old_spec_back",),
    ),
    Bug(
        "refused-event-ends-all-events",
        "One Event that can't be written ends the task that writes them, in silence. Found while building.",
        (
            Edit(
                "stepdown.adapters.journal",
                '            except Exception:\n                log.exception("an Event could not be written")\n',
                "            except ImportError:\n                return\n",
            ),
        ),
        ("tests/adapters/test_journal.py::test_an_event_that_makes_the_code_fail_does_not_silence_the_next",),
    ),
    Bug(
        "one-bad-rule-degrades-all",
        "One wrong recording rule turns every service of a cluster bad at once, and every one of them is degraded.",
        (Edit("stepdown.mass_guard", "if recent >= self._limit.of(len(self._left)):", "if recent < 0:"),),
        ("tests/cycle/test_mass_guard.py::test_only_so_many_leave_full_service",),
    ),
    Bug(
        "observe-writes",
        "In Observe mode, or in a dry run, something is written all the same.",
        (Edit("stepdown.tick", "return self.prepared.spec.mode is Mode.ENFORCE", "return True"),),
        (
            "tests/cycle/test_walk.py::test_observe_says_what_it_would_do_and_changes_nothing",
            "tests/cycle/test_news.py::test_observe_tells_what_would_have_been_and_writes_no_target",
        ),
    ),
    Bug(
        "hostile-log-line",
        "A name with a newline writes a log line of its own.",
        (
            Edit(
                "stepdown.controller.logs",
                "        return one_line(text, len(text))\n",
                "        return text\n",
            ),
        ),
        ("tests/controller/test_logs.py::test_plain_text_is_one_line_without_control_characters",),
    ),
    Bug(
        "observed-steps-taken-at-once",
        "What a policy in mode Observe said it would do is done in one tick when it may act, past the mass guard: a bad"
        " rule degrades everything. Found by a review.",
        (
            Edit(
                _DECIDE,
                "    if state.observing == observing or (observing and holds and ladder.suspend):\n",
                "    if True:\n",
            ),
        ),
        (
            "tests/cycle/test_mass_guard.py"
            "::test_policies_that_only_watched_until_now_are_counted_when_they_begin_to_act",
        ),
    ),
    Bug(
        "unstored-look-forgotten",
        "What was seen while the status couldn't be stored is forgotten, and a breach that cleared meanwhile counts on:"
        " one bad sample is five minutes' worth. Found by a review.",
        (Edit(_PREPARED, "self.seen[1] if self.seen is not None and self.seen[0] == stored else stored", "stored"),),
        (
            "tests/cycle/test_interrupted.py"
            "::test_a_breach_that_has_cleared_meanwhile_begins_anew_although_that_was_stored_nowhere",
        ),
    ),
    Bug(
        "step-told-by-the-tick-that-took-it",
        "A step whose tick ends between its store and its end is in the history and never told. Found by a review.",
        (Edit(_CYCLE, "news.moved(memory.untold, after.history)", "news.moved(memory.untold, after.history[:0])"),),
        ("tests/cycle/test_interrupted.py::test_a_step_is_told_once_although_its_tick_ended_before_that",),
    ),
)
