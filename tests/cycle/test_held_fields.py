"""Whatever happens in between, in the end every field has the last value that somebody other than us gave it.

The real writer over the sandbox, with fields taken and let go, foreign edits, objects created anew, and every kind
of fault. The oracle is a second sandbox in which only the others act.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cycle.world import policy, run
from stepdown.api.status import Entry, EntryState, PolicyStatus
from stepdown.engine.annotation import ANNOTATION
from stepdown.engine.document import with_raw
from stepdown.engine.fields import ABSENT, FieldChange, Target
from stepdown.engine.ledger import FieldKey, Moment
from stepdown.ports import Conflict, Refused, Unknown
from stepdown.simulate.sandbox import Sandbox
from stepdown.writer import Objects, Writer

DOCUMENT = """\
{ "flags" :{
\t"a" : {"variants":{"on":true,"off" :false}, "defaultVariant":"on" , "targeting" :{"if":[ 1.50,"\\u00e9\\/"]} },
\t"b":{ },  "note":"}, {",\n\t"x":1,"x":1e2 }
}

"""
OBJECTS: list[dict[str, Any]] = [
    {"kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"flags.json": DOCUMENT, "plain": "true"}},
    {
        "kind": "Service",
        "metadata": {"name": "shop", "annotations": {"owner": "ann"}},
        "spec": {"selector": {"app": "shop"}},
    },
    {"kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"replicas": 2}},
]
FIELDS: list[tuple[str, str, str, list[Any]]] = [
    ("ConfigMap", "flags", "/data/flags.json#/flags/a/defaultVariant", ["off", "low"]),
    ("ConfigMap", "flags", "/data/flags.json#/flags/a/targeting", [{}]),
    ("ConfigMap", "flags", "/data/flags.json#/flags/b/defaultVariant", ["off"]),
    ("ConfigMap", "flags", "/data/plain", ["false", ABSENT]),
    ("Service", "shop", "/spec/selector", [{"app": "static"}, {"app": "page"}]),
    ("Deployment", "shop", "/spec/replicas", [0, 6]),
]


def in_document(pointer: str, text: str | None) -> Callable[[Any], None]:
    def edit(obj: Any) -> None:
        obj["data"]["flags.json"] = with_raw(obj["data"]["flags.json"], pointer, text)

    return edit


EDITS: list[tuple[str, str, Callable[[Any], None]]] = [
    ("ConfigMap", "flags", in_document("/flags/a/defaultVariant", '"blue"')),
    ("ConfigMap", "flags", in_document("/flags/a/targeting", '{ "if" : [] }')),
    ("ConfigMap", "flags", in_document("/flags/c", '{"defaultVariant": "x"}')),
    ("ConfigMap", "flags", lambda obj: obj["data"].update(plain="maybe")),
    ("Service", "shop", lambda obj: obj["spec"].update(selector={"app": "shop", "tier": "web"})),
    ("Service", "shop", lambda obj: obj["metadata"]["annotations"].update(owner="bob")),
    ("Deployment", "shop", lambda obj: obj["spec"].update(replicas=4)),
]


class Crash(BaseException):
    """The process dies here."""


FAULTS: list[Callable[[], BaseException]] = [
    Crash,
    lambda: Unknown("timed out"),
    lambda: Conflict(409, "the object has been modified"),
    lambda: Refused(403, "forbidden"),
]


@dataclass(frozen=True)
class Step:
    """One pass: what is wanted from now on, what others do before it, and at which call a fault strikes."""

    wanted: tuple[tuple[int, int], ...]
    edits: tuple[int, ...]
    anew: str | None
    fault: tuple[int, int] | None


STEPS = st.lists(
    st.builds(
        Step,
        wanted=st.lists(
            st.tuples(st.integers(0, len(FIELDS) - 1), st.integers(0, 1)), max_size=5, unique_by=lambda pair: pair[0]
        ).map(tuple),
        edits=st.lists(st.integers(0, len(EDITS) - 1), max_size=1).map(tuple),
        anew=st.sampled_from([None] * 12 + ["Service", "Deployment"]),
        fault=st.one_of(st.none(), st.tuples(st.integers(1, 9), st.integers(0, len(FAULTS) - 1))),
    ),
    min_size=1,
    max_size=10,
)


class Fault:
    """Raises at the nth call from now, once."""

    def __init__(self) -> None:
        self.left = 0
        self.make: Callable[[], BaseException] = Crash

    def __call__(self, _when: str, _what: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.make()


class Held:
    """A writer with its policy over the shop, and the same shop in a world without us."""

    def __init__(self) -> None:
        self.sandbox = Sandbox([*OBJECTS, policy()])
        self.without_us = Sandbox(OBJECTS)
        self.fault = Fault()
        self.sandbox.on_call = self.fault
        self.epoch = 1
        self.now = 1000.0
        self.known: dict[str, Entry] = {}

    def act(self, step: Step) -> None:
        """What others do, in both worlds."""
        for number in step.edits:
            for world in (self.sandbox, self.without_us):
                world.edit(*EDITS[number])
        if step.anew is not None:
            made = next(o for o in OBJECTS if o["kind"] == step.anew)
            for world in (self.sandbox, self.without_us):
                world.delete(made["kind"], made["metadata"]["name"])
                world.create(made)

    def objects(self) -> Objects:
        return {(o["kind"], o["metadata"]["name"]): self.sandbox.get(o["kind"], o["metadata"]["name"]) for o in OBJECTS}

    def wanted(self, step: Step) -> dict[FieldKey, FieldChange]:
        objects = self.objects()
        changes = {}
        for field, choice in step.wanted:
            kind, name, path, values = FIELDS[field]
            obj = objects[kind, name]
            assert obj is not None
            target = Target(kind, name, obj["metadata"]["uid"])
            changes[target, path] = FieldChange(target, path, values[choice % len(values)], 1)
        return changes

    def go(self, wanted: dict[FieldKey, FieldChange]) -> PolicyStatus:
        """One pass as the cycle makes it; a crash starts the next process, which claims."""
        self.now += 10
        try:
            return run(self._go(wanted))
        except Crash:
            self.epoch += 1
        except (Conflict, Refused, Unknown):
            pass
        return self.status()

    async def _go(self, wanted: dict[FieldKey, FieldChange]) -> PolicyStatus:
        writer = Writer(self.sandbox, self.sandbox)
        found, status = self.sandbox.policy("shop"), self.status()
        objects = self.objects()
        if status.ledger and status.epoch != self.epoch:
            found, status, _ = await writer.claim(found, status, objects, self.epoch)
        status = status.model_copy(update={"epoch": self.epoch})
        moment = Moment(self.epoch, ("full", "low"), self.now)
        done = await writer.apply(found, status, wanted, objects, moment, upwards=False)
        await self.sandbox.store(done.policy, done.status)
        return done.status

    def status(self) -> PolicyStatus:
        return PolicyStatus.model_validate(self.sandbox.policy("shop").raw.get("status") or {})

    def check_originals(self) -> None:
        """The first original of a field that was ever applied stays as long as its entry does."""
        ledger = {entry.id: entry for entry in self.status().ledger}
        for key, entry in ledger.items():
            before = self.known.get(key)
            if before is not None and before.state in (EntryState.APPLIED, EntryState.RESTORING):
                assert entry.original == before.original
        self.known = ledger

    def look(self, world: Sandbox) -> dict[str, Any]:
        """The objects without what the API server adds."""
        found = {}
        for made in OBJECTS:
            obj = world.get(made["kind"], made["metadata"]["name"])
            assert obj is not None
            for key in ("uid", "resourceVersion", "generation"):
                del obj["metadata"][key]
            found[made["kind"]] = obj
        return found


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(STEPS)
def test_in_the_end_each_field_has_the_last_value_that_others_gave_it(steps):
    held = Held()
    for step in steps:
        held.act(step)
        if step.fault is not None:
            held.fault.left, held.fault.make = step.fault[0], FAULTS[step.fault[1]]
        held.go(held.wanted(step))
        held.check_originals()
    held.fault.left = 0
    for _ in range(12):
        status = held.go({})
    assert status.ledger == []
    assert held.look(held.sandbox) == held.look(held.without_us)
    assert ANNOTATION not in str(held.look(held.sandbox))


@pytest.mark.parametrize("fault", range(len(FAULTS)), ids=["crash", "no answer", "conflict", "refused"])
@pytest.mark.parametrize("place", range(1, 8))
def test_a_fault_while_only_a_mark_is_left_does_not_leave_the_mark(place, fault):
    held = Held()
    held.go(held.wanted(Step(((4, 0),), (), None, None)))
    held.act(Step((), (4,), None, None))
    held.fault.left, held.fault.make = place, FAULTS[fault]
    held.go({})
    held.fault.left = 0
    for _ in range(3):
        held.go({})
    assert held.look(held.sandbox) == held.look(held.without_us)
    assert held.status().ledger == []


def test_a_write_of_a_paused_leader_that_arrives_after_all_is_over_changes_nothing():
    held = Held()
    late: list[tuple[Any, ...]] = []
    patch = held.sandbox.patch

    async def pausing(*arguments: Any) -> Any:
        late.append(arguments)
        raise Crash

    held.sandbox.patch = pausing  # type: ignore[method-assign]
    held.go(held.wanted(Step(((4, 0), (5, 1)), (), None, None)))
    held.sandbox.patch = patch  # type: ignore[method-assign]
    held.go(held.wanted(Step(((4, 0), (5, 1)), (), None, None)))
    held.go({})
    assert held.look(held.sandbox) == held.look(held.without_us)
    for arguments in late:
        try:
            run(patch(*arguments))
        except Conflict:
            continue
        raise AssertionError("the late write went through")
    assert held.look(held.sandbox) == held.look(held.without_us)


def test_a_workload_that_rolls_out_is_written_within_the_same_pass():
    held = Held()
    patch = held.sandbox.patch
    busy = [1, 2]

    async def rolling(*arguments: Any) -> Any:
        if busy:
            held.sandbox.edit("Deployment", "shop", lambda obj: obj.update(status={"ready": busy.pop()}))
        return await patch(*arguments)

    held.sandbox.patch = rolling  # type: ignore[method-assign]
    held.go(held.wanted(Step(((5, 1),), (), None, None)))
    found = held.sandbox.get("Deployment", "shop")
    assert found is not None
    assert found["spec"]["replicas"] == 6
