"""What `notice draft` needs before anything is stored: where the text comes from, and which accounts can say it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import click

from listener.commands import attaching, line_editor
from listener.commands.app import App
from listener.contract import Connector, Publishes
from listener.desk import notice_pages
from listener.desk.notice_pages import Written
from listener.desk.notices import Outlet
from listener.desk.pictures import Picture
from listener.errors import EscuchaError, Mistake, NetworkError

MAX_BYTES = 256 * 1024
ASKERS = 8  # accounts asked at once who we are there


def read_file(path: Path) -> Written:
    """The notice in a `.yaml`, `.yml` or `.md` file; pictures that it names are looked for beside it.

    Raises Mistake when it is none of these or cannot be read.
    """
    readers = {".yaml": notice_pages.from_yaml, ".yml": notice_pages.from_yaml, ".md": notice_pages.from_markdown}
    if path.suffix.lower() not in readers:
        raise Mistake(f"{path} should end in .yaml or .md, so that it is clear how to read it; see docs/notices.md.")
    if path.exists() and not path.is_file():  # a pipe would keep us waiting
        raise Mistake(f"{path} is no file; name a notice's file.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Mistake(f"{path} is larger than a notice can be; name another file.")
        written = readers[path.suffix.lower()](path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"{path} cannot be read ({error}); make it a readable UTF-8 text file.") from error
    return replace(written, images=tuple(replace(each, file=str(path.parent / each.file)) for each in written.images))


def pictures(written: Written) -> tuple[list[Picture], list[str]]:
    """The pictures that the notice names, and a sentence for each that cannot be read."""
    return attaching.read_all([Path(each.file) for each in written.images])


def write_in_editor(app: App, title: str, accounts: Sequence[str]) -> Written:
    """Opens $EDITOR with an empty page. Raises Mistake when nothing is written or there is no terminal."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise Mistake("It says nothing yet; give it text with --text 'es=…', or a file with --file.")
    page = notice_pages.sheet(title, app.config.brand.languages, accounts)
    try:
        text = click.edit(page, extension=".md", require_save=True, editor=line_editor.program())
    except click.ClickException as error:
        raise Mistake(
            f"The editor could not be used ({error.message}); set EDITOR, or use --text or --file."
        ) from error
    written = notice_pages.from_markdown(text or "", "notice.md")
    if not written.texts and not written.problems:
        raise Mistake("Nothing was written, so there is no notice.")
    return written


def keep(written: Written) -> Path:
    """Puts a notice that was refused into a file, so that nobody has to write it again."""
    lines = [f"# {written.title}\n", f"on: {', '.join(written.accounts)}\n" if written.accounts else ""]
    for image in written.images:
        lines.append(f"image: {Path(image.file).absolute()}\n")
        lines += [f"alt {language}: {alt}\n" for language, alt in image.alt.items()]
    if written.threads:
        lines.append(f"thread: {'numbered' if written.numbered else 'yes'}\n")
    if written.without_images:
        lines.append(f"no image on: {', '.join(written.without_images)}\n")
    lines += [
        f"## {f'{where}:' if where else ''}{code}\n{text.strip()}\n" for (where, code), text in written.texts.items()
    ]
    with tempfile.NamedTemporaryFile("w", prefix="notice-", suffix=".md", delete=False, encoding="utf-8") as file:
        file.write("\n".join(lines))
    return Path(file.name)


def outlets(app: App, names: Sequence[str]) -> tuple[list[Outlet], list[str], list[str]]:
    """Where it goes: the named accounts, else all that can publish; then problems, then what was left out and why.

    Asks each network who we are there: only then are its limits exact, and only an account of our own can speak. A
    network that does not answer is taken at its general word.
    """
    known = list(app.config.accounts)
    problems = [f"There is no account {name!r}; {_near(name, known)}" for name in names if name not in known]
    speakers: dict[str, Connector] = {}
    left_out: list[str] = []
    for name in names or known:
        if name not in known:
            continue
        try:
            connector = app.unasked(name)
        except EscuchaError as error:
            problems.append(f"{name}: {error}")
            continue
        if isinstance(connector, Publishes):
            speakers[name] = connector
        else:
            where = f"{name}: {connector.facts.network} has no way to speak to everybody"
            (problems if names else left_out).append(f"{where}; leave it out." if names else where)
    with ThreadPoolExecutor(max_workers=ASKERS, thread_name_prefix="whoami") as askers:
        askable = {name: each for name, each in speakers.items() if not app.config.accounts[name].lacking}
        ours = dict.fromkeys(speakers, True) | dict(zip(askable, askers.map(_may_speak, askable.values()), strict=True))
    found = []
    for name, connector in speakers.items():
        if ours[name]:
            found.append(Outlet(account=name, facts=connector.facts))
        elif names:
            problems.append(
                f"{name}: it reads without an account of ours, so it cannot speak; give it one, or leave it out."
            )
        else:
            left_out.append(f"{name}: it reads without an account of ours")
    if not found and not problems:
        problems.append(f"No account in {app.config_path} can speak to everybody; see docs/networks.md.")
    return found, problems, left_out


def _may_speak(connector: Connector) -> bool:
    try:
        return connector.whoami() is not None
    except NetworkError:
        return True  # nobody can tell now; publishing will


def joined(options: Written, page: Written | None) -> Written:
    """A file's or page's notice with what stood on the command line over it."""
    if page is None:
        return options
    return replace(
        page,
        title=options.title or page.title,
        texts={**page.texts, **options.texts},
        images=options.images or page.images,
        without_images=options.without_images or page.without_images,
        languages={**page.languages, **options.languages},
        threads=options.threads or page.threads,
        numbered=options.numbered or page.numbered,
        problems=(*page.problems, *options.problems),
    )


def _near(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there is: {', '.join(known) or 'none'}."
