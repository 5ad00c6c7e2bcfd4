"""The command line: the door to everything. Thin: each command is in `commands/`, the work is elsewhere.

`main` is one of the two places that catch errors: whatever goes wrong ends in one line that says what, where
and what to do, and in an exit code: 0 all that was asked for was made, 1 a failure, 2 wrong usage, 130 stopped.
Set REARRANGE_TRACEBACK=1 to see where an internal error came from.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from rearrange import __version__
from rearrange.commands import catalogue, convert, diagnosis, evaluate, exports, preview, single, train
from rearrange.commands.console import Interrupt
from rearrange.errors import CancelledError, RearrangeError

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="rearrange")
def rearrange() -> None:
    """Turn a song into another genre, and keep every step open to your hands.

    \b
    Example:
      rearrange convert song.wav --genre GENRE
    """


def _with_a_genre_that_exists(command: click.Command, genre: str) -> None:
    """Put a genre's name into the examples of a command's help: genres are data, and code names none."""
    command.help = (command.help or "").replace("GENRE", genre)
    for child in command.commands.values() if isinstance(command, click.Group) else ():
        _with_a_genre_that_exists(child, genre)


for _module in (convert, single, preview, exports, catalogue, evaluate, train, diagnosis):
    for _command in _module.COMMANDS:
        rearrange.add_command(_command)
_names = sorted(path.stem for path in (Path(__file__).parent / "genres").glob("*.toml"))
_with_a_genre_that_exists(rearrange, _names[len(_names) // 2] if _names else "NAME")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with Interrupt.watched():
        try:
            code = rearrange.main(given, prog_name="rearrange", standalone_mode=False)
        except BaseException as exc:
            if isinstance(exc, SystemExit) or (
                os.environ.get("REARRANGE_TRACEBACK") and isinstance(exc, Exception)
            ):
                raise
            code = _failed(exc, given)
    sys.exit(code if isinstance(code, int) else 0)  # a number where a command, or --help, asked to exit


def _failed(exc: BaseException, given: Sequence[str]) -> int:
    """Say what went wrong, and return the exit code."""
    if Interrupt.seen or isinstance(exc, KeyboardInterrupt | click.Abort | CancelledError):
        _say("cancelled", "stopped", "what was finished is kept; run the same command again to go on", given)
        return CancelledError.exit_code
    if isinstance(exc, RearrangeError):
        _say(exc.code, exc.message, exc.hint, given)
        return exc.exit_code
    if isinstance(exc, click.ClickException):
        context = getattr(exc, "ctx", None)
        hint = f"see {context.command_path} --help" if context is not None else ""
        _say("usage", exc.format_message(), hint, given)
        return exc.exit_code
    if isinstance(exc, BrokenPipeError):  # whoever read our output has gone, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(exc, OSError):
        where = f"{exc.filename}: " if exc.filename else ""
        _say("system", f"{where}{exc.strerror or exc}", "", given)
        return 1
    if isinstance(exc, MemoryError):
        _say("memory", "there is not enough memory", "close other programs, or convert a shorter song", given)
        return 1
    hint = "this is a mistake in rearrange; REARRANGE_TRACEBACK=1 shows where"
    _say("internal", f"{type(exc).__name__}: {exc}", hint, given)
    return 1


def _say(code: str, message: str, hint: str, given: Sequence[str]) -> None:
    """One line on stderr; with --json also an object on stdout."""
    if "--json" in given:
        click.echo(json.dumps({"error": {"code": code, "message": message, "hint": hint}}))
    line = " ".join(f"rearrange: [{code}] {message}{f' ({hint})' if hint else ''}".split())
    click.echo(line, err=True)
