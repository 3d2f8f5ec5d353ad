"""Bugs in what is sent to the API server, and in how its answers are taken."""

from torture.zoo.bug import Bug, Edit

_PATCH = "stepdown.engine.patch"
_API = "stepdown.adapters.api"

BUGS = (
    Bug(
        "no-test-of-the-uid",
        "A patch finds its object by name only, and changes a new object of that name.",
        (
            Edit(
                _PATCH,
                'patch: Patch = [{"op": "test", "path": "/metadata/uid", "value": obj["metadata"]["uid"]}]',
                'patch: Patch = [{"op": "test", "path": "/metadata/name", "value": obj["metadata"]["name"]}]',
            ),
            Edit(_PATCH, '        {"op": "test", "path": "/metadata/uid", "value": uid},\n', ""),
        ),
        (
            "tests/engine/test_ledger_ends.py::test_a_patch_tests_uid_version_value_and_mark",
            "tests/engine/test_patch.py::test_a_scale_tests_uid_and_replicas",
            "tests/test_restore.py::test_each_line_tests_the_uid_and_what_it_replaces",
        ),
    ),
    Bug(
        "no-test-of-the-value",
        "A patch doesn't test the value that it replaces: an edit made between reading and writing is overwritten.",
        (
            Edit(
                _PATCH,
                'return [test, {"op": "remove", "path": pointer}]',
                'return [{"op": "remove", "path": pointer}]',
            ),
            Edit(
                _PATCH,
                'return [test, {"op": "add" if',
                'return [{"op": "add" if',
            ),
        ),
        (
            "tests/engine/test_ledger_ends.py::test_a_patch_tests_uid_version_value_and_mark",
            "tests/test_restore.py::test_each_line_tests_the_uid_and_what_it_replaces",
        ),
    ),
    Bug(
        "no-test-of-the-replicas",
        "A scale doesn't test the replicas that it replaces.",
        (Edit(_PATCH, '        {"op": "test", "path": "/spec/replicas", "value": before or None},\n', ""),),
        (
            "tests/engine/test_patch.py::test_a_scale_tests_uid_and_replicas",
            "tests/test_restore.py::test_a_value_that_changed_after_printing_is_not_overwritten",
        ),
    ),
    Bug(
        "no-test-of-the-version",
        "Values are tested and the version is not: a delayed write passes once the values have come back.",
        (Edit(_PATCH, "return [*patch[:1], test, *patch[1:]] if version is not None else patch", "return patch"),),
        (
            "tests/engine/test_ledger_ends.py::test_a_patch_tests_uid_version_value_and_mark",
            "tests/cycle/test_held_fields.py::test_a_write_of_a_paused_leader_that_arrives_after_all_is_over_changes_nothing",
        ),
    ),
    Bug(
        "selector-merged",
        "A Service's selector is changed by a merge patch, which leaves the old keys in it: it selects no pod.",
        (
            Edit(
                _PATCH,
                '    return [test, {"op": "add" if',
                "    if isinstance(before, dict) and isinstance(after, dict):\n"
                "        after = {**before, **after}\n"
                '    return [test, {"op": "add" if',
            ),
        ),
        (
            "tests/cycle/test_walk.py::test_the_deepest_breached_level_is_entered_at_once_and_left_one_level_at_a_time",
            "tests/test_restore.py::test_pasting_what_is_printed_puts_everything_back",
        ),
    ),
    Bug(
        "typed-round-trip",
        "An object is written back as a typed model has it: what the model doesn't know is dropped.",
        (
            Edit(
                _PATCH,
                "    for pointer in pointers:\n",
                '    known = {"selector", "type", "minReplicas", "maxReplicas", "scaleTargetRef"}\n'
                '    if "spec" in obj:\n'
                '        spec = {key: value for key, value in after["spec"].items() if key in known}\n'
                '        patch.append({"op": "replace", "path": "/spec", "value": spec})\n'
                '    for pointer in pointers[-1:] if "spec" in obj else pointers:\n',
            ),
        ),
        (
            "tests/cycle/test_autoscalers.py::test_a_scaled_object_is_paused_at_0_and_let_go_again",
            "tests/cycle/test_walk.py::test_the_deepest_breached_level_is_entered_at_once_and_left_one_level_at_a_time",
        ),
    ),
    Bug(
        "zero-replicas-tested-as-a-number",
        "The API server leaves replicas of 0 out of a scale, so that a test for 0 fails for ever and a workload stays"
        " at 0. Found while building.",
        (Edit(_PATCH, '"value": before or None}', '"value": before}'),),
        (
            "tests/engine/test_patch.py::test_a_scale_from_0_tests_that_there_are_no_replicas_because_the_api_server_leaves_0_out",
            "tests/cycle/test_walk.py::test_recovery_puts_every_field_back_and_leaves_no_mark",
        ),
    ),
    Bug(
        "flags-document-reserialised",
        "A flag is changed by parsing and printing its document: spacing, order and number forms are lost.",
        (
            Edit(
                "stepdown.engine.document",
                "            return text[:value_start] + value + text[end:]\n",
                "            import json\n\n"
                "            return json.dumps(json.loads(text[:value_start] + value + text[end:]), indent=2)\n",
            ),
        ),
        (
            "tests/engine/test_document.py::test_only_the_value_changes",
            "tests/cycle/test_walk.py::test_only_the_values_of_the_flag_change_in_its_document",
        ),
    ),
    Bug(
        "list-forbidden-read-as-empty",
        "Who may not list autoscalers concludes that there are none, and then fights with one.",
        (Edit("stepdown.adapters.cluster", "if error.status == 404:", "if error.status in (403, 404):"),),
        ("tests/adapters/test_api.py::test_autoscalers_that_may_not_be_listed_are_not_taken_for_none",),
    ),
    Bug(
        "failed-test-not-a-conflict",
        "A failed `test` is a 422, not a 409: it is taken for a refusal for good.",
        (Edit(_API, "if status == 409 or (status == 422", "if status == 409 or (status == 4220"),),
        ("tests/adapters/test_api.py::test_a_test_that_fails_is_a_conflict_although_the_server_says_422",),
    ),
    Bug(
        "server-error-believed",
        "A 500 is taken for a write that didn't happen, although it may have.",
        (
            Edit(
                _API,
                "    if status >= 500:\n        return Failed(",
                "    if status >= 5000:\n        return Failed(",
            ),
        ),
        ("tests/adapters/test_api.py::test_a_failure_of_the_server_leaves_open_whether_the_write_happened",),
    ),
    Bug(
        "busy-server-pressed-on",
        "What a busy server refuses with 429 is tried again at once, as after a failure: it gets no rest.",
        (Edit(_API, "if status >= 500:", "if status >= 500 or status == 429:"),),
        ("tests/adapters/test_api.py::test_a_server_that_is_too_busy_has_done_nothing",),
    ),
    Bug(
        "no-deadline-of-a-call",
        "A call has no deadline of its own: an API server that accepts and never answers stops everything.",
        (
            Edit(_API, "asyncio.timeout(CALL_SECONDS)", "asyncio.timeout(None)"),
            Edit(_API, "_request_timeout=CALL_SECONDS", "_request_timeout=None"),
        ),
        (
            "tests/adapters/test_api.py::test_a_server_that_does_not_answer_is_given_up_after_the_longest_time_for_a_call",
        ),
    ),
    Bug(
        "name-as-it-comes",
        "A name is put into a path as it comes: `..` in one leads to another object.",
        (Edit("stepdown.adapters.paths", '_segment(name)}" if name is not None', 'name}" if name is not None'),),
        ("tests/adapters/test_api.py::test_a_name_that_no_object_can_have_is_never_asked_for",),
    ),
    Bug(
        "stale-read-believed",
        "A read from before our own write is believed: the entry is retired, and our value taken for the next"
        " original. Found by the proxy before the API server.",
        (Edit("stepdown.adapters.versions", "if 0 < version < newest:", "if 0 < version < 0:"),),
        ("tests/adapters/test_cluster.py::test_row_20_an_answer_older_than_our_own_write_is_no_answer",),
    ),
    Bug(
        "comma-behind-a-space-kept",
        "A member is taken out of a document and the comma behind it, after a space, is left: what remains is no JSON.",
        (
            Edit(
                "stepdown.engine.document",
                "        comma = _skip(text, end)\n",
                "        comma = end\n",
            ),
        ),
        ("tests/engine/test_document.py::test_a_member_taken_away_leaves_the_others",),
    ),
    Bug(
        "document-read-for-each-flag",
        "A long document is parsed anew for each of its flags: one policy keeps all others waiting for seconds. Found"
        " by a review.",
        (
            Edit(
                "stepdown.engine.document",
                "@lru_cache(maxsize=4)  # a tick looks at the same few texts again and again\n",
                "",
            ),
        ),
        (
            "tests/engine/test_document.py"
            "::test_a_long_document_is_read_once_however_many_of_its_values_are_asked_for_and_set",
        ),
    ),
)
