"""`export`: what is in a song's folder, as files for a DAW."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from rearrange.commands import options
from rearrange.commands.console import Console, show_json
from rearrange.errors import WorkspaceError

if TYPE_CHECKING:  # the pipeline loads numpy, which --help does without
    from rearrange.pipeline.song import Song

__all__ = ["COMMANDS"]


@click.command()
@options.workspace_option
@click.option("--to", "kind", type=click.Choice(["midi", "stems"]), required=True, help="What to write.")
@options.name_option
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="[the current one]")
@click.option("--format", type=click.Choice(["wav", "flac"]), default="wav", help="Of stems. [wav]")
@click.option("--bit-depth", type=click.Choice(["16", "24", "32f"]), default="24", help="Of stems. [24]")
@options.as_json
def export(
    *,
    workspace: Path,
    kind: str,
    name: str | None,
    output: Path | None,
    format: str,
    bit_depth: Literal["16", "24", "32f"],
    as_json: bool,
) -> None:
    """Write the song and its arrangement as files for a DAW.

    midi: the song as heard (score) and the arrangement: tempo map, markers, a named track per part.
    stems: a sound file per track of the arrangement, and the song's own stems, all from the first second.

    \b
    Examples:
      rearrange export -w song.rearrange --to midi
      rearrange export -w song.rearrange --to stems --name GENRE -o for-the-daw/
    """
    from rearrange.pipeline.song import open_song, the_arrangement

    made: list[str] = []
    with Console().listening() as console, open_song(workspace) as song:
        if name is not None or song.workspace.arrangement_names():
            song.arrangement = the_arrangement(song.workspace, name)
        target = output or Path()
        files = _midi_files(song, target) if kind == "midi" else _sound_files(song, target, format)
        if not files:
            raise WorkspaceError(f"{workspace}: there is nothing to export yet", "run rearrange convert first")
        for number, (path, source) in enumerate(files.items()):
            console(number / len(files), f"export: {path.name}")
            if kind == "midi":
                _copy(source, path)
            else:
                _write_sound(source, path, format, bit_depth)
            made.append(str(path))
        console(1.0, "export: done")
    if as_json:
        show_json({"files": made})
        return
    for item in made:
        click.echo(click.format_filename(item))


def _midi_files(song: "Song", target: Path) -> Mapping[Path, Path]:
    from rearrange.workspace import safe_name

    title = safe_name(song.source.title)
    files = {target / f"{title}.score.mid": song.workspace.folder / "score.mid"}
    if song.arrangement is not None:
        song.arrangement.read_arrangement()  # an edited file that cannot be read is told, not handed on
        files[target / f"{title}.{safe_name(song.arrangement.name)}.mid"] = song.arrangement.midi_path
    return {path: source for path, source in files.items() if source.is_file()}


def _sound_files(song: "Song", target: Path, format: str) -> Mapping[Path, Path]:
    from rearrange.workspace import safe_name

    title = safe_name(song.source.title)
    files = {
        target / f"{title}.stems" / "song" / f"{name}.{format}": path
        for name, path in song.workspace.stem_paths.items()
    }
    if song.arrangement is not None:
        folder = target / f"{title}.stems" / safe_name(song.arrangement.name)
        files |= {folder / f"{path.stem}.{format}": path for path in song.arrangement.track_files().values()}
    return {path: source for path, source in files.items() if source.is_file()}


def _copy(source: Path, target: Path) -> None:
    from rearrange.audio import replacing

    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def _write_sound(source: Path, target: Path, format: str, bit_depth: Literal["16", "24", "32f"]) -> None:
    """Stream a FLAC artefact into another file."""
    from rearrange.audio import AudioWriter, audio_info, read_blocks

    info = audio_info(source)
    with AudioWriter(target, info.sample_rate, info.channels, format=format, bit_depth=bit_depth) as writer:
        for block in read_blocks(source):
            writer.write(block)


COMMANDS = (export,)
