"""Bugs of electing a leader, and of taking over from one."""

from torture.zoo.bug import Bug, Edit

_LEASE = "stepdown.controller.lease"
_CYCLE = "stepdown.cycle"

BUGS = (
    Bug(
        "leads-on-after-its-lease",
        "A leader believes in itself until a call tells it otherwise, as a library's elector was measured to: with"
        " calls that hang, two lead.",
        (
            Edit(
                _LEASE,
                "return self._clock() < self._last_good + self._duration * BELIEVED_PART",
                'return self._last_good > float("-inf")',
            ),
        ),
        (
            "tests/controller/test_lease.py::test_a_leader_whose_calls_fail_stops_believing_before_another_may_lead",
            "tests/controller/test_lease.py::test_a_paused_leader_does_not_believe_itself_and_gives_way",
        ),
    ),
    Bug(
        "validity-from-the-end-of-the-renewal",
        "A renewal counts from when its answer came, not from when it was sent: a slow answer makes leadership longer"
        " than the Lease.",
        (
            Edit(
                _LEASE,
                '_replacing(found, self._spec(self.epoch, spec.get("acquireTime"))))\n'
                "                self._last_good = started\n",
                '_replacing(found, self._spec(self.epoch, spec.get("acquireTime"))))\n'
                "                self._last_good = self._clock()\n",
            ),
        ),
        ("tests/controller/test_lease_hands.py::test_in_any_bad_half_hour_at_most_one_leads_and_epochs_grow",),
    ),
    Bug(
        "wall-clock-in-the-lease",
        "A contender compares another machine's wall clock with its own: skew makes two leaders.",
        (
            Edit(
                _LEASE,
                "        return self._clock() - self._seen[1]\n",
                "        return self._wall() - self._renewed\n",
            ),
            Edit(
                _LEASE,
                '        stood = self._stood(str(found["metadata"].get("resourceVersion")))\n',
                "        from datetime import datetime\n\n"
                '        renewed = str(spec.get("renewTime") or "1970-01-01T00:00:00Z").replace("Z", "+00:00")\n'
                "        self._renewed = datetime.fromisoformat(renewed).timestamp()\n"
                '        stood = self._stood(str(found["metadata"].get("resourceVersion")))\n',
            ),
        ),
        (
            "tests/controller/test_lease_hands.py::test_a_garbled_lease_is_nobodys_crash_and_its_epoch_is_never_undercut",
            "tests/controller/test_lease_hands.py::test_in_any_bad_half_hour_at_most_one_leads_and_epochs_grow",
        ),
    ),
    Bug(
        "epoch-that-does-not-grow",
        "Taking over doesn't count: the old leader and the new one have the same number, so that nothing tells them"
        " apart.",
        (
            Edit(
                _LEASE,
                "return max(self._highest, self.epoch, int(self._wall()) - EPOCH_ZERO) + 1",
                "return max(self._highest, self.epoch, 1)",
            ),
        ),
        (
            "tests/controller/test_lease.py::test_a_dead_leader_is_replaced_after_the_duration",
            "tests/controller/test_lease_hands.py::test_a_leader_whose_lease_is_deleted_gives_up_and_leads_again_under_a_new_epoch_only",
        ),
    ),
    Bug(
        "same-name-same-leader",
        "A Lease that bears our name is taken for ours: two replicas that call themselves the same both lead.",
        (
            Edit(
                _LEASE,
                'return spec.get("holderIdentity") == self._identity and spec.get("leaseTransitions") == self.epoch',
                'return spec.get("holderIdentity") == self._identity',
            ),
            Edit(_LEASE, "(self._is_ours(spec) and self.epoch > 0)", "self._is_ours(spec)"),
        ),
        ("tests/controller/test_lease_hands.py::test_two_that_call_themselves_the_same_do_not_lead_at_once",),
    ),
    Bug(
        "garbled-lease-is-free",
        "A Lease that can't be read is taken at once, while its holder still leads.",
        (
            Edit(
                _LEASE,
                'free = spec.get("holderIdentity") in heirs',
                'free = not isinstance(spec.get("holderIdentity"), str) or spec["holderIdentity"] in heirs',
            ),
        ),
        (
            "tests/controller/test_lease_hands.py::test_a_garbled_lease_is_nobodys_crash_and_its_epoch_is_never_undercut",
        ),
    ),
    Bug(
        "deleted-lease-is-free",
        "A Lease that was deleted is made anew at once, while its holder still leads.",
        (Edit(_LEASE, "if may_be_held and self._stood(_NOWHERE) < self._duration:", "if self._duration < 0:"),),
        (
            "tests/controller/test_lease_hands.py::test_a_deleted_lease_stands_for_its_holder_until_the_duration_is_over",
        ),
    ),
    Bug(
        "lease-kept-on-exit",
        "A leader that is told to end keeps its Lease: the next one waits for all of it.",
        (
            Edit(
                _LEASE,
                "await self._api.patch(self._path, _replacing(found, left, answered=heir))",
                "return",
            ),
        ),
        (
            "tests/controller/test_lease.py::test_a_release_lets_the_next_one_in_at_its_next_look",
            "tests/controller/test_app.py::test_row_19_a_stop_lets_the_lease_go",
        ),
    ),
    Bug(
        "asked-for-lease-let-go-to-anybody",
        "A leader that is asked for its Lease lets it go instead of handing it over: who stands by gets in between, and"
        " steps down again while everything is put back before an uninstall.",
        (Edit(_LEASE, '{**kept, "holderIdentity": heir}', '{**kept, "holderIdentity": ""}'),),
        ("tests/controller/test_lease_asked.py::test_who_stands_by_does_not_get_in_between",),
    ),
    Bug(
        "emptied-lease-is-free",
        "A Lease whose holder was emptied by hand is taken at once, while that holder still leads. Found by trials.",
        (Edit(_LEASE, 'in heirs and "renewTime" not in spec', "in heirs"),),
        ("tests/controller/test_lease_hands.py::test_a_holder_emptied_by_hand_stands_for_who_may_not_have_noticed",),
    ),
    Bug(
        "epoch-beyond-its-field",
        "The highest number that a Lease can hold, written by hand, is counted on from: the API server refuses what"
        " comes next, and nobody can ever lead again. Found by trials.",
        (Edit(_LEASE, "0 <= value <= EPOCH_MAX", "0 <= value"),),
        (
            "tests/controller/test_lease_hands.py"
            "::test_the_highest_epoch_that_a_lease_can_hold_does_not_keep_everybody_from_leading",
        ),
    ),
    Bug(
        "no-epoch-claim",
        "A new leader takes policies over without touching anything: the old one's late write goes through.",
        (
            Edit(
                _CYCLE,
                "            policy, status, is_done = await self._writer.claim(policy, status, objects, self.epoch)\n",
                '            status, is_done = status.model_copy(update={"epoch": self.epoch}), True\n',
            ),
        ),
        (
            "tests/cycle/test_endings.py::test_row_16_a_takeover_that_was_interrupted_touches_the_other_targets_with_the_next_tick",
        ),
    ),
    Bug(
        "claim-by-a-patch-that-changes-nothing",
        "A takeover touches its targets by a patch with equal values: the API server keeps the resourceVersion, and"
        " the old leader's late write goes through.",
        (Edit("stepdown.engine.annotation", '            "epoch": entry.epoch,\n', ""),),
        (
            "tests/cycle/test_endings.py::test_row_16_a_takeover_that_was_interrupted_touches_the_other_targets_with_the_next_tick",
        ),
    ),
    Bug(
        "interrupted-takeover-forgotten",
        "A takeover that failed half-way is not gone on with: some targets keep open to the old leader.",
        (Edit(_CYCLE, "(status.epoch != self.epoch or memory.is_claiming)", "status.epoch != self.epoch"),),
        (
            "tests/cycle/test_endings.py::test_row_16_a_takeover_that_was_interrupted_touches_the_other_targets_with_the_next_tick",
        ),
    ),
    Bug(
        "takeover-with-a-mark-missing",
        "A takeover whose mark got no answer is taken for done: that target keeps open to the old leader. Found by a"
        " review.",
        (Edit(_CYCLE, "memory.is_claiming = not is_done", "memory.is_claiming = False"),),
        (
            "tests/cycle/test_late_writes.py"
            "::test_row_16_a_takeover_whose_mark_got_no_answer_three_times_is_gone_on_with",
        ),
    ),
)
