"""The command `stepdown simulate`: reads, plays, prints. Its exit code says whose fault it is that it can't."""

import asyncio
import json
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stepdown.simulate.files import BadFiles, read_files
from stepdown.simulate.past import NoPrometheus, Past
from stepdown.simulate.record import Record, document
from stepdown.simulate.run import Simulation, StepTooLong
from stepdown.simulate.show import show

BAD_FILE = 1
NO_PROMETHEUS = 2


def simulate(
    files: Sequence[str],
    url: str,
    last: float,
    step: float | None,
    namespace: str,
    policy: str | None,
    *,
    as_json: bool,
) -> int:
    """Prints what the policies of some files would have done in the last seconds; gives the exit code."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        contents = read_files(files, namespace, policy)
        past = Past(url)
        try:
            records = _play(Simulation(contents, past, past.present(), last, step), errors)
        finally:
            past.close()
    except BadFiles as error:
        for finding in error.findings:
            errors.print(str(finding))
        return BAD_FILE
    except (NoPrometheus, StepTooLong) as error:
        errors.print(f"stepdown: {error}")
        return NO_PROMETHEUS
    if as_json:
        print(json.dumps(document(url, records), indent=2))
    else:
        show(Console(highlight=False), records)
    return 0


def _play(simulation: Simulation, console: Console) -> list[Record]:
    """Runs it, with a bar on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("ticks", total=simulation.ticks)
        return asyncio.run(simulation.run(lambda done: bar.update(task, completed=done)))
