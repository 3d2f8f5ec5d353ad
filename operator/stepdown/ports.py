"""What a tick needs of the world: to observe, to change a cluster, to keep a journal.

The cycle is written against these; live runs, simulation and the tests bring their own.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from stepdown.api.status import PolicyStatus
from stepdown.engine.fields import Ref, Target
from stepdown.engine.observation import Observation
from stepdown.engine.questions import Question

Object = dict[str, Any]
"""A Kubernetes object as raw JSON."""

Snapshot = Mapping[Ref, Object | list[Object] | None]
"""What was read: an object or None for a name, a list for a kind."""

JsonPatch = list[dict[str, Any]]

FINALIZER = "stepdown.dev/restore"
"""On a policy only while its ledger is not empty."""


_NO_RIGHT = re.compile(r'User ".*" cannot \w+ ')


class Refused(Exception):
    """The API server answered no; `status` is the HTTP code, `message` its one-line reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message

    @property
    def lacks_right(self) -> bool:
        """Whether a right is missing. Admission (a policy, a quota) answers 403 too, and no right would cure that."""
        return self.status == 403 and _NO_RIGHT.search(self.message) is not None

    @property
    def is_busy(self) -> bool:
        """Whether it were too many requests: nothing was done, and the next turn tries again."""
        return self.status == 429


class Conflict(Refused):
    """A `test` failed or the resourceVersion is stale: somebody was faster (HTTP 409 or 422)."""


class Unknown(Exception):
    """No answer: the write may have happened or not."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it was last seen. `raw` is the whole object."""

    raw: Object

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.raw["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.raw["metadata"]["name"])

    @property
    def uid(self) -> str:
        """Its uid."""
        return str(self.raw["metadata"]["uid"])

    @property
    def resource_version(self) -> str:
        """The version that the next write is compared with."""
        return str(self.raw["metadata"]["resourceVersion"])

    @property
    def generation(self) -> int:
        """Counts edits of the spec."""
        return int(self.raw["metadata"].get("generation", 0))

    @property
    def deleting(self) -> bool:
        """Somebody has deleted it, and it waits for our finalizer."""
        return "deletionTimestamp" in self.raw["metadata"]

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer is on it."""
        return FINALIZER in (self.raw["metadata"].get("finalizers") or [])


@dataclass(frozen=True, slots=True)
class Event:
    """A fact for people: on the policy, and on the touched object where there is one.

    `undo` are commands that take a change back without us; they are for the log, where the operator's end leaves them.
    """

    reason: str
    message: str
    warning: bool = False
    about: Target | None = None
    undo: tuple[str, ...] = ()


class Observer(Protocol):
    """Knows how to answer a whole batch of questions at once.

    Every question gets an observation; an observer never raises for what the world did to it.
    """

    async def observe(self, questions: Collection[Question], at: float) -> Mapping[Question, Observation]:
        """Answers at a time (seconds since the epoch)."""


class Cluster(Protocol):
    """Knows how to read and patch objects of one namespace.

    What is raised is Refused, Conflict or Unknown; nothing else is expected.
    """

    async def read(self, namespace: str, refs: Collection[Ref]) -> Snapshot:
        """The objects as they are now. A kind that the cluster does not have reads as an empty list or None."""

    async def patch(self, namespace: str, target: Target, patch: JsonPatch, subresource: str = "") -> Object:
        """Applies a JSON patch, with its tests, to the object or to its `scale` subresource; gives the result."""

    async def evict(self, namespace: str, target: Target) -> None:
        """Ends a pod, this very one, as far as PodDisruptionBudgets let it go."""

    async def patch_all(
        self, namespace: str, patches: Mapping[Target, JsonPatch]
    ) -> Mapping[Target, "Refused | Unknown"]:
        """Applies patches side by side, for some seconds at most; gives those that had no success. Raises nothing."""


class Journal(Protocol):
    """Knows how to keep what a policy remembers and to tell people.

    Writes compare the policy's resourceVersion and raise Conflict, Refused or Unknown.
    """

    async def load(self, policy: Policy) -> Policy | None:
        """The policy as it is now; None where it is gone or was created anew."""

    async def store(self, policy: Policy, status: PolicyStatus) -> Policy:
        """Replaces the status; gives the policy as stored."""

    async def set_finalizer(self, policy: Policy, *, present: bool) -> Policy:
        """Adds or removes our finalizer; gives the policy as stored."""

    def tell(self, policy: Policy, event: Event) -> None:
        """Hands over an Event; never blocks and never fails."""


class Pages(Protocol):
    """Knows how to make and take away Deployments of our own, for status pages; they are patched as all objects are.

    Both raise Refused, Conflict or Unknown.
    """

    async def make(self, namespace: str, deployment: Object) -> Object:
        """Creates a Deployment; gives it as stored. Conflict where one of its name is there."""

    async def remove(self, namespace: str, name: str, uid: str) -> None:
        """Deletes a Deployment, this very one. One that is gone is no error."""
