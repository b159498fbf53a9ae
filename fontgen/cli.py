"""The command line: commands come from fontgen.commands, errors become one line and an exit status."""

from __future__ import annotations

import os
from typing import Any

import click

from fontgen import __version__
from fontgen.commands import fonts, glyphs, images, recipes, tools
from fontgen.errors import FontgenError

INTERRUPTED = 130
"""The shell's status for a command that Ctrl-C ended."""


def leads() -> bool:
    """Whether this process speaks for all: torchrun starts several, and every one finds the same faults."""
    return "LOCAL_RANK" not in os.environ or os.environ.get("RANK", "0") == "0"


class _Group(click.Group):
    """Turns errors into one line on stderr; `--debug` shows the traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FontgenError as error:
            self._stop(ctx, f"error: {error}", error.exit_status, error)
        except KeyboardInterrupt as error:
            words = "stopped; what was finished is kept: run the same command again to go on"
            self._stop(ctx, words, INTERRUPTED, error)
        except MemoryError as error:
            self._stop(ctx, "error: out of memory; use a smaller batch_size or canvas", 1, error)
        except (click.exceptions.Exit, click.ClickException, click.Abort, SystemExit, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: one line for the user
            words = f"error: {type(error).__name__}: {error}; this is a fault of fontgen: --debug shows where"
            self._stop(ctx, " ".join(words.split()), 1, error)

    def _stop(self, ctx: click.Context, words: str, status: int, error: BaseException) -> None:
        if ctx.params.get("debug"):
            raise error
        if leads() or getattr(error, "for_all", False):
            click.echo(words, err=True)
        ctx.exit(status)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fontgen")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Two fonts in, an installable font out.

    \b
    fontgen build                        the demo, from two small fonts
    fontgen init --source A --target B   a recipe for your own fonts
    """


for _module in (recipes, glyphs, images, fonts, tools):
    for _command in _module.COMMANDS:
        main.add_command(_command)
