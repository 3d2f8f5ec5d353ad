"""Bugs of status pages: made, kept and taken away beside what is the users'."""

from torture.zoo.bug import Bug, Edit

_KEEPER = "stepdown.page_keeper"
_TEXT = "stepdown.page.text"
_DEPLOYMENT = "stepdown.actions.page_deployment"
_CYCLE = "tests/cycle/test_status_page.py"

BUGS = (
    Bug(
        "page-gone-under-its-visitors",
        "A page that no level names any more is deleted while traffic is still at it.",
        (
            Edit(
                _KEEPER,
                """in (entry.applied or "") for entry in status.ledger)""",
                """in "" for entry in status.ledger)""",
            ),
        ),
        (f"{_CYCLE}::test_a_page_that_traffic_is_at_goes_only_when_the_traffic_is_back",),
    ),
    Bug(
        "page-of-somebody-else",
        "A Deployment that happens to have a page's name is taken for the page, changed, and routed to.",
        (
            Edit(
                _KEEPER,
                "        if not is_owned(found, Owner(policy.name, policy.uid)):\n            raise",
                "        if found is None:\n            raise",
            ),
        ),
        (f"{_CYCLE}::test_a_deployment_of_the_pages_name_that_is_somebody_elses_is_left_alone",),
    ),
    Bug(
        "page-made-before-it-is-noted",
        "A page is made before its name is stored: after a crash and an edit nobody knows of it.",
        (Edit(_KEEPER, "        if names != tick.status.pages:\n", "        if names == []:\n"),),
        (f"{_CYCLE}::test_a_name_is_in_the_status_before_its_deployment_is_made",),
    ),
    Bug(
        "message-taken-for-markup",
        "A policy's message is put into the page as it comes, and is markup there.",
        (Edit(_TEXT, "message=html.escape(message)", "message=message"),),
        ("tests/page/test_text.py::test_a_message_is_text_whatever_it_holds",),
    ),
    Bug(
        "message-with-variables",
        "A message is an argument of a container as it comes: `$(NAME)` in it becomes the value of a variable.",
        (Edit(_DEPLOYMENT, 'return text.replace("$", "$$")', "return text"),),
        ("tests/actions/test_page_deployment.py::test_a_message_reaches_the_page_as_it_was_written",),
    ),
    Bug(
        "visitors-kept-at-the-page",
        "A page keeps connections open: whoever came during the trouble stays at it when the service is back.",
        (Edit(_TEXT, '"Connection: close"', '"Connection: keep-alive"'),),
        ("tests/page/test_text.py::test_a_page_says_the_message_and_since_when_and_asks_again_by_itself",),
    ),
)
