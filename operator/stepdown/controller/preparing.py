"""From a policy as it was seen to one that can be evaluated, or to the sentences that say why not."""

from stepdown.api.validation import InvalidSpec, parse_policy
from stepdown.engine import promql
from stepdown.engine.reasons import Problem
from stepdown.ports import Policy
from stepdown.prepared import Prepared, Problems


def prepare(policy: Policy) -> tuple[Prepared | None, Problems]:
    """The policy made ready with what is wrong with single queries, or None with what is wrong with all of it."""
    try:
        spec = parse_policy(policy.raw)
    except InvalidSpec as error:
        return None, tuple((Problem.INVALID_SPEC, str(problem)) for problem in error.problems)
    problems = []
    for signal in spec.signals:
        if signal.query is not None and (wrong := promql.check(signal.query)) is not None:
            text = f"signal {signal.name}: {wrong}; correct its query, its level is held until then"
            problems.append((Problem.INVALID_QUERY, text))
    for objective in spec.objectives:
        for query in (objective.errors, objective.total):
            if query is None:
                continue
            wrong = promql.check(query.replace("$window", objective.window))
            if wrong is not None:
                problems.append((Problem.INVALID_QUERY, f"objective {objective.name}: {wrong}; correct its query"))
    return Prepared.of(policy.namespace, spec, tuple(problems)), ()
