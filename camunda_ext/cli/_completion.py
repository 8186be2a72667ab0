"""
`camunda-ext completion`: the script that makes a shell complete the commands.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """
    Print the script that makes a shell complete the commands.

    \b
    bash: eval "$(camunda-ext completion bash)" in ~/.bashrc
    zsh:  eval "$(camunda-ext completion zsh)" in ~/.zshrc
    fish: camunda-ext completion fish | source, in config.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click has no script for {shell}.")
    script = kind(ctx.find_root().command, {}, "camunda-ext", "_CAMUNDA_EXT_COMPLETE")
    try:
        source = script.source()
    except RuntimeError as error:
        raise click.ClickException(f"{error}") from None
    click.echo(source)
