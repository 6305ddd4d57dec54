"""`escucha demo`: a made-up telecom's bad afternoon, on a network that lives in a file."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from listener.commands.actor import DAEMON
from listener.commands.app import App, pass_app
from listener.commands.output import console, heading, json_option, print_json, say
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.commands.demo_check import Check
    from listener.commands.demo_screen import Screen
    from listener.commands.demo_script import Script
    from listener.store.stats import Counts

MARK = "# Made by `escucha demo`; the next demo in this folder writes over it."
TICK = 0.4  # seconds between two rounds of the daemon, at speed 1
FILES = ("escucha.toml", "escucha.db", "sandbox.db")  # and what SQLite and the sender's lock put beside them


@dataclass(frozen=True, kw_only=True)
class Summary:
    """How the afternoon ended. `duplicates` and `lost` come from comparing the network with the database."""

    folder: Path
    mentions: int
    decided: int
    drafts: Mapping[str, int]
    cases: Mapping[str, int]
    replies_sent: int
    notices_sent: int
    duplicates: int
    lost: int
    trouble: tuple[str, ...]
    seconds: float


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default="demo",
    show_default=True,
    help="Where to leave what came of it.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    help="How many times faster than half a minute.",
)
@json_option
@pass_app
@click.pass_context
def demo(ctx: click.Context, app: App, folder: Path, speed: float, as_json: bool) -> None:
    """See it work: a made-up telecom's bad afternoon, in half a minute.

    Real stages, the real model and the default policy, on a network of made-up people that lives in a file: no account,
    no download. You approve, reword and reject some answers; marketing publishes a notice. What it leaves behind is
    yours to try the commands on.
    """
    from listener import log
    from listener.commands import demo_check, demo_screen, demo_script
    from listener.commands.demo_news import Watch
    from listener.commands.demo_play import YOU, Play

    script, steps = demo_script.read()
    _prepare(folder)
    inner = _settle_in(app, folder, script)
    inner.actor = YOU
    sandbox: Any = app.connectors.load("sandbox")
    world = sandbox.World(folder / "sandbox.db")
    terminal = console()
    screen: Screen = demo_screen.Silent() if as_json else demo_screen.Lines()
    began = time.monotonic()
    try:
        _start(inner)
        if terminal.is_terminal and not as_json:
            screen = demo_screen.Picture(terminal, company=script.company, handle=script.handle)
        play = Play(
            script=script,
            steps=steps,
            app=inner,
            sandbox=sandbox,
            world=world,
            watch=Watch(inner.store),
            screen=screen,
            speed=speed,
        )
        with _daemon(inner, speed):
            counts = play.run().counts
        verdict = demo_check.check(inner.store, world, handle=script.handle, queries=script.queries.values())
        seconds = round(time.monotonic() - began, 1)
        summary = _summary(folder, counts, verdict, seconds)
    finally:
        screen.close()
        log.start()
        world.close()
        inner.close()
    if as_json:
        print_json(summary)
    else:
        _tell(summary, *play.worth_a_look())
    if summary.lost or summary.duplicates:
        ctx.exit(1)


def _prepare(folder: Path) -> None:
    """An empty folder of ours. Raises Mistake for one that holds anything else."""
    outside = sorted(name for name in os.environ if name.startswith("ESCUCHA_") and "__" in name)
    if outside:  # it could point the demo at a real database or account
        raise Mistake(f"{outside[0]} is set and would change the demo's settings; unset it for the demo.")
    settings = folder / "escucha.toml"
    if folder.exists():
        if not folder.is_dir():
            raise Mistake(f"{folder} is a file; name a folder with --dir.")
        there = list(folder.iterdir())
        made_by_us = settings.is_file() and settings.read_text("utf-8", "replace").startswith(MARK)
        if there and not (made_by_us and all(path.is_file() and path.name.startswith(FILES) for path in there)):
            raise Mistake(f"{folder} holds something else than a demo; choose another folder with --dir.")
        for path in there:
            path.unlink()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Mistake(f"{folder} cannot be made ({error.strerror}); name another folder with --dir.") from error


def _settle_in(app: App, folder: Path, script: Script) -> App:
    """The settings written, and the same command line pointed at them."""
    sources = "".join(
        f'\n[[sources]]\nname = "{name}"\naccount = "care"\nquery = "{query}"\nevery = "1s"\n'
        for name, query in script.queries.items()
    )
    path = folder / "escucha.toml"
    path.write_text(
        f"{MARK}\n"
        "# Everybody in it is made up.\n\n"
        f'[brand]\nname = "{script.company}"\nhandles = ["{script.handle}"]\nlanguages = ["es", "en"]\n\n'
        '[database]\nurl = "sqlite:///escucha.db"\n\n'
        f'[accounts.care]\nnetwork = "sandbox"\nworld = "sandbox.db"\nhandle = "{script.handle}"\n{sources}',
        encoding="utf-8",
    )
    return App(connectors=app.connectors, policies=app.policies, config_path=path, now=app.now)


@contextmanager
def _daemon(app: App, speed: float) -> Iterator[None]:
    """The daemon that `escucha run` would start, in a thread of its own until the block ends."""
    from listener.daemon import Daemon

    daemon = Daemon(app.pipeline, tick=timedelta(seconds=max(0.1, TICK / speed)), version="demo")
    thread = threading.Thread(target=daemon.run, kwargs={"handle_signals": False}, name="daemon")
    thread.start()
    try:
        yield
    finally:
        daemon.stop()
        thread.join()


def _start(app: App) -> None:
    """What `escucha run` does first with these settings. What goes wrong is shown on the screen, no log."""
    import structlog

    wanted = app.wanted  # reads the settings, which starts the log
    logging.getLogger().setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    app.pipeline.start(wanted, by=DAEMON)
    _ = app.classifier  # loading takes a second; the play should not stumble over it


def _summary(folder: Path, counts: Counts, verdict: Check, seconds: float) -> Summary:
    return Summary(
        folder=folder,
        mentions=sum(counts.mentions.values()),
        decided=counts.decided,
        drafts=counts.drafts,
        cases=counts.cases,
        replies_sent=counts.drafts["sent"],
        notices_sent=counts.deliveries["sent"],
        duplicates=len(verdict.duplicates),
        lost=len(verdict.lost),
        trouble=(*verdict.lost, *verdict.duplicates),
        seconds=seconds,
    )


def _tell(summary: Summary, explained: int | None, waiting: int | None) -> None:
    drafts = ", ".join(f"{number} {state}" for state, number in summary.drafts.items() if number)
    say()
    heading("What happened")
    say(f"  {summary.mentions} mentions heard, {summary.decided} decisions, {sum(summary.cases.values())} cases opened")
    say(f"  {sum(summary.drafts.values())} answers drafted: {drafts}")
    say(f"  {summary.replies_sent} answers and {summary.notices_sent} notices are on the network")
    say(f"  compared with the network: {summary.lost} lost, {summary.duplicates} said twice")
    for sentence in summary.trouble:
        say(f"  ! {sentence}")
    escucha = f"escucha --config {shlex.quote(str(summary.folder / 'escucha.toml'))}"
    say()
    heading("Try it on what is left")
    tries = [
        ("inbox", "what waits for you"),
        ("review", "go through it"),
        (f"explain M{explained}" if explained else "", "why she got that answer"),
        ("case list", "who does what, by when"),
        ("notice status", "what marketing said"),
        (f"approve D{waiting}" if waiting else "", "let one more answer go ..."),
        ("run --once", "... and send it"),
        ("status", "how things stand"),
    ]
    activate = Path(sys.executable).with_name("activate")
    if shutil.which("escucha") is None and activate.is_file():
        say(f"  . {shlex.quote(_from_here(activate))}")
    for command, why in tries:
        if command:
            say(f"  {escucha} {command.ljust(13)}  # {why}")


def _from_here(path: Path) -> str:
    """The path as one would type it in this folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
