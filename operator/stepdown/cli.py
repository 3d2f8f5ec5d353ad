"""The command line: parses, calls one function, prints.

Each command imports what it needs when it runs, so that `--help` and shell completion answer at once: kopf and
the Kubernetes client alone take a second.
"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Steps services down a ladder of operating levels when they cannot keep their objectives, and back up.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from stepdown import __version__

        typer.echo(f"stepdown {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version


@app.command()
def lint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Manifests: YAML, one or more objects each.")],
) -> None:
    """Check manifests, without a cluster.

    Prints file:line, the problem and its cure; nothing where all is well. Exit code 1 when something is to be
    corrected.
    """
    from stepdown.lint import lint as find

    findings = find(str(file) for file in files)
    for finding in findings:
        typer.echo(str(finding), err=finding.note)
    if any(not finding.note for finding in findings):
        raise typer.Exit(1)


@app.command()
def crd(
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write the generated files under a directory.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="DIR", help="Name each file that differs; exit 1 if any does.")
    ] = None,
) -> None:
    """Print the CRDs.

    Or, for who works on Stepdown, write or check all generated files of a clone.
    """
    from stepdown.api import crd as generator

    if write is not None and check is not None:
        raise typer.BadParameter("--write and --check exclude each other: give one")
    if write is not None:
        for path in generator.write(write):
            typer.echo(f"wrote {write / path}")
    elif check is not None:
        stale = generator.drift(check)
        for path in stale:
            typer.echo(f"{check / path} is not what the models say. Run: stepdown crd --write {check}")
        if stale:
            raise typer.Exit(1)
    else:
        typer.echo("---\n".join(generator.to_yaml(document) for document in generator.crds()), nl=False)


@app.command()
def run(
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="What the chart sets, as JSON: endpoint, lease, log."),
    ] = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", "-n", metavar="NAME", help="Namespace to work in, repeatable; default all."),
    ] = None,
    lease_namespace: Annotated[
        str | None,
        typer.Option("--lease-namespace", metavar="NAME", help="Namespace of the Lease; default the pod's own."),
    ] = None,
) -> None:
    """Run the operator, in a pod or by $KUBECONFIG.

    Ending it changes nothing: what is applied stays. Exit code 2 when it can't start.
    """
    import asyncio

    from stepdown.adapters.api import NoCluster
    from stepdown.controller import app as operator
    from stepdown.controller.config import BadConfig, own_namespace, read_config
    from stepdown.controller.logs import set_up

    try:
        settings = read_config(config)
        if namespace:
            settings = settings.model_copy(update={"namespaces": namespace})
        home = own_namespace(lease_namespace, settings)
        set_up(settings.log_level, settings.log_format)
        code = asyncio.run(operator.run(settings, home))
    except (BadConfig, NoCluster) as error:
        typer.echo(f"stepdown: {error}", err=True)
        raise typer.Exit(2) from None
    except OSError as error:
        typer.echo(f"stepdown: {settings.metrics_address} can't be listened on: {error.strerror}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(code)


@app.command()
def simulate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Policies, and the objects that they act on.")],
    prometheus: Annotated[str, typer.Option("--prometheus", metavar="URL", help="Base URL of a Prometheus.")],
    last: Annotated[str, typer.Option("--last", metavar="TIME", help="How long back, like 6h or 7d.")] = "6h",
    step: Annotated[
        str | None, typer.Option("--step", metavar="TIME", help="Time between evaluations; default the policy's own.")
    ] = None,
    namespace: Annotated[
        str,
        typer.Option(
            "--namespace", "-n", metavar="NAME", help="Namespace of objects that name none; presets ask for it."
        ),
    ] = "default",
    policy: Annotated[str | None, typer.Option("--policy", metavar="NAME", help="Only this policy.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document (docs/simulate.md).")] = False,
) -> None:
    """Play policies over what Prometheus remembers.

    Nothing is changed anywhere. Exit code 1 for a file that can't be used, 2 for a Prometheus or options that can't.
    """
    from stepdown.simulate.command import simulate as play

    seconds = _seconds("--last", last)
    apart = _seconds("--step", step) if step is not None else None
    raise typer.Exit(play([str(f) for f in files], prometheus, seconds, apart, namespace, policy, as_json=as_json))


@app.command()
def restore(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A policy.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All policies, of -n or of the cluster.")] = False,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace", "-n", metavar="NAME", help="Namespace; default the current one, with --all every one."
        ),
    ] = None,
    prints: Annotated[
        bool, typer.Option("--print", help="Write nothing: print the kubectl commands for it. Without NAME for all.")
    ] = False,
    deadline: Annotated[str, typer.Option("--deadline", metavar="TIME", help="Longest time, like 5m.")] = "5m",
    lease_namespace: Annotated[
        str | None,
        typer.Option(
            "--lease-namespace", metavar="NAME", help="Namespace of the operator's Lease; found where it can be."
        ),
    ] = None,
    lease_name: Annotated[
        str | None,
        typer.Option("--lease-name", metavar="NAME", help="Name of the operator's Lease; default `stepdown`."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The operator's own file: its namespaces and Lease.")
    ] = None,
    uninstalls: Annotated[
        bool,
        typer.Option("--uninstall", help="Right before the operator is taken away: suspend nothing, keep its Lease."),
    ] = False,
) -> None:
    """Put back what policies hold.

    It works under the operator's Lease: one at work is asked for it, and waits. Policies are suspended, so that
    nothing steps down again. It goes to the cluster of $KUBECONFIG, or of the pod. Exit code 1 when something is left,
    or nothing could be done.
    """
    from stepdown.controller.config import BadConfig, read_config
    from stepdown.restore.command import Request
    from stepdown.restore.command import restore as put_back
    from stepdown.restore.leading import Place

    if everything == (name is not None) and not (prints and name is None):
        raise typer.BadParameter("give the NAME of a policy, or --all")
    if uninstalls and (prints or not everything or namespace is not None):
        raise typer.BadParameter("it goes with --all alone", param_hint="--uninstall")
    seconds = _seconds("--deadline", deadline)
    try:
        settings = read_config(config)
    except BadConfig as error:
        typer.echo(f"stepdown: {error}", err=True)
        raise typer.Exit(2) from None
    is_guess = lease_name is None and config is None
    place = Place(lease_namespace or settings.lease_namespace, lease_name or settings.lease.name, is_guess)
    namespaces = (namespace,) if namespace is not None else () if name is not None else tuple(settings.namespaces)
    raise typer.Exit(put_back(Request(name, namespaces, prints, uninstalls, seconds, place)))


@app.command()
def page(
    message: Annotated[str, typer.Option("--message", metavar="TEXT", help="What people read, as plain text.")],
    port: Annotated[list[int], typer.Option("--port", metavar="PORT", min=1, max=65535, help="Port, repeatable.")],
    health_port: Annotated[
        int, typer.Option("--health-port", metavar="PORT", min=1, max=65535, help="Port of /readyz and /healthz.")
    ],
    retry_after: Annotated[
        int, typer.Option("--retry-after", metavar="SECONDS", min=1, max=3600, help="When to try again.")
    ] = 60,
) -> None:
    """Serve a status page.

    It answers every request with 503 and a message, as the pods of a policy's statusPage do. Ends by SIGTERM, after
    some seconds. Exit code 2 when a port is taken.
    """
    import asyncio

    from stepdown.page.server import serve
    from stepdown.page.text import Notice

    try:
        asyncio.run(serve(Notice(message, retry_after), port, health_port))
    except OSError as error:
        typer.echo(f"stepdown: a port can't be listened on: {error.strerror}", err=True)
        raise typer.Exit(2) from None


def _seconds(option: str, text: str) -> float:
    """A time above zero, for an option."""
    from stepdown.api.durations import parse_promql

    try:
        found = parse_promql(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    if found <= 0:
        raise typer.BadParameter("it must be longer than nothing", param_hint=option)
    return found


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
