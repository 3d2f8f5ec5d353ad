"""Bugs in what is remembered of a target, and in what is done from memory."""

from torture.zoo.bug import Bug, Edit

_LEDGER = "stepdown.engine.ledger"
_WRITER = "stepdown.writer"

BUGS = (
    Bug(
        "change-then-record",
        "A target is changed first and the change recorded afterwards, as most operators do: a crash in between"
        " loses what was there before.",
        (
            Edit(
                _WRITER,
                """\
            await self._store_entries(done, entries)
            for target in _ordered(before.writes, upwards=upwards):
                await self._write(done, before.writes[target], objects, before)
""",
                """\
            for target in _ordered(before.writes, upwards=upwards):
                await self._write(done, before.writes[target], objects, before)
            await self._store_entries(done, entries)
""",
            ),
        ),
        (
            "tests/cycle/test_faults.py::test_no_target_is_written_without_an_earlier_entry_with_its_original",
            "torture/test_one_fault.py::test_row_13_a_crash_before_or_after_any_call_ends_as_without_it",
        ),
    ),
    Bug(
        "blind-restore",
        "The original is written back whatever the field holds by now: what a person has set meanwhile is lost.",
        (Edit(_LEDGER, "elif is_ours(current, entry):", "elif current is not None or entry.applied is None:"),),
        (
            "tests/engine/test_ledger_ends.py::test_a_foreign_value_is_not_restored_and_the_mark_goes",
            "tests/cycle/test_held_fields.py::test_a_fault_while_only_a_mark_is_left_does_not_leave_the_mark",
        ),
    ),
    Bug(
        "second-step-overwrites-the-original",
        "A second step on a field saves the first step's value as the original, and that is what comes back.",
        (
            Edit(
                _LEDGER,
                "            return apply(replaces=_earlier(entry))",
                "            return apply(replaces=_earlier(entry), original=current)",
            ),
        ),
        (
            "tests/engine/test_ledger.py::test_a_second_step_keeps_the_first_original_and_remembers_what_it_replaces",
            "tests/cycle/test_walk.py::test_the_deepest_breached_level_is_entered_at_once_and_left_one_level_at_a_time",
        ),
    ),
    Bug(
        "entry-bound-to-a-name",
        "What is remembered belongs to a name, not to an object: one deleted and created anew gets old values.",
        (
            Edit(
                _LEDGER,
                'if obj is None or obj["metadata"]["uid"] != entry.target.uid:',
                "if obj is None:",
            ),
        ),
        ("tests/engine/test_ledger_ends.py::test_an_object_that_is_gone_or_another_is_orphaned_and_never_written",),
    ),
    Bug(
        "outcome-assumed",
        "A write without an answer is taken for one that failed, and nobody looks at what is there.",
        (
            Edit(
                _WRITER,
                """\
        except Unknown:
            objects[place] = await self._look(done.policy.namespace, target)
            return
        except Refused""",
                """\
        except Unknown:
            done.status = done.status.model_copy(
                update={"ledger": [e for e in done.status.ledger if target_of(e) != target]}
            )
            return
        except Refused""",
            ),
        ),
        ("torture/test_one_fault.py::test_row_6_a_lost_reply_makes_no_second_original_and_no_double_step",),
    ),
    Bug(
        "reapplied-for-ever",
        "A field that a GitOps tool sets back is set again each time: two controllers fight without end.",
        (Edit(_LEDGER, "and entry.reapplied < REAPPLY_MAX:", "and entry.reapplied < 10**9:"),),
        (
            "tests/engine/test_ledger.py::test_a_field_set_back_is_applied_again_three_times_and_then_contested",
            "tests/cycle/test_faults.py::test_row_41_a_reverting_tool_is_met_three_times_and_then_named",
        ),
    ),
    Bug(
        "entry-dropped-on-edit",
        "After an edit of the policy the ledger is made from the new spec: what it no longer names is never restored.",
        (
            Edit(
                _LEDGER,
                "            _restore(result, entry, obj, current, moment)\n",
                "            continue\n",
            ),
        ),
        (
            "tests/cycle/test_faults.py::test_row_45_a_target_taken_out_of_the_policy_is_restored",
            "tests/engine/test_ledger_ends.py::test_a_field_that_is_no_longer_wanted_is_put_back",
        ),
    ),
    Bug(
        "absent-read-as-null",
        "A field that was not there is remembered as null, and restored as one.",
        (
            Edit(
                "stepdown.engine.fields",
                "return None if value is ABSENT else json",
                'return "null" if value is ABSENT else json',
            ),
        ),
        (
            "tests/engine/test_ledger.py::test_absent_is_kept_apart_from_null",
            "tests/engine/test_ledger_ends.py::test_a_field_that_was_absent_is_taken_away_again",
        ),
    ),
    Bug(
        "equal-to-the-language",
        "Values are compared as the language does it, to which 1 is true and 1.0: a foreign value is taken for ours.",
        (
            Edit(
                "stepdown.engine.fields",
                "    if type(left) is not type(right):\n        return False\n",
                "    if left is ABSENT or right is ABSENT:\n        return left is right\n",
            ),
        ),
        ("tests/engine/test_ledger.py::test_equal_to_python_is_not_the_same_in_json",),
    ),
    Bug(
        "forged-mark-believed",
        "An annotation on a scaled workload, where none of ours can be, is taken for our mark: it ended every tick"
        " and held a deletion. Found while building.",
        (Edit(_LEDGER, "return not KINDS[entry.target.kind].scale and entry.id in", "return entry.id in"),),
        (
            "tests/cycle/test_forged_mark.py::test_a_forged_mark_on_a_scaled_workload_keeps_nothing_from_being_restored",
            "tests/cycle/test_forged_mark.py::test_a_forged_mark_on_a_scaled_workload_holds_no_deletion",
        ),
    ),
    Bug(
        "late-scale-forgotten",
        "A scale that got no answer is forgotten as soon as the field looks restored, and arrives after that.",
        (Edit(_LEDGER, "0 <= moment.now - entry.time < LATE_SECONDS", "moment.now < entry.time"),),
        (
            "tests/engine/test_ledger_ends.py::test_an_unanswered_scale_that_is_not_wanted_any_more_is_watched_until_it_cant_arrive",
        ),
    ),
    Bug(
        "field-held-too-late",
        "Of two policies that step down at the same moment the second one remembers the first one's value as the"
        " original. Found while building.",
        (Edit(_WRITER, "            self.hold(policy, entries)\n", ""),),
        (
            "tests/cycle/test_side_by_side.py::test_row_49_two_policies_that_step_down_at_the_same_moment_lose_no_original",
        ),
    ),
    Bug(
        "late-write-finds-nobody",
        "An intent whose field looks untouched ends without a write. The write that got no answer arrives afterwards,"
        " and its value is held by nobody. Found by a review.",
        (Edit(_LEDGER, "if is_only_intended(entry, obj):", "if False:"),),
        (
            "tests/cycle/test_late_writes.py::test_row_6_a_write_that_arrives_after_its_policy_was_deleted_changes_nothing",
        ),
    ),
    Bug(
        "repeated-write-of-replicas-not-noted",
        "Replicas are written again and again without an answer, and only the first write's time is known: a deletion"
        " does not wait for the last one. Found by a review.",
        (Edit(_LEDGER, "_changed(entry, moment) if KINDS[change.target.kind].scale else entry", "entry"),),
        (
            "tests/cycle/test_late_writes.py"
            "::test_row_6_a_deletion_waits_for_replicas_that_were_written_again_and_again_without_an_answer",
        ),
    ),
    Bug(
        "restored-in-our-spelling",
        "A deeper level wants the original's value and writes it its own way; that is taken for restored, though the"
        " document is another one by its bytes. Found by a review.",
        (Edit(_LEDGER, " and not _is_our_spelling(current, entry)", ""),),
        ("tests/engine/test_ledger_ends.py::test_the_originals_value_in_our_spelling_is_written_back_in_its_own",),
    ),
)
