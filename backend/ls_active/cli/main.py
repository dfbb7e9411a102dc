"""The command line: ``ls-active``.

Whatever it changes in a project, it changes by asking the service that runs: see `commands`.
"""

# ruff: noqa: PLC0415 - `ls-active --help` must not wait for numpy and the SDK

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ls_active import __version__
from ls_active.console import terminal
from ls_active.errors import BackendError

app = typer.Typer(
    name="ls-active",
    help="Label Studio asks the annotator the most useful question next.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ProjectArgument = Annotated[str, typer.Argument(help="Its number in Label Studio, or its title.")]


def main() -> None:
    """Run the command line; an error that somebody can act on is one line and exit code 1."""
    try:
        app()
    except BackendError as error:
        terminal.complain(str(error))
        raise SystemExit(1) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal.say(f"ls-active {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let others than this machine in without a password.")
    ] = False,
) -> None:
    """Run the whole service on this machine: API, workers, timer and, without REDIS_URL, Valkey."""
    from ls_active.cli import commands

    raise typer.Exit(commands.serve(host, port, insecure=insecure))


@app.command()
def worker() -> None:
    """Run workers and timer only: a further machine on the same Redis and data folder."""
    from ls_active.cli import commands

    raise typer.Exit(commands.work())


@app.command()
def connect(
    project: ProjectArgument,
    poll: Annotated[
        bool,
        typer.Option("--poll", help="Ask Label Studio every 5 s; it never needs to reach us."),
    ] = False,
    title: Annotated[
        str, typer.Option(help="What Label Studio calls the backend.")
    ] = "active learning",
    url: Annotated[
        str | None, typer.Option(help="Our address as Label Studio reaches it; else PUBLIC_URL.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="KEY=VALUE",
            help="A choice for this project; may be repeated.",
        ),
    ] = None,
) -> None:
    """Take over a project's queue, and wait until Label Studio serves it."""
    from ls_active.console import connecting

    if poll:
        connecting.poll(project, option or [])
    else:
        connecting.connect(project, title, url, option or [])


@app.command()
def disconnect(project: ProjectArgument) -> None:
    """Give a project back as it was before it was connected."""
    from ls_active.cli import commands

    commands.disconnect(project)


@app.command()
def doctor(
    project: Annotated[
        str | None, typer.Argument(help="Number or title; all that are known here without it.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; mends nothing.")] = False,
) -> None:
    """Check everything between Label Studio and us, both ways, and say what to do."""
    from ls_active.cli import survey
    from ls_active.cli.doctor import run

    if as_json and fix:
        raise typer.BadParameter("--json mends nothing: leave out --fix")
    raise typer.Exit(survey.run(project) if as_json else run(project, fix=fix))


@app.command()
def status(
    project: Annotated[str | None, typer.Argument(help="Number or title; all without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it until Ctrl-C.")] = False,
) -> None:
    """Show where projects stand: labels, model, queue, quality, and what is wrong."""
    from ls_active.cli import commands
    from ls_active.cli.watch import watch as go_on

    if watch and as_json:
        raise typer.BadParameter("say either --watch or --json")
    if watch:
        go_on(project)
    else:
        commands.status(project, as_json=as_json)


@app.command()
def retrain(project: ProjectArgument) -> None:
    """Make a new model version now, and wait for it."""
    from ls_active.cli import commands

    commands.retrain(project)


@app.command()
def rollback(
    project: ProjectArgument,
    version: Annotated[
        str | None, typer.Argument(help="A version such as 7 or al-7: it is held until --unpin.")
    ] = None,
    unpin: Annotated[bool, typer.Option("--unpin", help="Go on with the newest version.")] = False,
) -> None:
    """Serve an older model version, and hold it; or go on."""
    from ls_active.cli import commands

    if (version is None) != unpin:
        raise typer.BadParameter("say either a version or --unpin")
    if version is None:
        commands.unpin(project)
    else:
        commands.pin(project, version)


@app.command()
def demo(
    labels: Annotated[
        int | None,
        typer.Option(min=1, help="Let a script label so many tasks, sum up, and stop."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Label Studio's port; else 8080, or a free one.")
    ] = None,
    pace: Annotated[float, typer.Option(min=0.1, help="Labels a second, of the script.")] = 2.5,
    keep: Annotated[
        bool, typer.Option("--keep", help="After the script's labels go on, for you to look.")
    ] = False,
) -> None:
    """Show the loop on a real Label Studio with 2,225 news articles; it starts anew each time."""
    from ls_active.demo.run import run

    raise typer.Exit(run(labels=labels, port=port, pace=pace, keep=keep))


@app.command()
def simulate(  # noqa: PLR0913, PLR0917 - one option each
    data: Annotated[
        Path,
        typer.Argument(help="A .csv, .tsv or .jsonl file, or a folder with a folder a class."),
    ],
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column to learn from, else guessed; may be repeated."),
    ] = None,
    label: Annotated[str, typer.Option(help="Column that is to be learned, else guessed.")] = "",
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="Compared with random, else auto; may be repeated."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions, each cut anew.")] = 5,
    labels: Annotated[
        int | None, typer.Option(min=2, help="Labels given; else 200, or half of the data.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Labels between two models.")] = 10,
    audit_share: Annotated[
        float, typer.Option(min=0, max=1, help="As the option of a project; random has none.")
    ] = 0.1,
    macro: Annotated[
        bool, typer.Option("--macro", help="Judge by the mean F1 of the classes, not by accuracy.")
    ] = False,
    limit: Annotated[int, typer.Option(min=30, help="Examples used, drawn at random.")] = 5_000,
    out: Annotated[Path, typer.Option(help="Folder for curves.png and curves.csv.")] = Path(
        "simulation"
    ),
) -> None:
    """Replay the loop on data whose labels are known, and say what it would have saved."""
    from ls_active.simulate.run import Choices, run

    choices = Choices(
        tuple(text or ()), label, tuple(strategy or ["auto"]), seeds, labels, batch, audit_share,
        macro, limit, out,
    )  # fmt: skip
    run(data, choices)
