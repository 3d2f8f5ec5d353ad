"""The verdict on an audit: a package that nobody could look up is never called clean."""

import pytest
from supply.audit import verdict

AUDITED = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
BAD = {"name": "idna", "version": "3.1", "vulns": [{"id": "PYSEC-2024-60", "fix_versions": ["3.7"]}]}
UNSEEN = {"name": "yarl", "skip_reason": "Dependency not found"}
NOT_KNOWN = (
    "{} packages could not be looked up, and nothing is known about them: the advisory database can't be reached from"
    " here, or has no such package"
)


@pytest.mark.parametrize(
    ("packages", "code", "lines"),
    [
        ([AUDITED], 0, ["1 packages, and no known vulnerability"]),
        ([AUDITED, BAD], 1, ["idna 3.1: PYSEC-2024-60, fixed in 3.7"]),
        ([AUDITED, UNSEEN], 2, [NOT_KNOWN.format("1 of 2")]),
        ([BAD, UNSEEN], 1, ["idna 3.1: PYSEC-2024-60, fixed in 3.7", NOT_KNOWN.format("1 of 2")]),
        ([], 2, [NOT_KNOWN.format("0 of 0")]),
    ],
)
def test_an_audit_is_clean_only_where_every_package_was_looked_up(packages, code, lines):
    assert verdict({"dependencies": packages}) == (code, lines)
