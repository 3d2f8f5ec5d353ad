"""Policies put back under the Lease, round after round, until nothing is held or the deadline is there."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from stepdown.adapters.cluster import KubernetesCluster
from stepdown.adapters.journal import KubernetesJournal
from stepdown.adapters.pages import KubernetesPages
from stepdown.cycle import label
from stepdown.ports import Conflict, Policy, Refused, Unknown
from stepdown.restore.access import Access
from stepdown.restore.page import say
from stepdown.restore.printing import suspend_line
from stepdown.restore.restorer import Outcome, Restorer

RETRY_SECONDS = 1.0


@dataclass(slots=True)
class Rounds:
    """`policies` lists what is to be put back, `ends` is in monotonic seconds.

    Before an uninstall policies aren't suspended: they are to go on under the next installation.
    """

    access: Access
    policies: Callable[[], Awaitable[Sequence[Policy]]]
    ends: float
    uninstalls: bool
    suspended: list[Policy] = field(default_factory=list)

    @property
    def leaves(self) -> bool:
        """See leading.Work."""
        return self.uninstalls

    async def run(self, identity: str, epoch: int, holding: "asyncio.Task[None]") -> int:
        """See leading.Work. What was listed before we led may have held less than it does now."""
        policies = await self.policies()
        journal = KubernetesJournal(self.access.api, identity)
        suspend = None if self.uninstalls else self._suspend
        pages = KubernetesPages(self.access.api) if self.uninstalls else None
        restorer = Restorer(KubernetesCluster(self.access.api), journal, suspend, epoch, pages)
        try:
            return await self._all(restorer, policies, holding)
        finally:
            self._tell_how_to_go_on()

    async def _suspend(self, policy: Policy) -> Policy:
        result = await self.access.suspend(policy)
        self.suspended.append(result)
        return result

    def _tell_how_to_go_on(self) -> None:
        if self.suspended:
            print("suspended, so that nothing steps down again. To let the operator go on:")
        for policy in self.suspended:
            print(f"  {suspend_line(policy, suspend=False)}")

    async def _all(self, restorer: Restorer, policies: Sequence[Policy], holding: "asyncio.Task[None]") -> int:
        """Tries each policy until it holds nothing; gives the exit code."""
        waiting = {policy.uid: Outcome(policy) for policy in policies}
        while True:
            for uid, before in list(waiting.items()):
                waiting[uid] = await _one(restorer, before.policy)
                for sentence in waiting[uid].done:
                    print(sentence)
            waiting = {uid: outcome for uid, outcome in waiting.items() if not outcome.is_complete}
            over = time.monotonic() + RETRY_SECONDS >= self.ends or holding.done()
            if over or all(outcome.hopeless for outcome in waiting.values()):
                break
            await asyncio.sleep(RETRY_SECONDS)
        if holding.done():
            say("the lease was lost: nothing more is written")
        for outcome in waiting.values():
            for line in outcome.commands:
                print(line, file=sys.stderr)
        for outcome in waiting.values():
            for sentence in outcome.left:
                say(sentence)
        if not waiting:
            many = "1 policy" if len(policies) == 1 else f"{len(policies)} policies"
            print(f"nothing is held any more ({many})")
        return 1 if waiting else 0


async def _one(restorer: Restorer, policy: Policy) -> Outcome:
    """One try with one policy, as it is now."""
    try:
        current = await restorer.journal.load(policy)
        if current is None:
            return Outcome(policy)
        return await restorer.restore(current, time.time())
    except Conflict as error:
        return Outcome(policy, left=[f"{label(policy)}: somebody else has just written it ({error.message})"])
    except Refused as error:
        return Outcome(policy, left=[f"{label(policy)}: {error.message}"], hopeless=error.lacks_right)
    except Unknown as error:
        return Outcome(policy, left=[f"{label(policy)}: {error}"])
    except Exception as error:  # what makes the code fail for one policy must not keep the others
        return Outcome(policy, left=[f"{label(policy)}: {type(error).__name__} {error}"], hopeless=True)
