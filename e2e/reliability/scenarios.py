"""The table of scenarios in docs/performance.md: what users got without a policy, and what with one."""

from reliability.blocks import with_block
from reliability.results import ROOT, Scenario, recorded_scenarios

PAGE = ROOT / "docs" / "performance.md"
COMMAND = "make scenarios"


def page() -> str:
    """The page as it should be."""
    return with_block(PAGE, COMMAND, [*_HEAD, *(_row(each) for each in recorded_scenarios())])


_HEAD = (
    "| scenario | users of each shop | error pages without | error pages with | | played by |",
    "| --- | ---: | ---: | ---: | --- | --- |",
)


def _row(played: Scenario) -> str:
    counts = f"{played.users:,} | {played.without:,} | {played.with_policy:,}"
    return f"| {played.name} | {counts} | {played.note} | `pytest {played.test}` |"
