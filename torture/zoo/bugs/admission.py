"""Guards of the chart, each taken away: what is asked of authors, and what the operator's account may do.

What they do on a real API server is shown by e2e/tests/test_author_check.py and test_self_fence.py, case by case.
"""

from torture.zoo.bug import Bug, Edit

_AUTHOR = "templates/author-check.yaml"
_FENCE = "templates/self-fence.yaml"
_RENDERS = "tests/chart/test_chart.py::test_a_render_is_the_reviewed_one"

BUGS = (
    Bug(
        "author-check-removed",
        "Nobody asks what an author may do: who may write policies may do whatever the operator may.",
        (Edit(_AUTHOR, "{{- if .Values.admission.authorCheck }}", "{{- if false }}"),),
        ("tests/chart/test_admission.py::test_each_rule_is_there_unless_it_is_switched_off",),
    ),
    Bug(
        "author-not-asked-about-services",
        "The author check leaves one kind of action out, and traffic goes where its author couldn't send it.",
        (Edit(_AUTHOR, "- name: routes\n", "- name: routesNot\n  asked: 'false'\n"),),
        (_RENDERS,),
    ),
    Bug(
        "author-asked-on-create-only",
        "A harmless policy is let in, and edited afterwards.",
        (
            Edit(
                _AUTHOR,
                "request.operation == 'CREATE' || object.spec != oldObject.spec",
                "request.operation == 'CREATE'",
            ),
        ),
        (_RENDERS,),
    ),
    Bug(
        "author-check-fails-open",
        "What the check can't judge, it lets pass: a policy that is too dear to judge goes in.",
        (Edit(_AUTHOR, "  failurePolicy: Fail\n", "  failurePolicy: Ignore\n"),),
        ("tests/chart/test_admission.py::test_what_cannot_be_judged_is_refused",),
    ),
    Bug(
        "fence-removed",
        "Nothing holds the operator's own account to the fields that it needs: a stolen token is worth all its roles.",
        (Edit(_FENCE, "{{- if .Values.admission.selfFence }}", "{{- if false }}"),),
        ("tests/chart/test_admission.py::test_each_rule_is_there_unless_it_is_switched_off",),
    ),
    Bug(
        "fence-lets-unmarked-changes-pass",
        "The operator's account may change a field that no mark names: nobody could tell, or put it back.",
        (Edit(_FENCE, "variables.changed.all(p,", "true || variables.changed.all(p,"),),
        (_RENDERS,),
    ),
)
