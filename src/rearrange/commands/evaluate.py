"""`evaluate`: how good it is, in one table a group."""

import os
import shutil
from pathlib import Path
from typing import Any

import click

from rearrange.commands import options
from rearrange.commands.console import Console, show_json

__all__ = ["COMMANDS"]

_LEAST_WIDTH = 80
_GROUPS = ("songs", "ears", "sound", "cost")
_SETS = ("oracle", "bands", "recordings")


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", required=True, envvar="REARRANGE_SHARED",
    help="The folder that holds symbolic/ (sets as .tar.xz) and audio/ (recordings).",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="A few songs, one seed: minutes. Not for a README.")
@click.option(
    "--group", "groups", multiple=True, type=click.Choice(_GROUPS), help="Only this group; may be repeated. [all]"
)
@click.option(
    "--set", "sets", multiple=True, type=click.Choice(_SETS), help="Only this test set; may be repeated. [all]"
)
@click.option(
    "-g", "--genre", "genres", multiple=True, metavar="NAME", help="Only this genre; may be repeated. [all]"
)
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="How many seeds.")
@click.option("--songs", type=click.IntRange(1), metavar="N", help="Only so many songs of each set.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes. [one for each core]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("out/evaluate"), show_default=True,
    metavar="DIR", help="Where the tables go, and what is finished of a run.",
)  # fmt: skip
@options.as_json
def evaluate(data: Path, output: Path, jobs: int | None, as_json: bool, **chosen: Any) -> None:
    """Measure the whole: what is left of the song, how much genre there is, how well it hears, how it sounds.

    Writes tables.json, tables.md and tables.html into the output folder, and prints them. What is finished is kept
    there: a run that was stopped goes on when it is started again.

    \b
    Examples:
      rearrange evaluate --data ../shared/data --quick
      rearrange evaluate --data ../shared/data --group songs --genre GENRE --seeds 1
    """
    from rearrange.evaluation.evaluate import Choice, evaluate_all, write_tables
    from rearrange.evaluation.layout import plain, terminal

    choice = Choice(
        quick=chosen["quick"],
        groups=chosen["groups"] or _GROUPS,
        sets=chosen["sets"] or _SETS,
        genres=chosen["genres"],
        n_seeds=1 if chosen["quick"] else chosen["seeds"],
        n_songs=chosen["songs"],
    )
    with Console().listening() as console:
        result = evaluate_all(data, output, choice, jobs=jobs or os.cpu_count() or 1, progress=console)
    files = write_tables(result, output)
    if as_json:
        show_json({"about": dict(result.about), "tables": plain(result.tables), "files": [str(f) for f in files]})
    else:
        width = max(shutil.get_terminal_size().columns, _LEAST_WIDTH)
        click.echo("\n\n".join(terminal(table, width) for table in result.tables))
        click.echo("\n" + "\n".join(click.format_filename(str(file)) for file in files))
    if result.failures:
        listing = "".join(f"\n  {failure.key}: {failure.reason}" for failure in result.failures)
        click.echo(f"{len(result.failures)} pieces of work failed:{listing}", err=True)
        raise click.exceptions.Exit(1)


COMMANDS = (evaluate,)
