"""`genres`, `soundfonts` and `models`: what there is."""

from typing import Any

import click

from rearrange.commands import options
from rearrange.commands.console import Console, show_json
from rearrange.errors import RearrangeError

__all__ = ["COMMANDS"]


class _ListFirst(click.Group):
    """A group that lists when no subcommand is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["list"])


@click.group(cls=_ListFirst)
def genres() -> None:
    """The genres there are.

    \b
    Example:
      rearrange genres show GENRE
    """


@genres.command("list")
@options.as_json
def list_genres(as_json: bool) -> None:
    """All genres.

    \b
    Example:
      rearrange genres list
    """
    from rearrange.genre import genre_names, load_genre

    known = [load_genre(name) for name in genre_names()]
    if as_json:
        show_json({"genres": [{"name": g.name, "title": g.title, "description": g.description} for g in known]})
        return
    for genre in known:
        click.echo(f"{genre.name:<12}{genre.description}")


@genres.command("show")
@click.argument("name", metavar="NAME|FILE")
@options.as_json
def show_genre(name: str, as_json: bool) -> None:
    """One genre: its tempo, its styles, who plays.

    \b
    Example:
      rearrange genres show GENRE
    """
    from rearrange.general_midi import PROGRAM_NAMES
    from rearrange.genre import load_genre

    genre = load_genre(name)
    players = {
        role.value: [PROGRAM_NAMES[program] for program in spec.programs]
        for role, spec in genre.roles.items()
        if role.value not in ("drums", "percussion")
    }
    value = {
        "name": genre.name,
        "title": genre.title,
        "description": genre.description,
        "tempo_bpm": list(genre.tempo_bpm),
        "metre": str(genre.metre),
        "styles": [style.name for style in genre.styles],
        "roles": [role.value for role in genre.roles],
        "instruments": players,
        "file": str(genre.path),
    }
    if as_json:
        show_json(value)
        return
    low, high = genre.tempo_bpm
    click.echo(f"{genre.title}: {genre.description}")
    click.echo(f"{'tempo':<12}{low:.0f} to {high:.0f} bpm, {genre.metre}")
    click.echo(f"{'styles':<12}{', '.join(style.name for style in genre.styles)}")
    for role, names in players.items():
        click.echo(f"{role:<12}{', '.join(names)}")
    click.echo(f"{'file':<12}{genre.path}")


@click.group(cls=_ListFirst)
def soundfonts() -> None:
    """The soundfonts on this machine.

    \b
    Example:
      rearrange soundfonts list
    """


@soundfonts.command("list")
@options.as_json
def list_soundfonts(as_json: bool) -> None:
    """All soundfonts that were found; the first is the default.

    \b
    Example:
      rearrange soundfonts list
    """
    from rearrange.synth.soundfonts import find_soundfonts

    with Console().listening():
        fonts = find_soundfonts()
    if as_json:
        show_json({"soundfonts": [_font(font) for font in fonts]})
        return
    for font in fonts:
        licence = font.licence or "licence not known"
        click.echo(f"{font.name:<22}{font.format}  {font.size_bytes / 2**20:6.1f} MiB  {licence}")
    if not fonts:
        raise RearrangeError("no soundfont was found", "rearrange doctor says what to install")


@soundfonts.command("show")
@click.argument("name", metavar="NAME|FILE")
@options.as_json
def show_soundfont(name: str, as_json: bool) -> None:
    """Where a soundfont lies, and what it is.

    \b
    Example:
      rearrange soundfonts show default
    """
    from rearrange.synth.soundfonts import check_soundfont, resolve_soundfont

    value = _font(check_soundfont(resolve_soundfont(name)))
    if as_json:
        show_json(value)
        return
    for key, item in value.items():
        click.echo(f"{key:<12}{item}")


def _font(font: Any) -> dict[str, object]:
    return {
        "name": font.name,
        "title": font.title,
        "path": str(font.path),
        "format": font.format,
        "size_bytes": font.size_bytes,
        "licence": font.licence,
    }


@click.group(cls=_ListFirst)
def models() -> None:
    """The models that are known by name.

    \b
    Example:
      rearrange models fetch htdemucs
    """


@models.command("list")
@options.as_json
def list_all_models(as_json: bool) -> None:
    """All models, and whether they are here.

    \b
    Example:
      rearrange models list
    """
    from rearrange.models.weights import list_models

    infos = list_models()
    if as_json:
        show_json({"models": [_model(info) for info in infos]})
        return
    for info in infos:
        state = "here" if info.installed else f"{info.size_mb:.0f} MB"
        click.echo(f"{info.name:<16}{info.kind:<12}{state:<9}{info.description}")


@models.command("show")
@click.argument("name")
@options.as_json
def show_model(name: str, as_json: bool) -> None:
    """What a model is, and under which licence.

    \b
    Example:
      rearrange models show htdemucs
    """
    from rearrange.models.weights import find_model

    value = _model(find_model(name))
    if as_json:
        show_json(value)
        return
    for key, item in value.items():
        click.echo(f"{key:<12}{', '.join(map(str, item)) if isinstance(item, list) else item}")


@models.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.as_json
def verify_models(names: tuple[str, ...], as_json: bool) -> None:
    """Compare the checksums of models that are here; without NAME, of all of them.

    \b
    Example:
      rearrange models verify htdemucs
    """
    from rearrange.models.weights import list_models, verify

    chosen = names or tuple(info.name for info in list_models() if info.installed)
    failed: dict[str, str] = {}
    for name in chosen:
        try:
            verify(name)
        except RearrangeError as exc:
            failed[name] = str(exc)
    if as_json:
        show_json({"verified": [name for name in chosen if name not in failed], "failed": failed})
    else:
        for name in chosen:
            click.echo(f"{name:<14}{failed.get(name, 'as it should be')}")
    if failed:
        raise click.exceptions.Exit(1)


@models.command("fetch")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.as_json
def fetch_models(names: tuple[str, ...], as_json: bool) -> None:
    """Fetch models into the cache. Their licence is shown; mind it.

    \b
    Example:
      rearrange models fetch htdemucs
    """
    from rearrange.models.weights import fetch, find_model

    infos = [find_model(name) for name in names]
    folders: dict[str, str] = {}
    with Console().listening() as console:
        for info in infos:
            console.note(f"{info.name}: {info.licence}")
            with console.item(info.name):
                folders[info.name] = str(fetch(info.name, progress=console))
    if as_json:
        show_json({"fetched": folders})
        return
    for name, folder in folders.items():
        click.echo(f"{name:<14}{folder}")


def _model(info: Any) -> dict[str, object]:
    return {
        "name": info.name,
        "kind": info.kind,
        "description": info.description,
        "licence": info.licence,
        "size_mb": info.size_mb,
        "installed": info.installed,
        "folder": str(info.folder) if info.files else "(built in)",
        "files": [file.name for file in info.files],
    }


COMMANDS = (genres, soundfonts, models)
