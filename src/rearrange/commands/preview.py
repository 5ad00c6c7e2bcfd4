"""`preview`: a few bars, in seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rearrange.commands import options
from rearrange.commands.console import Console, show_json
from rearrange.errors import UsageError
from rearrange.progress import Progress, span

if TYPE_CHECKING:  # the pipeline loads numpy, which --help does without
    from rearrange.pipeline.song import Song

__all__ = ["COMMANDS"]

_SECONDS_PER_BAR = 3.0  # of the song, to be heard for an excerpt: four beats at 80 bpm
_MIN_EXCERPT_S = 16.0  # less does not tell a tempo


@click.command()
@click.argument("song", type=click.Path(path_type=Path), required=False)
@click.option("-w", "--workspace", type=click.Path(path_type=Path), metavar="DIR", help="The song's folder.")
@options.genre_option
@options.name_option
@click.option("--bars", type=click.IntRange(1, 64), default=8, help="How many. [8]")
@click.option("--section", metavar="LABEL", help="Start with this section, e.g. chorus. [the song's first bar]")
@click.option("--soundfont", "soundfonts", multiple=True, metavar="NAME|FILE", help="May be given several times.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT", help="File or folder.")
@options.arrange_options
@options.as_json
def preview(
    *,
    song: Path | None,
    workspace: Path | None,
    bars: int,
    section: str | None,
    soundfonts: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Hear a few bars of an arrangement, in seconds and with one or several soundfonts.

    Of a SONG that has no folder yet, only its beginning is listened to, unless a section is asked for.

    \b
    Examples:
      rearrange preview song.mp3 --genre GENRE
      rearrange preview -w song.rearrange --genre GENRE --section chorus --soundfont A.sf2 --soundfont B.sf2
    """
    from rearrange.audio import write_audio
    from rearrange.pipeline.excerpt import bars_of, excerpt, kept_excerpt, play
    from rearrange.stages.mix import MixSettings
    from rearrange.stages.render import RenderSettings

    made: list[dict[str, object]] = []
    with (
        Console().listening() as console,
        _arranged(console, song, workspace, chosen, bars=bars, section=section) as heard,
    ):
        arrangement = heard.to_arrange.read_arrangement()
        chosen_bars = bars_of(arrangement, bars, section)
        part = excerpt(arrangement, chosen_bars)
        kept = None
        if arrangement.kept_stems:
            stems, timeline = heard.workspace.read_stems(), heard.workspace.read_score().timeline
            kept = kept_excerpt(arrangement, chosen_bars, stems, timeline)
        fonts = soundfonts or (_font_before(heard),)
        for number, font in enumerate(fonts):
            share = span(_named(console), number / len(fonts), (number + 1) / len(fonts))
            sound = play(part, heard.to_play.mix, RenderSettings(font), MixSettings(), kept=kept, progress=share)
            path = _output(heard, output, font if len(fonts) > 1 else None)
            write_audio(path, sound)
            made.append({"output": str(path), "soundfont": font, "duration_s": round(sound.duration_s, 2)})
    if as_json:
        show_json({"bars": [bar.index + 1 for bar in chosen_bars], "previews": made})
        return
    for item in made:
        click.echo(f"made        {click.format_filename(str(item['output']))}")


def _named(console: Console) -> Progress:
    return lambda fraction, message: console(fraction, f"preview: {message}")


@contextmanager
def _arranged(
    console: Console,
    path: Path | None,
    folder: Path | None,
    chosen: dict[str, Any],
    *,
    bars: int,
    section: str | None,
) -> "Iterator[Song]":
    """A song with an up-to-date arrangement: the folder's, or that of an excerpt in a temporary folder."""
    import tempfile

    from rearrange.pipeline.song import open_song, song_kind
    from rearrange.workspace import safe_name

    if path is None and folder is None:
        raise UsageError("neither a song nor its folder is named", "rearrange preview SONG --genre NAME")
    if path is not None and folder is None:
        folder = Path(f"{safe_name(path.stem)}.rearrange")
    assert folder is not None
    if path is None or section is not None or (folder / "analysis.json").is_file():
        with open_song(folder, path) as song:
            yield _bring_up_to_date(console, song, chosen, from_score=path is None)
        return
    if chosen.get("genre") is None:
        raise UsageError("no genre is named", "give --genre; rearrange genres lists them")
    with tempfile.TemporaryDirectory(prefix="rearrange-") as temporary:
        heard = path if song_kind(path) == "midi" else _beginning(path, Path(temporary), bars)
        with open_song(Path(temporary) / "song.rearrange", heard) as song:
            yield _bring_up_to_date(console, song, chosen, from_score=False)


def _beginning(path: Path, folder: Path, bars: int) -> Path:
    """The beginning of a song as a file of its own."""
    from rearrange.audio import Audio, read_audio, write_audio

    sound = read_audio(path, sample_rate=44100)
    n = round(max(bars * _SECONDS_PER_BAR, _MIN_EXCERPT_S) * sound.sample_rate)
    target = folder / f"{path.stem}.wav"
    write_audio(target, Audio(sound.samples[:, :n], sound.sample_rate), bit_depth="32f")
    return target


def _bring_up_to_date(console: Console, song: "Song", chosen: dict[str, Any], *, from_score: bool) -> "Song":
    from rearrange.commands.work import stage_choices
    from rearrange.genre import load_genre
    from rearrange.pipeline.choices import settings_for
    from rearrange.pipeline.engine import run
    from rearrange.pipeline.song import genre_of, the_arrangement
    from rearrange.pipeline.stages import stages_between

    genre, name = chosen.get("genre"), chosen.get("name")
    if genre is None:
        song.arrangement = the_arrangement(song.workspace, name)
        song.genre = genre_of(song)
    else:
        song.genre = load_genre(genre)
        song.arrangement = song.workspace.arrangement(name or song.genre.name)
    stages = stages_between("arrange" if from_score else "separate", "arrange")
    run(song, stages, settings_for(song, stages, stage_choices(chosen), keep=True), progress=console)
    return song


def _font_before(song: "Song") -> str:
    """The soundfont that the arrangement was last rendered with."""
    from rearrange.workspace import read_record

    record = read_record(song.to_arrange.record_path("render"))
    return str(record.settings.get("soundfont", "default")) if record else "default"


def _output(song: "Song", output: Path | None, font: str | None) -> Path:
    from rearrange.workspace import safe_name

    if output is None or output.is_dir():
        name = f"{safe_name(song.source.title)}.{safe_name(song.to_arrange.name)}.preview.wav"
        output = (output or Path()) / name
    if font is not None:
        output = output.with_name(f"{output.stem}.{safe_name(Path(font).stem)}{output.suffix}")
    return output


COMMANDS = (preview,)
