"""Values inside a JSON text are found and replaced by their place: no other byte ever changes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.engine import document
from stepdown.engine.document import NotADocument, parse, raw, with_raw, with_raws
from stepdown.engine.pointer import escape

ODD = '{ "a" :\t{"b": 1.50 , "c":[1,\n 2], "\\u0064":"x\\/y" } ,"e":1e2,"f" : null}\n'


@pytest.mark.parametrize(
    ("pointer", "text"),
    [
        ("/a/b", "1.50"),
        ("/a/c", "[1,\n 2]"),
        ("/a/d", '"x\\/y"'),
        ("/e", "1e2"),
        ("/f", "null"),
        ("/g", None),
        ("/a/b/c", None),
        ("/a/c/0", None),
    ],
)
def test_a_value_is_given_as_its_very_text(pointer, text):
    assert raw(ODD, pointer) == text


@pytest.mark.parametrize(
    ("pointer", "value", "after"),
    [
        ("/a/b", "2", ODD.replace("1.50", "2")),
        ("/e", None, ODD.replace('"e":1e2,', "")),
        ("/f", None, ODD.replace(',"f" : null', "")),
        ("/a/b", None, ODD.replace('"b": 1.50 ,', "")),
        ("/g", '"new"', ODD.replace("{ ", '{"g":"new", ', 1)),
        ("/a/g", "7", ODD.replace('{"b"', '{"g":7,"b"')),
        ("/h", None, ODD),
    ],
    ids=[
        "replace",
        "remove",
        "remove the last",
        "remove what has a space behind it",
        "add",
        "add inside",
        "remove what is not there",
    ],
)
def test_only_the_value_changes(pointer, value, after):
    assert with_raw(ODD, pointer, value) == after


@pytest.mark.parametrize("text", ["{}", "{ }", '{"b":1}', '{ "b" : 1 }', '{\n  "b": 1\n}\n'])
def test_what_is_added_and_taken_away_again_leaves_the_same_bytes(text):
    assert with_raw(with_raw(text, "/a", "1"), "/a", None) == text
    both = with_raw(with_raw(text, "/a", "1"), "/c", "2")
    assert with_raw(with_raw(both, "/a", None), "/c", None) == text
    assert with_raw(with_raw(both, "/c", None), "/a", None) == text


@pytest.mark.parametrize(
    ("values", "after"),
    [
        ({"/a/b": "2", "/e": None}, ODD.replace("1.50", "2").replace('"e":1e2,', "")),
        ({"/e": "1", "/a/b": None}, ODD.replace("1e2", "1").replace('"b": 1.50 ,', "")),
        ({"/a/g": "7", "/a/h": "8"}, ODD.replace('{"b"', '{"h":8,"g":7,"b"')),
        ({"/a": "{}", "/a/g": "7"}, '{ "a" :\t{"g":7} ,"e":1e2,"f" : null}\n'),
        ({"/x/y": None, "/f/y": None}, ODD),
    ],
    ids=["two objects", "the later first", "twice in one", "one inside another", "none that are there"],
)
def test_several_values_change_as_one_after_the_other_would(values, after):
    assert with_raws(ODD, values) == after


@pytest.mark.parametrize("pointer", ["/e/g", "/x/g"])
def test_there_must_be_an_object_to_add_one_of_several_to(pointer):
    with pytest.raises(KeyError, match=pointer):
        with_raws(ODD, {"/a/b": "2", "/f/h": None, pointer: "1"})


def test_a_long_document_is_read_once_however_many_of_its_values_are_asked_for_and_set(monkeypatch):
    flags = {f"flag-{number}": {"defaultVariant": "on"} for number in range(200)}
    text, read, parsed = json.dumps({"flags": flags}), [], document._parsed

    def counted(text):
        read.append(text)
        return parsed(text)

    monkeypatch.setattr(document, "_parsed", counted)

    assert all(raw(text, f"/flags/{name}/defaultVariant") == '"on"' for name in flags)
    with_raws(text, {f"/flags/{name}/defaultVariant": '"off"' for name in flags})

    assert read.count(text) == 1


def test_there_must_be_an_object_to_add_to():
    with pytest.raises(KeyError):
        with_raw('{"a": [1]}', "/a/b", "1")
    with pytest.raises(KeyError):
        with_raw("{}", "/a/b", "1")


@pytest.mark.parametrize("text", ["", "x", "[]", "1", '{"a":1', '{"a":1}{}', '{"a":NaN}', '{"a":Infinity}', "{'a':1}"])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(NotADocument):
        raw(text, "/a")


def test_a_key_that_is_there_twice_on_the_way_is_refused_and_elsewhere_ignored():
    with pytest.raises(NotADocument, match="'a' is there twice"):
        raw('{"a":1,"a":2}', "/a")
    assert raw('{"b":1,"b":2,"a":3}', "/a") == "3"


SPACE = st.text(" \t\n\r", max_size=3)
NUMBERS = st.sampled_from(["0", "-0", "1", "1.0", "1.50", "1e2", "1E+2", "-12.5e-3", "123456789012345678901234567890"])
STRINGS = st.one_of(
    st.text(max_size=6).map(json.dumps),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6).map(lambda t: json.dumps(t, ensure_ascii=False)),
    st.sampled_from(['"\\u0041\\/"', '"\\ud83d\\ude00"', '"}{,:\\""']),
)


def containers(inner):
    return st.one_of(
        st.tuples(st.lists(st.tuples(SPACE, inner, SPACE), max_size=3), SPACE).map(
            lambda found: "[" + (",".join(map("".join, found[0])) or found[1]) + "]"
        ),
        members(st.lists(st.tuples(STRINGS, inner), max_size=3)),
    )


@st.composite
def members(draw, pairs):
    """An object as text, with any spacing and perhaps equal keys."""
    texts = [f"{draw(SPACE)}{key}{draw(SPACE)}:{draw(SPACE)}{value}{draw(SPACE)}" for key, value in draw(pairs)]
    return "{" + (",".join(texts) or draw(SPACE)) + "}"


VALUES = st.recursive(st.one_of(NUMBERS, STRINGS, st.sampled_from(["true", "false", "null"])), containers, max_leaves=6)
DOCUMENTS = st.tuples(SPACE, members(st.lists(st.tuples(STRINGS, VALUES), max_size=4)), SPACE).map("".join)


@settings(max_examples=50, deadline=None, database=None, derandomize=True)
@given(DOCUMENTS, VALUES, st.data())
def test_a_value_replaced_and_put_back_leaves_the_same_bytes(text, value, data):
    names = [*parse(text), "new"]
    pointer = "/" + escape(data.draw(st.sampled_from(names)))
    try:
        before = raw(text, pointer)
    except NotADocument:
        return
    changed = with_raw(text, pointer, value)
    assert raw(changed, pointer) == value
    assert with_raw(changed, pointer, before) == text
    others = {key: inner for key, inner in parse(text).items() if "/" + escape(key) != pointer}
    assert {key: inner for key, inner in parse(changed).items() if "/" + escape(key) != pointer} == others


@settings(max_examples=50, deadline=None, database=None, derandomize=True)
@given(DOCUMENTS, st.data())
def test_a_member_taken_away_leaves_the_others(text, data):
    name = data.draw(st.sampled_from([*parse(text), "new"]))
    try:
        after = with_raw(text, "/" + escape(name), None)
    except NotADocument:
        return
    assert parse(after) == {key: value for key, value in parse(text).items() if key != name}
