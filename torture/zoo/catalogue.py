"""Every bug of the zoo, by name."""

from torture.zoo.bug import Bug
from torture.zoo.bugs import (
    admission,
    ladder,
    leadership,
    ledger,
    life,
    pages,
    patches,
    prometheus,
    readings,
    rights,
    targets,
)

SECTIONS: dict[str, tuple[Bug, ...]] = {
    "The ledger": ledger.BUGS,
    "Patches and the API server": patches.BUGS,
    "Leadership": leadership.BUGS,
    "What is read": readings.BUGS,
    "Prometheus, not trusted": prometheus.BUGS,
    "The ladder": ladder.BUGS,
    "Targets": targets.BUGS,
    "Status pages": pages.BUGS,
    "Rights": rights.BUGS,
    "Admission, by the chart": admission.BUGS,
    "Policies and their end": life.BUGS,
}

BUGS: dict[str, Bug] = {bug.name: bug for bugs in SECTIONS.values() for bug in bugs}
