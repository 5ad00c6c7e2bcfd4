"""One stage alone, on a song's folder: separate, transcribe, analyse, arrange, render, mix."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rearrange.commands import options
from rearrange.commands.console import Console, show_json
from rearrange.errors import UsageError

__all__ = ["COMMANDS"]


def _run(
    stage: str, workspace: Path, chosen: Mapping[str, Mapping[str, Any]], *, as_json: bool, **where: Any
) -> None:
    """Bring one stage up to date, and say what came of it."""
    from rearrange.commands.work import figures_of, renewed_report, written_by
    from rearrange.genre import load_genre
    from rearrange.pipeline.choices import settings_for
    from rearrange.pipeline.engine import run
    from rearrange.pipeline.song import genre_of, open_song, the_arrangement
    from rearrange.pipeline.stages import stages_between

    stages = stages_between(stage, stage)
    with Console().listening() as console, open_song(workspace, where.get("song")) as song:
        genre, name = where.get("genre"), where.get("name")
        if song.is_midi and stages[0].from_audio_only:
            raise UsageError(
                f"{song.source.path}: is a MIDI file: there is nothing to {stage}", "go on with analyse"
            )
        if genre is not None:
            song.genre = load_genre(genre)
            song.arrangement = song.workspace.arrangement(name or song.genre.name)
        elif stages[0].of_arrangement:
            song.arrangement = the_arrangement(song.workspace, name)
            song.genre = genre_of(song)
        report = run(song, stages, settings_for(song, stages, chosen, keep=True), progress=console)
        made = written_by(report)
        if stage == "mix":
            made += renewed_report(song, console)
    if as_json:
        show_json({"workspace": str(workspace), "stages": figures_of(report), "files": made})
        return
    only = report.stages[0]
    figures = ", ".join(
        f"{name} {value}" for name, value in only.figures.items() if not isinstance(value, dict | list)
    )
    state = f"{only.seconds:.1f} s" if only.reason else "up to date"
    click.echo(f"{stage}: {state}{f'; {figures}' if figures else ''}")
    for path in made:
        click.echo(f"  {click.format_filename(path)}")


_song_argument = click.argument("song", type=click.Path(path_type=Path), required=False)


@click.command()
@_song_argument
@options.workspace_option
@options.separate_options
@options.as_json
def separate(song: Path | None, workspace: Path, as_json: bool, **chosen: Any) -> None:
    """Separate the song into stems: drums, bass, vocals and other.

    With SONG the folder DIR is made, if it is not there yet.

    \b
    Example:
      rearrange separate song.mp3 -w song.rearrange --separator htdemucs
    """
    _run("separate", workspace, {"separate": options.given(**chosen)}, as_json=as_json, song=song)


@click.command()
@options.workspace_option
@options.as_json
def transcribe(workspace: Path, as_json: bool) -> None:
    """Write down the notes of every stem: performance.mid.

    \b
    Example:
      rearrange transcribe -w song.rearrange
    """
    _run("transcribe", workspace, {}, as_json=as_json)


@click.command()
@_song_argument
@options.workspace_option
@click.option(
    "--tempo", type=click.FloatRange(20, 400), metavar="BPM", help="The song's tempo, if it is misheard."
)
@click.option("--metre", metavar="N/D", help="The song's metre, if it is misheard, e.g. 3/4.")
@options.as_json
def analyse(song: Path | None, workspace: Path, tempo: float | None, metre: str | None, as_json: bool) -> None:
    """Find beats, key, chords and form: score.mid and analysis.json.

    With SONG, a MIDI file, the folder DIR is made, if it is not there yet.

    \b
    Example:
      rearrange analyse -w song.rearrange --metre 3/4
    """
    chosen = {"analyse": options.given(tempo_bpm=tempo, metre=metre)}
    _run("analyse", workspace, chosen, as_json=as_json, song=song)


@click.command()
@options.workspace_option
@options.genre_option
@options.name_option
@options.arrange_options
@options.as_json
def arrange(workspace: Path, genre: str | None, name: str | None, as_json: bool, **chosen: Any) -> None:
    """Arrange the song in a genre: arrangement.mid, to be opened in a DAW.

    Options that are not given stay as they were for this arrangement. A file that you edited is kept, as
    long as nothing asks for another arrangement; it is then set aside in edited/.

    \b
    Example:
      rearrange arrange -w song.rearrange --genre GENRE --seed 2
    """
    from rearrange.commands.work import stage_choices

    _run("arrange", workspace, stage_choices(chosen), as_json=as_json, genre=genre, name=name)


@click.command()
@options.workspace_option
@options.name_option
@options.render_options
@options.as_json
def render(workspace: Path, name: str | None, as_json: bool, **chosen: Any) -> None:
    """Play arrangement.mid, as it is now, with a soundfont: a sound file per track.

    Only tracks that have changed are played again.

    \b
    Example:
      rearrange render -w song.rearrange --soundfont MyPianos.sf2
    """
    from rearrange.commands.work import stage_choices

    _run("render", workspace, stage_choices(chosen), as_json=as_json, name=name)


@click.command()
@options.workspace_option
@options.name_option
@options.mix_options
@options.as_json
def mix(workspace: Path, name: str | None, as_json: bool, **chosen: Any) -> None:
    """Mix the rendered tracks by the genre's mix table: mix.wav.

    \b
    Example:
      rearrange mix -w song.rearrange --loudness -16
    """
    from rearrange.commands.work import stage_choices

    _run("mix", workspace, stage_choices(chosen), as_json=as_json, name=name)


COMMANDS = (separate, transcribe, analyse, arrange, render, mix)
