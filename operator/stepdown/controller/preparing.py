"""From a policy as it was seen to one that can be evaluated, or to the sentences that say why not."""

import logging

from stepdown.api.validation import InvalidSpec, parse_policy
from stepdown.engine import promql
from stepdown.engine.reasons import Problem
from stepdown.ports import Policy
from stepdown.prepared import Prepared, Problems

log = logging.getLogger("stepdown.preparing")


def prepare(policy: Policy) -> tuple[Prepared | None, Problems]:
    """The policy made ready with what is wrong with single queries, or None with what is wrong with all of it.

    Never raises: a policy that our code fails at must not end the evaluation of all others.
    """
    try:
        return _prepared(policy), ()
    except InvalidSpec as error:
        return None, tuple((Problem.INVALID_SPEC, str(problem)) for problem in error.problems)
    except Exception as error:
        log.exception("a policy could not be made ready", extra={"policy": f"{policy.namespace}/{policy.name}"})
        text = f"it can't be worked with ({type(error).__name__}, see the operator's log): please report it"
        return None, ((Problem.INVALID_SPEC, text),)


def _prepared(policy: Policy) -> Prepared:
    spec = parse_policy(policy.raw)
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
    return Prepared.of(policy.namespace, spec, tuple(problems))
