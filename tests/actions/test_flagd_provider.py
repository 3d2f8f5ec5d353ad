"""What an application gets: the document is read by the OpenFeature SDK's own flagd provider at every stage."""

import pytest

from cycle.world import SPEC, World
from plane.flag_reader import read_flags

DOCUMENT = """{
  "$schema":"https://flagd.dev/schema/v0/flags.json",
  "flags" : {
    "reviews"   : {"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"},
    "suggestions":{ "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
        "targeting": {"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "on"]} },
    "read-only": {"state":"ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off"}
  }
}
"""
NAMES = ("reviews", "suggestions", "read-only")


@pytest.fixture
def world() -> World:
    actions = [
        {
            "flags": {
                "disable": ["reviews", "suggestions"],
                "enable": ["read-only"],
                "in": {"flagd": {"configMap": "flags"}},
            }
        }
    ]
    levels = [SPEC["levels"][0], {**SPEC["levels"][1], "actions": actions}]
    world = World({**SPEC, "levels": levels})
    world.sandbox.edit("ConfigMap", "flags", lambda obj: obj["data"].update({"flags.json": DOCUMENT}))
    return world


def test_an_application_gets_on_off_on_also_where_targeting_chose(world, tmp_path):
    seen = []
    for load in (0.1, 0.92, 0.1):
        world.values["load"] = load
        world.ticks(10)
        seen.append(read_flags(world.flags(), tmp_path, *NAMES, email="ann@example.com"))
    assert seen == [
        {"reviews": True, "suggestions": True, "read-only": False},
        {"reviews": False, "suggestions": False, "read-only": True},
        {"reviews": True, "suggestions": True, "read-only": False},
    ]
    assert world.flags() == DOCUMENT


def test_whom_targeting_does_not_choose_gets_the_default_again_afterwards(world, tmp_path):
    seen = []
    for load in (0.1, 0.92, 0.1):
        world.values["load"] = load
        world.ticks(10)
        seen.append(read_flags(world.flags(), tmp_path, "suggestions", email="ann@elsewhere.org")["suggestions"])
    assert seen == [False, False, False]
