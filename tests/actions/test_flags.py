"""Which variant of which flag is set where, and what is left untouched with a sentence."""

import json

import pytest

from actions.scene import fields, obj, problem, translated

ON_OFF = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}
IN = {"flagd": {"configMap": "flags"}}
PATH = "ConfigMap/flags /data/flags.json#/flags/"


def store(document, key="flags.json", **more):
    text = document if isinstance(document, str) else json.dumps({"flags": document})
    return obj("ConfigMap", "flags", data={key: text, **more})


def flags(document, where=None, **wanted):
    return translated({"flags": {**wanted, "in": where or IN}}, document)


def test_disable_chooses_the_false_variant_and_enable_the_true_one():
    document = {"reviews": ON_OFF, "lite": {**ON_OFF, "variants": {"yes": True, "no": False}}}
    assert fields(flags(store(document), disable=["reviews"], enable=["lite"])) == {
        f"{PATH}reviews/defaultVariant": "off",
        f"{PATH}lite/defaultVariant": "yes",
    }


def test_set_chooses_the_named_variant_whatever_it_means():
    payment = {"state": "ENABLED", "variants": {"a": "x", "b": {"y": 1}}, "defaultVariant": "a"}
    assert fields(flags(store({"payment": payment}), set={"payment": "b"})) == {f"{PATH}payment/defaultVariant": "b"}


def test_targeting_is_emptied_because_it_wins_over_the_default():
    targeted = {**ON_OFF, "targeting": {"if": [True, "on"]}}
    assert fields(flags(store({"reviews": targeted}), disable=["reviews"])) == {
        f"{PATH}reviews/defaultVariant": "off",
        f"{PATH}reviews/targeting": {},
    }


def test_empty_targeting_is_left_as_it_is():
    assert fields(flags(store({"reviews": {**ON_OFF, "targeting": {}}}), disable=["reviews"])) == {
        f"{PATH}reviews/defaultVariant": "off"
    }


def test_names_with_dots_need_no_escape_and_the_key_may_be_named():
    document = store({"shop.reviews": ON_OFF}, key="a.json", other="x")
    found = flags(document, where={"flagd": {"configMap": "flags", "key": "a.json"}}, disable=["shop.reviews"])
    assert fields(found) == {"ConfigMap/flags /data/a.json#/flags/shop.reviews/defaultVariant": "off"}


def test_one_flag_that_cant_be_set_does_not_keep_the_others():
    found = flags(store({"reviews": ON_OFF}), disable=["reviews", "gone"])
    assert [change.path for change in found.changes] == ["/data/flags.json#/flags/reviews/defaultVariant"]
    assert [issue.message for issue in found.issues] == [
        "flags: flags.json in ConfigMap flags has no flag gone; add it or correct the flag's name"
    ]


@pytest.mark.parametrize(
    ("flag", "wanted", "kind", "sentence"),
    [
        (
            {**ON_OFF, "state": "DISABLED"},
            {"disable": ["f"]},
            "ActionUnsupported",
            "is DISABLED, so flagd gives the code's default; enable it to switch it here",
        ),
        (
            {**ON_OFF, "variants": {"on": True, "also": True, "off": False}},
            {"enable": ["f"]},
            "ActionUnsupported",
            "has 2 variants that are true, needs one; use set with a variant's name",
        ),
        (
            {**ON_OFF, "variants": {"on": 1, "off": 0}},
            {"enable": ["f"]},
            "ActionUnsupported",
            "has 0 variants that are true, needs one; use set with a variant's name",
        ),
        (ON_OFF, {"set": {"f": "blue"}}, "FlagNotFound", "has no variant blue (it has on, off)"),
        ({"state": "ENABLED"}, {"set": {"f": "blue"}}, "FlagNotFound", "has no variant blue (it has none)"),
        ("on", {"disable": ["f"]}, "FlagNotFound", "has no flag f; add it or correct the flag's name"),
        ({**ON_OFF, "variants": []}, {"disable": ["f"]}, "ActionUnsupported", "has 0 variants that are false"),
    ],
    ids=["disabled", "two true", "numbers", "variant", "no variants", "no object", "variants a list"],
)
def test_a_flag_that_cant_be_set_is_named_with_the_cure(flag, wanted, kind, sentence):
    found, message = problem(flags(store({"f": flag}), **wanted))
    assert found == kind
    assert sentence in message


@pytest.mark.parametrize(
    "text",
    ["flags: {}", "", "[]", "7", '{"flags": []}', "{}", '{"flags": {"f": NaN}}', '{"flags": ', "[" * 5000],
    ids=["yaml", "empty", "list", "number", "flags a list", "no flags", "NaN", "cut", "deep"],
)
def test_a_document_that_is_none_is_left_untouched_and_named(text):
    kind, message = problem(flags(store(text), disable=["f"]))
    assert kind == "InvalidFlagDocument"
    assert message.startswith("flags: flags.json in ConfigMap flags ")
    assert message.endswith("it is left untouched, correct it")


@pytest.mark.parametrize(
    "text",
    [
        '{"flags": {"f": {"variants": {"on": true, "off": false}, "defaultVariant": "on", "defaultVariant": "on"}}}',
        '{"flags": {"f": {}, "f": {"variants": {"on": true, "off": false}, "defaultVariant": "on"}}}',
        '{"flags": {}, "flags": {"f": {"variants": {"on": true, "off": false}, "defaultVariant": "on"}}}',
    ],
    ids=["variant", "flag", "flags"],
)
def test_a_key_that_is_there_twice_on_the_way_is_left_untouched_and_named(text):
    kind, message = problem(flags(store(text), disable=["f"]))
    assert kind == "InvalidFlagDocument"
    assert "is there twice" in message


def test_a_key_that_is_there_twice_elsewhere_is_nobodys_business():
    text = '{"flags": {"f": {"variants": {"on": true, "off": false}, "defaultVariant": "on"}, "g": 1, "g": 2}}'
    assert fields(flags(store(text), disable=["f"])) == {f"{PATH}f/defaultVariant": "off"}


def test_which_of_several_keys_must_be_said():
    kind, message = problem(flags(store({"f": ON_OFF}, other="x"), disable=["f"]))
    assert (kind, message) == (
        "TargetNotFound",
        "flags: ConfigMap flags has flags.json, other; name the document's key in in.flagd.key",
    )


def test_a_config_map_that_is_not_there_is_named():
    kind, message = problem(translated({"flags": {"disable": ["f"], "in": IN}}))
    assert (kind, message) == (
        "TargetNotFound",
        "flags: ConfigMap flags isn't there; create it or correct the action's name",
    )


def test_plain_keys_become_true_false_or_the_variant():
    settings = obj("ConfigMap", "settings", data={"reviews": "true", "lite": "false", "payment": "a"})
    where = {"configMap": {"name": "settings"}}
    assert fields(flags(settings, where, disable=["reviews"], enable=["lite"], set={"payment": "b"})) == {
        "ConfigMap/settings /data/reviews": "false",
        "ConfigMap/settings /data/lite": "true",
        "ConfigMap/settings /data/payment": "b",
    }


def test_a_plain_key_that_is_not_there_is_named_and_not_made():
    settings = obj("ConfigMap", "settings", data={})
    assert problem(flags(settings, {"configMap": {"name": "settings"}}, disable=["reviews"])) == (
        "FlagNotFound",
        "flags: ConfigMap settings has no key reviews; add it or correct the flag's name",
    )


def test_the_flags_of_an_immutable_config_map_are_not_tried():
    settings = obj("ConfigMap", "settings", data={"reviews": "true"}, immutable=True)

    assert problem(flags(settings, {"configMap": {"name": "settings"}}, disable=["reviews"])) == (
        "ActionUnsupported",
        "flags: ConfigMap settings is immutable, so its flags can't change; make it anew without that",
    )
