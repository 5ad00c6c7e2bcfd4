"""Options that several commands share, and how they become stage settings.

An option that is not given is None and changes nothing: a stage then keeps what was chosen for it in this
folder before, or takes its default.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = [
    "OUTPUT_FORMATS",
    "arrange_options",
    "as_json",
    "given",
    "mix_options",
    "name_option",
    "output_options",
    "render_options",
    "report_option",
    "separate_options",
    "workspace_option",
]

F = TypeVar("F", bound=Callable[..., Any])

OUTPUT_FORMATS = ("wav", "flac", "mp3", "ogg", "opus", "m4a")
_ZERO_TO_ONE = click.FloatRange(0.0, 1.0)


def _stack(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """One decorator of several, shown in this order by --help."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def given(**options: Any) -> Mapping[str, Any]:
    """Those options that the user gave."""
    return {name: value for name, value in options.items() if value is not None}


as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

workspace_option = click.option(
    "-w", "--workspace", "workspace", type=click.Path(path_type=Path), metavar="DIR", required=True,
    help="The song's folder, as made by convert.",
)  # fmt: skip

name_option = click.option(
    "--name", metavar="NAME", help="Which arrangement of the folder; the only one, if it has one."
)

genre_option = click.option(
    "-g", "--genre", metavar="NAME|FILE", help="A genre (see rearrange genres), or a .toml file of your own."
)

separate_options = _stack(
    click.option("--separator", metavar="NAME|DIR", help="A model (see rearrange models) or a Demucs repository."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where models run. [auto]"),
)

arrange_options = _stack(
    click.option(
        "--arranger", type=click.Choice(["patterns", "transformer"]),
        help="Who writes the rhythm section: the genre's written patterns, or a network. [patterns]",
    ),
    click.option(
        "--like", type=click.Path(path_type=Path), metavar="REF",
        help="A song, audio or MIDI, whose drumming is taken in place of the genre's.",
    ),
    click.option("--style", metavar="NAME", help="One of the genre's styles; else the best fit."),
    click.option("--seed", type=int, help="Another seed, another arrangement. [0]"),
    click.option("--strength", type=_ZERO_TO_ONE, metavar="0..1", help="How far from the song. [0.5]"),
    click.option("--rhythm", type=_ZERO_TO_ONE, metavar="0..1", help="The same for the rhythm alone."),
    click.option("--harmony", type=_ZERO_TO_ONE, metavar="0..1", help="The same for the chords alone."),
    click.option("--instruments", type=_ZERO_TO_ONE, metavar="0..1", help="The same for the sounds alone."),
    click.option("--ornament", type=_ZERO_TO_ONE, metavar="0..1", help="The same for the tune's ornaments alone."),
    click.option("--tempo", metavar="keep|genre|BPM", help="The song's tempo, the genre's, or a number. [genre]"),
    click.option("--energy", type=click.FloatRange(-1.0, 1.0), metavar="-1..1", help="Calmer or wilder. [0]"),
    click.option(
        "--vocals", type=click.Choice(["auto", "keep", "play", "drop"]),
        help="Keep the voice itself, play its tune, or leave both out. [auto]",
    ),
    click.option("--lock", metavar="PARTS", help="Parts to leave as they are, e.g. melody,bass."),
    click.option("--redo", metavar="PART=SEED", help="Play parts anew, by another seed, e.g. drums=3,bass=1."),
)  # fmt: skip

render_options = click.option(
    "--soundfont", metavar="NAME|FILE", help="A soundfont (see rearrange soundfonts) or an SF2/SF3 file. [default]"
)

mix_options = click.option(
    "--loudness", type=click.FloatRange(-60.0, -5.0), metavar="LUFS", help="Of the master, integrated. [-14]"
)

report_option = click.option(
    "--report/--no-report", default=True, help="Write report.html: what was heard, and what was changed. [yes]"
)

output_options = _stack(
    click.option(
        "-o", "--output", type=click.Path(path_type=Path), metavar="OUT", help="File or folder to write."
    ),
    click.option("--format", "format", type=click.Choice(OUTPUT_FORMATS), help="[the ending of OUT, or wav]"),
    click.option("--bit-depth", type=click.Choice(["16", "24", "32f"]), help="wav and flac. [16]"),
    click.option("--sample-rate", type=click.IntRange(8000, 192_000), metavar="HZ", help="[44100]"),
    click.option("--bitrate", type=click.IntRange(6, 512), metavar="KBPS", help="mp3, ogg, opus and m4a."),
)
