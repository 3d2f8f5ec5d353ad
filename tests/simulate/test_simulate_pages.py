"""`simulate` walks a ladder with a status page as the operator would: made up front, routed to, left again."""

from simulate.remembering import during, policy
from simulate.test_simulate import document, only
from stepdown.actions.status_page import page_labels

PAGE = {"statusPage": {"message": "Back soon."}}


def test_a_status_page_takes_the_traffic_and_gives_it_back(written) -> None:
    paged = policy()
    paged["spec"]["levels"][1]["actions"] = [PAGE]
    found = only(document({"load": during(500, 300, 0.9, 0.5)}, written(paged)))

    assert [(m["from"], m["to"], m["reason"]) for m in found["transitions"]] == [
        ("full", "core-only", "Breached"),
        ("core-only", "full", "TrialStarted"),
    ]
    (change,) = found["changes"]
    assert (change["kind"], change["name"], change["path"]) == ("Service", "shop", "/spec/selector")
    assert change["after"] == page_labels(change["after"]["stepdown.dev/page"])
    assert found["assumed"] == [
        "Deployment shop is in no file: made up with 2 replicas",
        "Service shop is in no file: made up with the selector app=shop",
        "pods of workloads above 0 replicas are ready at all times",
    ]
