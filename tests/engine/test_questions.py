"""What a policy asks Prometheus, as the text that is sent."""

from stepdown.api.policy import PolicySpec
from stepdown.engine import promql
from stepdown.engine.questions import PromqlQuestion, budget_questions, signal_questions


def test_an_objective_whose_queries_end_in_comments_is_asked_as_a_whole():
    spec = PolicySpec.model_validate(
        {
            "target": {"service": "shop"},
            "signals": [{"name": "load", "query": "load"}],
            "objectives": [
                {
                    "name": "orders",
                    "target": "99.9%",
                    "errors": "sum(increase(failed[$window])) # not paid",
                    "total": "sum(increase(orders[$window])) # all",
                }
            ],
            "levels": [
                {"name": "full"},
                {
                    "name": "static",
                    "enter": {"any": [{"objective": "orders", "burnRate": {"above": 14.4, "windows": ["1h", "5m"]}}]},
                },
            ],
        }
    )

    asked = {**signal_questions("shop", spec), **budget_questions("shop", spec)}

    assert sorted(asked) == ["budget:orders", "load", "orders[1h]", "orders[5m]"]
    assert all(isinstance(q, PromqlQuestion) and promql.check(q.promql) is None for q in asked.values())
    assert asked["orders[5m]"].promql == (
        "(sum(increase(failed[5m])) # not paid\n) / (sum(increase(orders[5m])) # all\n)"
    )
