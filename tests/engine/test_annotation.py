"""The mark on a target says all that a restore needs, byte for byte the same each time."""

from engine.test_ledger import OURS, SELECTOR, SERVICE, held, service
from stepdown.engine.annotation import ANNOTATION, annotation_for, annotation_of, names
from stepdown.engine.fields import ABSENT
from stepdown.engine.ledger import entry_id

ID = entry_id(SERVICE, SELECTOR)


def marked(text: str):
    found = service(OURS)
    found["metadata"]["annotations"] = {ANNOTATION: text}
    return found


def test_a_mark_says_whose_it_is_what_was_there_and_what_was_applied():
    text = annotation_for(service(OURS), "shop", [held()])
    assert text == (
        f'{{"{ID}":{{"applied":"{{\\"app\\":\\"static\\"}}","epoch":6,"level":"one",'
        '"original":"{\\"app\\":\\"shop\\"}","path":"/spec/selector","policy":"shop"}}'
    )


def test_a_mark_leaves_out_what_is_absent():
    (was_absent,) = annotation_of(marked(annotation_for(service(OURS), "shop", [held(original=ABSENT)]) or "")).values()
    (removed,) = annotation_of(marked(annotation_for(service(OURS), "shop", [held(applied=ABSENT)]) or "")).values()
    assert ("original" in was_absent, was_absent["applied"]) == (False, '{"app":"static"}')
    assert ("applied" in removed, removed["original"]) == (False, '{"app":"shop"}')


def test_marks_are_in_one_order_whoever_came_first():
    one, two = '"a":{"policy":"x"}', '"b":{"policy":"y"}'
    texts = [annotation_for(marked(f"{{{text}}}"), "shop", []) for text in (f"{one},{two}", f"{two},{one}")]
    assert texts == [f"{{{one},{two}}}"] * 2


def test_a_mark_names_its_path_and_no_other():
    text = annotation_for(service(OURS), "shop", [held()]) or ""
    assert names(marked(text), SELECTOR)
    assert not names(marked(text), "/spec/replicas")


def test_an_object_without_a_mark_names_nothing():
    assert not names({"metadata": {}}, SELECTOR)
    assert not names({"metadata": {"annotations": {"other": f'"path":"{SELECTOR}"'}}}, SELECTOR)
