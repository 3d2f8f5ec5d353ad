"""What `make demo-node` calls a success."""

from dataclasses import replace

from demo.load import users_at
from demo.node_launch import Outcome

WITH, WITHOUT = "with-policy", "without-policy"
GOOD = Outcome(
    users={WITH: 12_000, WITHOUT: 12_000},
    errors={WITH: 3, WITHOUT: 9_000},
    first_step=24.06,
    users_after=11_800,
    late=[],
    strange=set(),
)


def verdicts(**changes):
    return [check.holds for check in replace(GOOD, **changes).checks()]


def test_no_late_error_and_a_collapse_without_a_policy_are_a_success():
    assert verdicts() == [True, True, True, True]
    assert [check.text for check in GOOD.checks()] == [
        "first step down 24.1 s after the begin: none of the 11,800 users who arrived later got an error page",
        "before it 3 users got one",
        "without the policy 9,000 of 12,000 users got one",
        "errors of the load itself: none",
    ]


def test_one_user_who_arrives_after_the_first_step_down_and_gets_an_error_page_is_a_failure():
    assert verdicts(late=["timeout at 30.0 s"])[0] is False


def test_nobody_who_arrives_after_the_first_step_down_is_a_failure():
    assert verdicts(first_step=None, users_after=0)[0] is False


def test_a_shop_without_a_policy_that_serves_half_of_its_users_is_a_failure():
    assert verdicts(errors={WITH: 0, WITHOUT: 6_000})[2] is False


def test_an_error_that_no_shop_has_made_is_a_failure():
    assert verdicts(strange={"address in use"})[3] is False


def test_users_are_a_hundredfold_within_a_minute():
    assert [users_at(second) for second in (0, 5, 27.5, 50, 65, 90)] == [100, 100, 1_000, 10_000, 10_000, 100]
