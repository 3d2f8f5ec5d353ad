"""What `make demo` calls a success."""

import pytest

from demo.verdict import differences, judge

WALK = ["core-only", "read-only", "static", "read-only", "core-only", "full"]


def verdicts(visited=WALK, level="full", held=0, compared=7, different=(), errors=(300, 50_000)):
    return [check.holds for check in judge(visited, level, held, compared, different, errors)]


class TestJudge:
    def test_a_whole_walk_with_everything_restored_is_a_success(self):
        assert verdicts() == [True, True, True, True, True]

    def test_skipping_a_level_that_moves_traffic_is_fine(self):
        assert verdicts(visited=["core-only", "static", "read-only", "core-only", "full"]) == [True] * 5

    def test_never_leaving_full_shows_neither_ladder_nor_traffic(self):
        assert verdicts(visited=[]) == [False, False, True, True, True]

    def test_traffic_that_was_never_moved_is_a_failure(self):
        assert verdicts(visited=["core-only", "full"]) == [True, False, True, True, True]

    @pytest.mark.parametrize(("level", "held"), [("core-only", 4), ("full", 1), ("", 0)])
    def test_a_shop_that_is_not_back_is_a_failure(self, level, held):
        assert verdicts(level=level, held=held)[2] is False

    def test_an_object_that_is_not_what_it_was_is_a_failure(self):
        assert verdicts(different=["Service/checkout /spec/selector"])[3] is False

    def test_comparing_nothing_is_a_failure(self):
        assert verdicts(compared=0)[3] is False

    @pytest.mark.parametrize(("errors", "holds"), [((0, 100), True), ((20, 100), True), ((21, 100), False)])
    def test_error_pages_must_be_a_fifth_at_most(self, errors, holds):
        assert verdicts(errors=errors)[4] is holds

    def test_a_launch_without_any_error_page_shows_nothing(self):
        assert verdicts(errors=(0, 0))[4] is False


class TestDifferences:
    def test_equal_snapshots_have_none(self):
        assert differences({"Service/a": {"spec": {"x": [1]}}}, {"Service/a": {"spec": {"x": [1]}}}) == []

    def test_a_changed_field_is_named_by_object_and_path(self):
        before = {"Deployment/a": {"spec": {"replicas": 3}}}
        after = {"Deployment/a": {"spec": {"replicas": 12}}}
        assert differences(before, after) == ["Deployment/a /spec/replicas"]

    def test_a_byte_of_a_text_counts(self):
        before = {"ConfigMap/f": {"data": {"flags.json": '{"a": 1}'}}}
        after = {"ConfigMap/f": {"data": {"flags.json": '{"a":1}'}}}
        assert differences(before, after) == ["ConfigMap/f /data/flags.json"]

    def test_a_mark_that_was_left_counts(self):
        before = {"Service/a": {"metadata": {"annotations": {}}}}
        after = {"Service/a": {"metadata": {"annotations": {"stepdown.dev/ledger": "x"}}}}
        assert differences(before, after) == ["Service/a /metadata/annotations/stepdown.dev/ledger"]

    def test_one_is_not_true(self):
        assert differences({"A/a": {"x": 1}}, {"A/a": {"x": True}}) == ["A/a /x"]

    def test_objects_that_came_and_went_are_named(self):
        assert differences({"A/a": {}}, {"A/b": {}}) == ["A/a is gone", "A/b is new"]
