"""Bugs of translating an action into changes of what is there."""

from torture.zoo.bug import Bug, Edit

_SCALE = "stepdown.actions.scale"
_ROUTE = "stepdown.actions.route"
_PLANNING = "stepdown.actions.planning"
_DROPPED = "return annotation_for(obj, policy, held)"

BUGS = (
    Bug(
        "fights-with-an-autoscaler",
        "Replicas are set behind the back of the autoscaler that owns them, and it wins the fight.",
        (Edit(_SCALE, "    if autoscaler is not None:\n", "    if autoscaler is not None and kind is None:\n"),),
        (
            "tests/actions/test_scale.py::test_the_bounds_of_an_hpa_are_changed_and_stay_in_order",
            "tests/cycle/test_autoscalers.py::test_the_bounds_of_an_hpa_are_changed_and_put_back_and_the_replicas_left_alone",
        ),
    ),
    Bug(
        "scaled-out-is-scaled-in",
        "A floor is set as a number: a workload that has more replicas than it already loses some in the incident.",
        (Edit(_SCALE, "            wanted = max(before, wanted)\n", "            pass\n"),),
        ("tests/actions/test_scale.py::test_replicas_are_set_raised_or_lowered_from_what_was_there",),
    ),
    Bug(
        "route-to-an-unready-fallback",
        "Traffic is routed to a fallback without asking whether it can answer.",
        (
            Edit(
                _PLANNING,
                "return None if all(map(self._is_made, translation.changes)) else translation.unready",
                "return None",
            ),
        ),
        ("tests/cycle/test_walk.py::test_a_level_whose_fallback_is_not_ready_is_not_entered",),
    ),
    Bug(
        "ending-pod-counted-as-ready",
        "A pod on its way out still says Ready, and is counted.",
        (Edit(_ROUTE, 'return "deletionTimestamp" not in pod["metadata"] and any(', "return any("),),
        ("tests/actions/test_route.py::test_without_a_ready_pod_it_is_unready",),
    ),
    Bug(
        "port-not-looked-at",
        "A fallback whose pods are ready is believed, although none serves the Service's port.",
        (Edit(_ROUTE, "if not any(_serves(pod, wanted) for pod in ready):", "if not ready:"),),
        ("tests/actions/test_route.py::test_the_ports_of_the_service_must_be_served",),
    ),
    Bug(
        "two-policies-on-one-field",
        "Two policies may own one field: each takes the other's value for the original.",
        (
            Edit(
                _PLANNING,
                "        holder = self._holder(change.target.uid, change.path)\n        if holder",
                "        return None\n        holder = None\n        if holder",
            ),
        ),
        ("tests/cycle/test_faults.py::test_row_49_a_second_policy_on_a_held_field_gets_conflict_and_writes_nothing",),
    ),
    Bug(
        "targeting-wins-over-the-default",
        "A flag's default is changed and its targeting left, which wins: the flag stays on.",
        (
            Edit(
                "stepdown.actions.flags",
                '        if flags[name].get("targeting"):\n',
                "        if flags[name] is None:\n",
            ),
        ),
        ("tests/actions/test_flags.py::test_targeting_is_emptied_because_it_wins_over_the_default",),
    ),
    Bug(
        "planned-over-ones-own-value",
        "A relative change is computed from what an earlier step has set: `+100%` doubles at each look.",
        (Edit(_PLANNING, "        if is_ours(current, entry):\n", "        if current is None:\n"),),
        ("tests/actions/test_planning.py::test_a_percentage_is_of_what_was_there_before_us",),
    ),
    Bug(
        "weight-by-its-place",
        "A weight is put back at the place where its backend stood: a rule that was put before it gets it instead.",
        (Edit("stepdown.engine.backends", "if _name_of_rule(found[1]) == names[0])", "if found[0] == 0)"),),
        (
            "tests/engine/test_backends.py::test_a_weight_is_found_wherever_its_rule_stands",
            "tests/cycle/test_weights.py"
            "::test_what_others_do_to_the_rules_meanwhile_stays_and_no_other_backends_weight_is_written",
        ),
    ),
    Bug(
        "trickle-to-nobody",
        "A share of the traffic is left to a service that has no ready pod: these requests all fail.",
        (
            Edit(
                "stepdown.actions.weights",
                "_trickle(spec, place) if may_go_back else 0",
                "_trickle(spec, place)",
            ),
        ),
        ("tests/actions/test_weights.py::test_under_a_trickle_nobody_is_sent_to_a_target_without_a_ready_pod",),
    ),
    Bug(
        "traffic-back-to-unready-pods",
        "A step up brings traffic back to a Service none of whose pods is ready, and with no traffic there is no data"
        " to step down by. Found by a review.",
        (Edit(_PLANNING, "asked = decision.reason is not Reason.OVERRIDDEN", "asked = False"),),
        ("tests/cycle/test_fallbacks.py::test_traffic_does_not_go_back_to_pods_that_are_not_ready",),
    ),
    Bug(
        "lost-status-written-over",
        "A policy made anew takes what its forerunner had set for the original, and drops the annotation that knew"
        " better. Found by a review.",
        (Edit(_PLANNING, "for c in changes if c.path in left[c.target]", "for c in changes if c.path in left"),),
        (
            "tests/cycle/test_left_over.py"
            "::test_nothing_is_written_over_it_so_that_the_original_stays_in_the_annotation",
        ),
    ),
    Bug(
        "mark-of-a-lost-entry-dropped",
        "A status is put back from a backup; the next write of a mark drops what it said of fields whose entries were"
        " lost, and with it what was there before. Found by a review.",
        (Edit("stepdown.engine.marks", "return annotation_for(obj, policy, held, spared)", _DROPPED),),
        ("tests/cycle/test_left_over.py::test_a_status_that_was_put_back_from_a_shallower_level_loses_no_original",),
    ),
)
