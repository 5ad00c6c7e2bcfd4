"""`doctor`: what is missing on this machine, and what to install."""

import click

from rearrange.commands import options
from rearrange.commands.console import Console, show_json

__all__ = ["COMMANDS"]


@click.command()
@options.as_json
def doctor(as_json: bool) -> None:
    """Look whether everything is here that a conversion needs, and say what to install.

    \b
    Example:
      rearrange doctor
    """
    from rearrange.doctor import examine

    with Console().listening():
        findings = list(examine())
    missing = [finding for finding in findings if finding.state == "missing"]
    if as_json:
        show_json({"ok": not missing, "findings": [vars(finding) for finding in findings]})
    else:
        for finding in findings:
            cure = f"  -> {finding.cure}" if finding.cure else ""
            click.echo(f"{finding.state:<8} {finding.what:<18}{finding.detail}{cure}")
    if missing:
        click.echo(f"{len(missing)} missing: {', '.join(finding.what for finding in missing)}", err=True)
        raise click.exceptions.Exit(1)


COMMANDS = (doctor,)
