"""The `escucha` command: joins networks, policies and the listener, and mounts the command groups.

Exit codes: 0 done; 1 a bug or an outage; 2 the person must change something; 3 some of several things failed.
A command's module is imported only when that command is called, so that `escucha --help` answers at once.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import importlib
import importlib.util
import io
import os
import sys
from pathlib import Path
from typing import Any, cast

import click

from listener.errors import EscuchaError, Mistake, TermsProblem

# name -> (module in listener.commands, what the help says), under the heading it is listed by
COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Set up": {
        "init": ("setup", "Write a settings file, asking a few questions."),
        "doctor": ("doctor", "Check everything and say what to do."),
        "config": ("setup", "Show the settings as they are understood."),
        "source": ("source", "What is listened to: add, list, check, poll, pause, resume."),
        "policy": ("policy", "The response policy: check, show, activate, compare, go back."),
        "db": ("db", "The database: upgrade, check, back up."),
        "model": ("model", "What reads mentions: describe it, measure it, teach it, import another."),
        "access": ("access", "Which other programs may come in: add, list, revoke."),
        "user": ("user", "Who works here: add, show, edit, away, back, tokens, passwords."),
    },
    "Play": {
        "demo": ("demo", "See it work, without any account."),
        "try": ("trying", "Preview a hashtag, a link or a file; nothing is stored."),
    },
    "Run": {
        "run": ("running", "Listen, and send what is approved, until stopped."),
        "pause": ("pausing", "Stop sending, at once and everywhere."),
        "resume": ("pausing", "Send again, and ask about what became stale."),
        "status": ("running", "What is due, waiting and failing."),
        "alert": ("alert", "Messages to our own people: list, test, send again."),
        "crm": ("crm", "Where else customers are kept: list, check, pull, push, retry."),
    },
    "Moderate": {
        "inbox": ("inbox", "What waits for a person."),
        "show": ("show", "One mention with everything around it."),
        "review": ("review", "Go through the inbox one by one."),
        "approve": ("answers", "Let drafts be sent."),
        "edit": ("answers", "Change what a draft says."),
        "reject": ("answers", "Decide that drafts are not sent."),
        "settle": ("answers", "Say whether a reply of unknown outcome went out."),
        "retry": ("answers", "Propose again what the network refused."),
        "mention": ("mention", "What could not be handled: list it, try it again."),
        "explain": ("explain", "Why a mention was decided as it was."),
        "leave-alone": ("leaving", "Never answer somebody again, or do so again."),
    },
    "Care": {
        "case": ("case", "Cases: list, show, open, assign, note, pending, resolve, reopen."),
        "customer": ("customer", "Customers and the accounts that are theirs."),
        "kb": ("kb", "Articles: what is known, written once, found when it is needed."),
        "incident": ("incident", "What hits many at once: open, list, show, and who is hit."),
        "notice": ("notice", "Messages to everybody: draft, preview, approve, publish."),
    },
    "Answer for it": {
        "audit": ("audit", "Who did what: show, verify that nothing was changed, anchor."),
        "privacy": ("privacy", "What is kept for how long, what goes, who was erased."),
    },
}


MOST_NAMED = 30  # commands of a group that are told one by one


def _exists(module: str) -> bool:
    return importlib.util.find_spec(f"listener.commands.{module}") is not None


class Guessing(click.Group):
    """Says what somebody may have meant who names a command that is not there."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], known, n=1)
            there = f"there is: {', '.join(known)}" if len(known) <= MOST_NAMED else "see --help"
            where = f" in `{self.name}`" if ctx.parent else ""
            ctx.fail(
                f"There is no command {args[0]!r}{where}; " + (f"did you mean {close[0]}?" if close else f"{there}.")
            )
        return super().resolve_command(ctx, args)


class Escucha(Guessing):
    """Knows every command's name and help without importing it, and ends every run with the right code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for group in COMMANDS.values() for name, (module, _) in group.items() if _exists(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        name = next(group[cmd_name][0] for group in COMMANDS.values() if cmd_name in group)
        module = importlib.import_module(f"listener.commands.{name}")
        command: click.Command = getattr(module, f"{cmd_name}_" if cmd_name == "try" else cmd_name.replace("-", "_"))
        return _asking_first(command, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = self.list_commands(ctx)
        for heading, group in COMMANDS.items():
            rows = [(name, text) for name, (_, text) in group.items() if name in known]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EscuchaError as error:
            from listener.commands.output import complain, point_at

            if isinstance(error, TermsProblem):
                point_at(_masked(error.text), error.column - 1)
            complain(_masked(str(error)))
            ctx.exit(2 if isinstance(error, Mistake) else 1)
        except (KeyboardInterrupt, click.Abort):  # Ctrl-C, also at a question; or no answer to it
            click.echo("Stopped.", err=True)
            ctx.exit(130)
        except BrokenPipeError:  # whoever read us had enough
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


def _asking_first(command: click.Command, path: str) -> click.Command:
    """The same command; it, or each that it holds, asks whether whoever acts may, before it does anything."""
    if isinstance(command, click.Group):
        inner = {name: _asking_first(each, f"{path} {name}") for name, each in command.commands.items()}
        return Guessing(command.name, inner, help=command.help, callback=command.callback, params=command.params)
    asking = copy.copy(command)
    goes_on = command.callback

    @click.pass_obj
    def demanded(app: Any, /, *args: Any, **given: Any) -> Any:
        from listener.commands import permitted

        permitted.demand(app, path)
        return cast(Any, goes_on)(*args, **given)

    asking.callback = demanded
    return asking


class _Later:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"escucha {version('escucha')}")
    except PackageNotFoundError:
        click.echo("escucha (not installed)")
    ctx.exit()


@click.group(cls=Escucha, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default="escucha.toml",
    envvar="ESCUCHA_CONFIG",
    show_default=True,
    help="The settings file; also ESCUCHA_CONFIG.",
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="And exit.")
@click.pass_context
def escucha(ctx: click.Context, config_path: Path) -> None:
    """Listen to what people say about a company, and answer by its policy.

    Start with `escucha try '#hashtag@mastodon.social'`, or `escucha init`.
    """
    from listener.commands.app import App

    given = ctx.obj if isinstance(ctx.obj, App) else None
    app = given or App(
        connectors=cast(Any, _Later("connectors")), policies=cast(Any, _Later("policies")), config_path=config_path
    )
    ctx.obj = app
    ctx.call_on_close(app.close)


def main() -> None:
    """Runs the command line and ends the process."""
    gc.set_threshold(50_000)  # of what is imported all stays: who types a command would wait for it to be gone through
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no ✓ still gets the rest
    try:
        escucha(prog_name="escucha")
    except Exception as bug:  # noqa: BLE001
        _report(bug)
        sys.exit(1)


def _report(bug: Exception) -> None:
    """One sentence for the person, the traceback in a file that only they can read."""
    import tempfile
    import traceback

    from listener import log
    from listener.commands.output import complain

    log.hide_environment()  # the bug may have come before anything was read
    text = _masked("".join(traceback.format_exception(bug)))
    with tempfile.NamedTemporaryFile("w", prefix="escucha-bug-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write(text)
    what = _masked(str(bug)).strip().partition("\n")[0]
    complain(f"This is a bug in Escucha ({type(bug).__name__}: {what}); please report it with {file.name}.")


def _masked(text: str) -> str:
    """Without the secrets that the settings held, if they were read."""
    log = sys.modules.get("listener.log")
    return str(log.masked(text)) if log else text


if __name__ == "__main__":
    main()
