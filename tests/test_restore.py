"""`stepdown restore`: what is printed restores when it is pasted, and what is done by itself leaves nothing held."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cycle.flag_shop import FlagShop
from cycle.world import FLAGS, SPEC, World, policy
from stepdown.engine.annotation import ANNOTATION
from stepdown.engine.fields import KINDS, Target
from stepdown.engine.ledger import entry_id
from stepdown.engine.undo import command
from stepdown.ports import Conflict, Policy
from stepdown.restore.printing import print_all
from stepdown.restore.restorer import Outcome, Restorer
from stepdown.simulate.sandbox import Sandbox

KUBECTL = """#!/usr/bin/env python3
import json, os, sys
text = sys.stdin.read() if "--patch-file=/dev/stdin" in sys.argv else ""
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps([sys.argv[1:], text]) + "\\n")
"""


@pytest.fixture
def paste(tmp_path: Path):
    """Pastes lines into bash; what kubectl is called with is applied to the sandbox. Gives the refused targets."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "kubectl"
    program.write_text(KUBECTL, encoding="utf-8")
    program.chmod(0o755)

    def paste(sandbox: Sandbox, lines: list[str]) -> list[str]:
        calls = tmp_path / "calls"
        calls.write_text("")
        path = f"{program.parent}:{os.environ['PATH']}"
        text = "\n".join(lines) + "\n"
        subprocess.run(["bash"], input=text, text=True, check=True, env={"PATH": path, "CALLS": str(calls)})
        refused = []
        for line in calls.read_text().splitlines():
            arguments, stdin = json.loads(line)
            assert arguments[:3] == ["-n", "default", "patch"]
            assert "--type=json" in arguments
            kind = next(name for name, known in KINDS.items() if known.plural == arguments[3])
            patch = json.loads(stdin or arguments[-1])
            subresource = "scale" if "--subresource=scale" in arguments else ""
            try:
                asyncio.run(sandbox.patch("default", Target(kind, arguments[4], ""), patch, subresource))
            except Conflict:
                refused.append(f"{kind} {arguments[4]}")
        return refused

    return paste


class Marks:
    """The lists that restore.access makes of an API server, over the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def marked(self, kind: str, namespace: str | None) -> list[dict[str, Any]]:
        found = [obj for (k, _), obj in self.sandbox._objects.items() if k == kind]
        return [obj for obj in found if ANNOTATION in (obj["metadata"].get("annotations") or {})]


def printed(world: World, *names: str, name: str | None = None) -> list[str]:
    policies = [world.sandbox.policy(name) for name in names]
    found = asyncio.run(print_all(Marks(world.sandbox), world.sandbox, policies, None, name))  # type: ignore[arg-type]
    assert found.unseen == []
    return found.lines


def suspender(sandbox: Sandbox):
    async def suspend(policy: Policy) -> Policy:
        sandbox.edit("DegradationPolicy", policy.name, lambda obj: obj["spec"].update(suspend=True))
        return sandbox.policy(policy.name)

    return suspend


def restored(world: World, epoch: int = 2, now: float = 2_000_000.0, *, suspends: bool = True) -> Outcome:
    suspend = suspender(world.sandbox) if suspends else None
    restorer = Restorer(world.sandbox, world.sandbox, suspend, epoch)
    return asyncio.run(restorer.restore(world.sandbox.policy("shop"), now))


def degraded(level: str = "static") -> World:
    world = World()
    world.values |= {"load": 0.92, "errors": 0.4 if level == "static" else 0.0}
    world.ticks(3)
    assert world.level == level
    return world


def is_command(line: str) -> bool:
    return not line.startswith("#")


def test_pasting_what_is_printed_puts_everything_back(paste) -> None:
    world = degraded()

    lines = printed(world, "shop")

    assert paste(world.sandbox, lines) == []
    assert world.as_at_first()


def test_each_line_tests_the_uid_and_what_it_replaces() -> None:
    world = degraded()
    service = world.sandbox.get("Service", "shop")
    annotation = service["metadata"]["annotations"][ANNOTATION]

    (line,) = (line for line in printed(world, "shop") if " patch services " in line)

    head, _, body = line.partition(" -p ")
    assert head == "kubectl -n default patch services shop --type=json"
    assert json.loads(body.strip("'")) == [
        {"op": "test", "path": "/metadata/uid", "value": service["metadata"]["uid"]},
        {"op": "test", "path": "/spec/selector", "value": {"app": "shop-static"}},
        {"op": "replace", "path": "/spec/selector", "value": {"app": "shop", "tier": "web"}},
        {"op": "test", "path": "/metadata/annotations/stepdown.dev~1ledger", "value": annotation},
        {"op": "remove", "path": "/metadata/annotations/stepdown.dev~1ledger"},
    ]


def test_traffic_goes_back_last() -> None:
    lines = [line for line in printed(degraded(), "shop") if is_command(line)]

    assert [line.split()[4] for line in lines] == ["deployments", "deployments", "configmaps", "services"]


def test_comments_say_how_to_suspend_the_policy_and_how_to_let_it_go() -> None:
    world = degraded("core-only")

    comments = [line for line in printed(world, "shop") if not is_command(line)]

    assert comments[:4] == [
        "# Paste these lines into a shell. Each tests what it replaces, and changes nothing where that has changed.",
        "# An operator that is at work would set the fields again: suspend the policy first, or stop the operator.",
        "# default/shop at level core-only",
        "# to suspend it: kubectl -n default patch degradationpolicies shop --type=merge"
        """ -p '{"spec":{"suspend":true}}'""",
    ]
    uid = world.sandbox.policy("shop").uid
    assert comments[4:] == [
        "# then, to delete it without an operator: kubectl -n default patch degradationpolicies shop --type=json -p '"
        f'[{{"op":"test","path":"/metadata/uid","value":"{uid}"}},'
        '{"op":"test","path":"/metadata/finalizers","value":["stepdown.dev/restore"]},'
        '{"op":"add","path":"/metadata/finalizers","value":[]}]'
        "'"
    ]


def test_a_value_that_changed_after_printing_is_not_overwritten(paste) -> None:
    world = degraded("core-only")
    lines = printed(world, "shop")
    world.sandbox.edit("Deployment", "shop", lambda obj: obj["spec"].update(replicas=9))

    assert paste(world.sandbox, lines) == ["Deployment shop"]
    assert world.replicas("shop") == 9
    assert world.flags() == FLAGS


def test_a_value_that_changed_before_printing_is_left_out_and_remarked() -> None:
    world = degraded("core-only")
    world.sandbox.edit("Deployment", "shop", lambda obj: obj["spec"].update(replicas=9))

    lines = printed(world, "shop")

    assert [line.split()[5] for line in lines if is_command(line)] == ["extras", "flags"]
    assert (
        "# left as it is: /spec/replicas of Deployment shop is 9, which is neither what was applied (6) nor what was"
        " there before (2): the foreign value stays"
    ) in lines


def test_quotes_in_a_document_survive_the_shell(paste) -> None:
    world = World()
    odd = FLAGS.replace('"flags" :', '"$schema": "it\'s $HOME `here` \\\\ \\u00e9é!", "flags" :')
    world.sandbox.edit("ConfigMap", "flags", lambda obj: obj["data"].update({"flags.json": odd}))
    world.values["load"] = 0.92
    world.ticks(2)
    assert world.flags() != odd

    assert paste(world.sandbox, printed(world, "shop")) == []
    assert world.flags() == odd


def test_a_document_too_long_for_an_argument_goes_by_standard_input(paste) -> None:
    world = World()
    long = FLAGS.replace('"flags" :', f'"note": "{"it is long. " * 20_000}", "flags" :')
    world.sandbox.edit("ConfigMap", "flags", lambda obj: obj["data"].update({"flags.json": long}))
    world.values["load"] = 0.92
    world.ticks(2)
    assert world.flags() != long

    assert paste(world.sandbox, printed(world, "shop")) == []
    assert world.flags() == long


def test_two_policies_on_one_object_can_be_pasted_after_each_other(paste) -> None:
    other = {
        **SPEC,
        "levels": [
            {"name": "full"},
            {
                "name": "read-only",
                "enter": {"any": [{"signal": "load", "above": "80%"}]},
                "actions": [{"flags": {"enable": ["read-only"], "in": {"flagd": {"configMap": "flags"}}}}],
            },
        ],
    }
    world = World()
    world.sandbox.create(policy("other", other))
    world.values["load"] = 0.92
    for _ in range(2):
        world.tick()
        world.tick(0, "other")
    assert world.flags().count('"defaultVariant": "on"') == 1

    assert paste(world.sandbox, printed(world, "shop", "other")) == []
    assert world.as_at_first()


def test_annotations_alone_are_enough_for_all_but_replicas(paste) -> None:
    world = degraded()

    lines = printed(world)

    assert "# default/shop, by the annotation on Service shop alone" in lines
    assert lines[-1] == (
        "# Replicas of Deployments and StatefulSets carry no annotation: without a policy, compare them with your"
        " manifests."
    )
    assert paste(world.sandbox, lines) == []
    assert (world.flags(), world.selector()) == (FLAGS, {"app": "shop", "tier": "web"})
    assert (world.replicas("shop"), world.replicas("extras")) == (1, 0)


def test_an_annotation_that_was_copied_from_another_object_is_not_believed() -> None:
    world = degraded()
    text = world.sandbox.get("Service", "shop")["metadata"]["annotations"][ANNOTATION]
    copied = {"name": "copy", "annotations": {ANNOTATION: text}}
    world.sandbox.create({"kind": "Service", "metadata": copied, "spec": {"selector": {"app": "shop-static"}}})

    assert [line for line in printed(world) if " services copy " in line] == []


def test_text_in_an_annotation_never_becomes_a_command(paste) -> None:
    world = World()
    target = Target("Service", "shop", world.sandbox.get("Service", "shop")["metadata"]["uid"])
    facts = {"policy": "x\nkubectl -n default patch services evil", "path": "/spec/selector", "original": "{}"}
    marks = json.dumps({entry_id(target, "/spec/selector"): {**facts, "applied": '{"app":"shop","tier":"web"}'}})
    world.sandbox.edit("Service", "shop", lambda obj: obj["metadata"].update(annotations={ANNOTATION: marks}))

    lines = printed(world)

    assert paste(world.sandbox, lines) == []
    assert not any("\n" in line for line in lines)
    assert [line.split()[5] for line in lines if is_command(line)] == ["shop"]


def test_a_policy_of_a_name_leaves_the_marks_of_others_alone() -> None:
    assert printed(degraded(), name="other") == []


def test_long_commands_of_a_subresource_keep_it() -> None:
    line = command("default", "deployments", "shop", [{"op": "test", "path": "/x", "value": "y" * 200_000}], "scale")

    head, _, body = line.partition("\n")
    assert head == (
        "kubectl -n default patch deployments shop --subresource=scale --type=json --patch-file=/dev/stdin <<'STEPDOWN'"
    )
    assert body.endswith("\nSTEPDOWN")


def test_pasting_what_is_printed_leaves_no_annotation_on_pods(paste) -> None:
    shop = FlagShop()
    shop.step(0.92, "core-only")

    assert paste(shop.sandbox, printed(shop, "shop")) == []
    assert shop.touched() == {}
