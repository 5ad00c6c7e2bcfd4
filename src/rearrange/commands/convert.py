"""`convert` and `batch`: songs in, the same songs in another genre out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rearrange.commands import options
from rearrange.commands.console import Console, show_json
from rearrange.errors import CancelledError, RearrangeError, UsageError

__all__ = ["COMMANDS"]

STAGE_NAMES = ("separate", "transcribe", "analyse", "arrange", "render", "mix")
_SONG_SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".aifc"),
    *(".wma", ".w64", ".caf", ".mid", ".midi", ".kar", ".rmi"),
)  # fmt: skip


@click.command()
@click.argument("song", type=click.Path(path_type=Path))
@options.genre_option
@options.output_options
@click.option(
    "-w", "--workspace", type=click.Path(path_type=Path), metavar="DIR",
    help="Folder for all that is made on the way. [SONG.rearrange beside the output]",
)  # fmt: skip
@click.option("--name", metavar="NAME", help="Of the arrangement, to keep several of one genre. [the genre's]")
@options.arrange_options
@options.render_options
@options.mix_options
@options.separate_options
@options.report_option
@click.option("--from", "again_from", type=click.Choice(STAGE_NAMES), help="Make everything from here on again.")
@click.option("--until", type=click.Choice(STAGE_NAMES), default="mix", help="Stop after this stage. [mix]")
@options.as_json
def convert(song: Path, genre: str | None, as_json: bool, **chosen: Any) -> None:
    """Turn SONG (any audio file, or a MIDI file) into another genre.

    What is made on the way is kept in a folder, SONG.rearrange: run the command again and only what changed
    is made again. An arrangement.mid that you edited there is kept and played.

    \b
    Examples:
      rearrange convert song.mp3 --genre GENRE
      rearrange convert song.wav --genre GENRE --strength 0.8 --seed 3 -o chill.flac
      rearrange convert song.wav --genre my-genre.toml --vocals keep
    """
    from rearrange.commands.work import convert_song, told

    with Console().listening() as console:
        result = convert_song(console, song, genre, chosen)
    if as_json:
        show_json(result)
    else:
        click.echo(told(result))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@options.genre_option
@options.output_options
@options.arrange_options
@options.render_options
@options.mix_options
@options.separate_options
@options.report_option
@options.as_json
def batch(folder: Path, genre: str | None, output: Path | None, as_json: bool, **chosen: Any) -> None:
    """Turn every song of FOLDER into another genre.

    A song that fails does not stop the others; failures are listed at the end, and the exit code is then 1.
    Results, and a folder for each song, go to the folder OUT, by default the current one.

    \b
    Example:
      rearrange batch album/ --genre GENRE -o album-in-GENRE/ --format mp3
    """
    from rearrange.commands.work import convert_song, told
    from rearrange.genre import load_genre

    if genre is None:
        raise UsageError("no genre is named", "give --genre; rearrange genres lists them")
    loaded = load_genre(genre)  # a wrong genre would fail every song
    songs = _songs(folder, loaded.name)
    target = output if output is not None else Path()
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target}: is not a folder", "batch writes into a folder")
    done: list[Mapping[str, object]] = []
    failed: list[Mapping[str, object]] = []
    with Console().listening() as console:
        for number, (song, title) in enumerate(songs, start=1):
            with console.item(f"[{number}/{len(songs)}] {click.format_filename(song.name)}"):
                try:
                    result = convert_song(
                        console,
                        song,
                        genre,
                        {**chosen, "output": target, "workspace": None},
                        title=title,
                        output_is_folder=True,
                    )
                except CancelledError:
                    raise
                except Exception as exc:  # whatever it is, the other songs are converted
                    error = _as_error(exc)
                    console.note(f"[{error['code']}] {error['message']}")
                    failed.append({"song": str(song), **error})
                else:
                    done.append(result)
                    if not as_json:
                        console.clear()
                        click.echo(told(result))
    if as_json:
        show_json({"songs": done, "failed": failed})
    if failed:
        listing = "".join(f"\n  {click.format_filename(str(item['song']))}: {item['message']}" for item in failed)
        click.echo(f"{len(failed)} of {len(songs)} songs failed:{listing}", err=True)
        raise click.exceptions.Exit(1)


def _as_error(exc: Exception) -> Mapping[str, object]:
    if isinstance(exc, RearrangeError):
        return {"code": exc.code, "message": exc.message, "hint": exc.hint}
    code = "system" if isinstance(exc, OSError | MemoryError) else "internal"
    return {"code": code, "message": f"{type(exc).__name__}: {exc}", "hint": ""}


def _songs(folder: Path, genre: str) -> list[tuple[Path, str]]:
    """The songs of a folder with the title that each one's files get: no two alike.

    What an earlier batch has written there is not taken for songs.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: is not a folder", "rearrange convert takes a single song")
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _SONG_SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    titles = {title for path in files for title in (path.stem, path.name)}
    songs = [path for path in files if path.stem.removesuffix(f".{genre}") not in titles - {path.stem}]
    if not songs:
        raise UsageError(f"{folder}: there is no song in this folder", f"songs end in {', '.join(_SONG_SUFFIXES)}")
    alike = [path.stem for path in songs]
    return [(path, path.stem if alike.count(path.stem) == 1 else path.name) for path in songs]


COMMANDS = (convert, batch)
