from cycle.world import FLAGS, World
from stepdown.engine.observation import Missing


def test_a_breach_enters_the_level_and_all_its_actions_are_applied():
    world = World()
    world.tick()
    assert world.level == "full"
    world.values["load"] = 0.92
    world.tick()
    assert world.level == "core-only"
    assert (world.replicas("shop"), world.replicas("extras")) == (6, 0)
    assert '"defaultVariant": "off",\n      "targeting": {} }' in world.flags()
    assert world.status["summary"] == {"level": "core-only", "state": "Degraded", "why": "load 92%>80%"}


def test_only_the_values_of_the_flag_change_in_its_document():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    expected = FLAGS.replace(
        '"defaultVariant": "on",\n      "targeting": {"if": [true, "on", "off"]}',
        '"defaultVariant": "off",\n      "targeting": {}',
    )
    assert world.flags() == expected


def test_recovery_puts_every_field_back_and_leaves_no_mark():
    world = World()
    world.values["load"] = 0.92
    world.ticks(2)
    world.values["load"] = 0.5
    world.ticks(8)
    assert world.level == "full"
    assert world.as_at_first()
    assert world.status.get("ledger") == []
    assert world.sandbox.policy("shop").has_finalizer is False


def test_the_deepest_breached_level_is_entered_at_once_and_left_one_level_at_a_time():
    world = World()
    world.values |= {"load": 0.92, "errors": 0.4}
    world.ticks(2)
    assert world.level == "static"
    assert world.selector() == {"app": "shop-static"}
    assert world.replicas("shop") == 1
    world.values["errors"] = Missing.EMPTY
    world.ticks(8)
    assert world.level == "core-only"
    assert world.selector() == {"app": "shop", "tier": "web"}
    assert world.replicas("shop") == 6
    world.values |= {"errors": 0.0, "load": 0.1}
    world.ticks(10)
    assert world.level == "full"
    assert world.as_at_first()


def test_a_policy_at_rest_writes_nothing():
    world = World()
    world.ticks(3)
    version = world.sandbox.policy("shop").resource_version
    world.ticks(50)
    assert world.sandbox.policy("shop").resource_version == version
    assert world.sandbox.writes == []


def test_a_degraded_policy_writes_nothing_while_nothing_changes():
    world = World()
    world.values["load"] = 0.92
    world.ticks(3)
    version, writes = world.sandbox.policy("shop").resource_version, len(world.sandbox.writes)
    world.values["load"] = 0.93
    world.ticks(20)
    assert world.sandbox.policy("shop").resource_version == version
    assert len(world.sandbox.writes) == writes


def test_missing_data_holds_the_level_up_and_down():
    for missing in Missing:
        world = World()
        world.values["load"] = missing
        world.ticks(5)
        assert world.level == "full"
        world.values["load"] = 0.92
        world.ticks(2)
        world.values["load"] = missing
        world.ticks(60)
        assert world.level == "core-only", missing


def test_observe_says_what_it_would_do_and_changes_nothing():
    from cycle.world import SPEC

    world = World({**SPEC, "mode": "Observe"})
    world.values["load"] = 0.92
    world.ticks(3)
    assert world.status["summary"] == {"level": "full", "state": "Observing", "why": "would be core-only: load 92%>80%"}
    assert world.as_at_first()
    assert world.sandbox.writes == []


def test_a_level_whose_fallback_is_not_ready_is_not_entered():
    world = World()
    world.sandbox.delete("Pod", "shop-static-1")
    world.values["errors"] = 0.4
    world.ticks(3)
    assert world.level == "full"
    assert world.selector() == {"app": "shop", "tier": "web"}
    conditions = {c["type"]: c for c in world.status["conditions"]}
    assert conditions["Ready"]["reason"] == "FallbackNotReady"
