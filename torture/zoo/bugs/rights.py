"""Bugs of rights that are missing, and of marks that the API server asks for."""

from torture.zoo.bug import Bug, Edit

_DENIALS = "stepdown.adapters.denials"

BUGS = (
    Bug(
        "asks-for-ever-what-is-denied",
        "A namespace has not let the operator in, and is asked again at every look, by every policy in it.",
        (Edit(_DENIALS, "self._clock() < denial.until", "self._clock() < 0.0"),),
        (
            "tests/adapters/test_denials.py::test_a_missing_right_is_asked_for_less_and_less_and_at_least_every_15_seconds",
            "tests/adapters/test_denials.py::test_a_loop_of_reads_without_a_right_sends_one_request",
        ),
    ),
    Bug(
        "denied-for-good",
        "A refusal is believed without an end: a namespace that lets the operator in later is never looked at.",
        (Edit(_DENIALS, "min(DENIED_SECONDS, 2 * before.seconds)", "2 * before.seconds"),),
        (
            "tests/adapters/test_denials.py::test_a_missing_right_is_asked_for_less_and_less_and_at_least_every_15_seconds",
        ),
    ),
    Bug(
        "admission-taken-for-a-missing-right",
        "Every 403 is a missing right: who is refused by a quota or a policy is told to bind a role.",
        (
            Edit(
                "stepdown.ports",
                "self.status == 403 and _NO_RIGHT.search(self.message) is not None",
                "self.status == 403",
            ),
        ),
        ("tests/adapters/test_denials.py::test_a_missing_right_is_told_apart_from_what_admission_refuses",),
    ),
    Bug(
        "field-changed-without-a-mark",
        "Somebody takes our annotation away, and the field goes back in a write that no annotation names: the fence"
        " refuses it, at every look.",
        (
            Edit(
                "stepdown.writer",
                "    if all(path in kept or names(obj, path) for path in write.texts):\n",
                "    if obj is not None:\n",
            ),
        ),
        ("tests/cycle/test_forged_mark.py::test_a_mark_that_was_taken_away_is_set_again_before_its_field_goes_back",),
    ),
)
