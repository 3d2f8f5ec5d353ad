"""The model behind `make demo`: from visitors and objects to pages."""

import json

import pytest

from demo.load import LENGTH, users_at
from demo.shops import COST_READ_ONLY, COST_SHOP, COST_STATIC, Page, Setup, is_healthy, serve, setup_of, share_within
from plane import examples

FULL = Setup(Page.FULL, 0.090, 3)
CORE = Setup(Page.REDUCED, COST_SHOP, 12)
READ_ONLY = Setup(Page.READ_ONLY, COST_READ_ONLY, 2)
STATIC = Setup(Page.STATIC, COST_STATIC, 1)


@pytest.fixture
def world():
    """The checkout shop of examples/workloads.yaml with all its pods ready."""
    objects = examples.load("workloads.yaml")
    deployments = {o["metadata"]["name"]: o for o in objects if o["kind"] == "Deployment"}
    for deployment in deployments.values():
        deployment["status"] = {"readyReplicas": deployment["spec"]["replicas"]}
    service = next(o for o in objects if o["kind"] == "Service" and o["metadata"]["name"] == "checkout")
    flags = next(o for o in objects if o["kind"] == "ConfigMap")
    return service, deployments, flags


def set_flag(flags, name, variant):
    document = json.loads(flags["data"]["flags.json"])
    document["flags"][name]["defaultVariant"] = variant
    document["flags"][name].pop("targeting", None)
    flags["data"]["flags.json"] = json.dumps(document)


class TestSetup:
    def test_the_example_as_it_is_serves_full_pages_from_three_pods(self, world):
        found = setup_of(*world)
        assert (found.page, found.pods) == (Page.FULL, 3)
        assert found.cost == pytest.approx(0.090)

    def test_a_feature_whose_flag_is_off_makes_pages_cheaper_and_reduced(self, world):
        set_flag(world[2], "reviews", "off")
        found = setup_of(*world)
        assert found.page is Page.REDUCED
        assert found.cost == pytest.approx(0.065)

    def test_an_empty_targeting_is_none(self, world):
        document = json.loads(world[2]["data"]["flags.json"])
        document["flags"]["reviews"] |= {"targeting": {}, "defaultVariant": "off"}
        world[2]["data"]["flags.json"] = json.dumps(document)
        assert setup_of(*world).cost == pytest.approx(0.065)

    def test_a_feature_without_a_ready_pod_is_not_served(self, world):
        world[1]["recommendations"]["status"] = {}
        assert setup_of(*world).cost == pytest.approx(0.055)

    def test_the_read_only_flag_makes_the_shop_itself_read_only(self, world):
        set_flag(world[2], "read-only", "on")
        assert setup_of(*world).page is Page.READ_ONLY

    def test_the_selector_decides_whose_pods_answer(self, world):
        world[0]["spec"]["selector"] = {"app": "checkout-readonly"}
        assert setup_of(*world) == READ_ONLY
        world[0]["spec"]["selector"] = {"app": "checkout-static"}
        assert setup_of(*world) == STATIC

    def test_pods_that_are_not_ready_do_not_count(self, world):
        world[1]["checkout"]["status"] = {"readyReplicas": 1}
        assert setup_of(*world).pods == 1

    def test_a_selector_that_matches_nothing_has_no_pods(self, world):
        world[0]["spec"]["selector"] = {"app": "nobody"}
        assert setup_of(*world).pods == 0

    def test_a_flag_document_that_is_not_json_has_no_flag_on(self, world):
        world[2]["data"]["flags.json"] = "{"
        assert setup_of(*world).page is Page.REDUCED


class TestServing:
    def test_a_hundred_users_get_full_pages_and_no_error(self):
        found = serve(FULL, 100)
        assert (found.page, found.pages, found.errors) == (Page.FULL, 20.0, 0.0)
        assert found.utilization == pytest.approx(0.15)

    def test_what_no_worker_is_free_for_gets_an_error_page(self):
        found = serve(FULL, 10_000)
        assert found.utilization == 1.0
        assert found.pages == pytest.approx(133.33, abs=0.01)
        assert found.errors == pytest.approx(1866.67, abs=0.01)

    def test_core_features_on_twelve_pods_carry_three_thousand_users(self):
        found = serve(CORE, 3_000)
        assert (found.errors, found.pages) == (0.0, 600.0)
        assert found.utilization == pytest.approx(0.375)

    def test_the_database_slows_down_with_the_writes(self):
        assert serve(CORE, 100).database == pytest.approx(0.0082, abs=0.0001)
        assert serve(CORE, 3_150).database == pytest.approx(0.080, abs=0.001)

    def test_writes_beyond_what_the_database_takes_fail(self):
        found = serve(CORE, 5_000)
        assert found.errors == pytest.approx(30.0)
        assert found.database == pytest.approx(0.4)

    def test_read_only_pages_leave_the_database_alone(self):
        found = serve(READ_ONLY, 5_000)
        assert (found.errors, found.database) == (0.0, 0.008)

    def test_two_read_only_pods_are_not_enough_for_ten_thousand_users(self):
        found = serve(READ_ONLY, 10_000)
        assert found.errors == pytest.approx(1_000.0)

    def test_a_static_page_always_answers_and_asks_no_database(self):
        found = serve(STATIC, 10_000)
        assert (found.pages, found.errors, found.queries, found.database) == (2_000.0, 0.0, 0.0, None)
        assert found.utilization == pytest.approx(0.2)

    def test_without_a_ready_pod_everybody_gets_an_error_page(self):
        found = serve(Setup(Page.STATIC, COST_STATIC, 0), 100)
        assert (found.pages, found.errors, found.utilization) == (0.0, 20.0, 1.0)

    def test_no_page_is_lost_or_invented(self):
        for setup in (FULL, CORE, READ_ONLY, STATIC):
            for users in (0, 100, 1_000, 3_500, 10_000):
                found = serve(setup, users)
                assert found.pages + found.errors == pytest.approx(users * 0.2)

    def test_answers_of_the_database_are_spread_exponentially(self):
        assert share_within(0.1, 0.3) == pytest.approx(0.950, abs=0.001)
        assert share_within(0.1, float("inf")) == 1.0


class TestHealth:
    def test_a_shop_lets_its_visitors_in_when_its_read_only_pods_can_serve_them(self, world):
        assert is_healthy(world[1], "checkout", 4_000)

    def test_a_shop_stays_closed_while_there_are_too_many(self, world):
        assert not is_healthy(world[1], "checkout", 4_001)


class TestLoad:
    def test_it_goes_from_a_hundred_to_ten_thousand_and_back(self):
        users = [users_at(second) for second in range(int(LENGTH) + 1)]
        assert (users[0], max(users), users[-1]) == (100, 10_000, 100)

    def test_it_grows_by_the_same_factor_every_second(self):
        assert users_at(21) / users_at(20) == pytest.approx(users_at(41) / users_at(40), rel=0.01)

    def test_it_stays_at_a_hundred_after_the_launch(self):
        assert users_at(LENGTH + 1_000) == 100
