"""`escucha model train`: learns the company's own areas from their examples, and says how well."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from listener.commands import lessons, output
from listener.commands.app import App, pass_app
from listener.commands.lessons import Lessons
from listener.commands.output import clip, counted, say
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.model.teaching import Lesson, Quality

SHOWN = 5  # sentences of one confusion
NOTHING = (
    "The policy has no areas of your own; write some under `areas:`, each with at least 5 example sentences, "
    "see docs/areas.md."
)
NO_FILE = (
    " The settings name no policy file yet: `escucha policy show --text > policy.yaml` writes one to start from, "
    '`file = "policy.yaml"` under [policy] names it, and `escucha policy activate policy.yaml` lets it rule.'
)


@click.command()
@click.option("--yes", is_flag=True, help="Keep what was learned even where it is poor; for scripts.")
@output.json_option
@click.pass_context
@pass_app
def train(app: App, ctx: click.Context, yes: bool, as_json: bool) -> None:
    """Learn the policy's areas from their examples, in seconds, and say how well that went.

    Each example is also read by a head that was taught without it: what is printed is how those were read. Accepted
    corrections count as examples (see `escucha model examples`). Where an area is poor, you are asked.
    """
    from listener.model import teaching

    material, path = lessons.of(app), lessons.areas_file(app)
    if not material.examples:
        default = "" if app.config_or_default.policy_file else NO_FILE
        old = f" To read by none, delete {path}, which was learned before." if path.exists() else ""
        raise Mistake(NOTHING + default + old)
    reader, began = app.reader(), perf_counter()
    lesson = teaching.teach(material.examples, reader.embed, reader=reader.reader_version, strays=material.strays)
    took = perf_counter() - began
    poor = lesson.quality.poor
    if as_json:
        kept = yes or not poor
        if kept:
            lesson.areas.save(path)
        output.print_json(_plain(lesson, material, path, stored=kept))
        ctx.exit(0 if kept else 2)
    _print(lesson.quality, material)
    if poor and not _all_the_same(poor, yes=yes):
        raise Mistake("Nothing was kept; add or correct examples and train again, or say --yes to keep it as it is.")
    lesson.areas.save(path)
    say(f"\nLearned in {took:.1f} s: version {lesson.areas.version}, kept in {path}.")
    say("A running `escucha run` reads by it from its next start.")


def _all_the_same(poor: tuple[str, ...], *, yes: bool) -> bool:
    say("\nThis is not good enough to be relied on:")
    for sentence in poor:
        say(f"• {sentence}")
    if yes or not sys.stdin.isatty():
        return yes
    try:
        return click.confirm("Keep it all the same?", default=False)
    except click.Abort:
        click.echo()
        return False


def _print(quality: Quality, material: Lessons) -> None:
    output.table(
        ["area", "examples", "precision", "recall", "F1"],
        [
            [each.area, each.examples, f"{each.precision:.0%}", f"{each.recall:.0%}", f"{each.f1:.2f}"]
            for each in quality.areas
        ],
        empty="",
    )
    say()
    for sentence in _sentences(quality, material):
        say(sentence)
    if quality.confusions:
        say("\nRead otherwise than you say:")
    for each in quality.confusions:
        taken = f"taken for {each.taken_for}" if each.taken_for else "taken for none"
        output.show(output.flowing(f"{each.area}, {taken} ({len(each.sentences)})", "bold"))
        for sentence in each.sentences[:SHOWN]:
            output.block(f"· {clip(sentence, 400)}")
        if len(each.sentences) > SHOWN:
            say(f"  … and {len(each.sentences) - SHOWN} more; --json has all")


def _sentences(quality: Quality, material: Lessons) -> Iterator[str]:
    total = sum(each.examples for each in quality.areas)
    by_people = f", {material.corrected} of them corrections" if material.corrected else ""
    strays = f"; {counted(len(material.strays), 'text')} of no area" if material.strays else ""
    yield f"{counted(total, 'example')}{by_people}{strays}; {quality.right:.0%} are read right unseen."
    yield f"Out of scope: {quality.elsewhere:.0%} of the built-in lines about other things are recognised as such."
    if quality.untaught is not None:
        yield f"When an area is left out, {quality.untaught:.0%} of its examples are taken for none of the others."
    if material.orphans:
        many = counted(material.orphans, "correction")
        yield f"Left aside: {many} for an area that the policy does not have."


def _plain(lesson: Lesson, material: Lessons, path: Path, *, stored: bool) -> dict[str, Any]:
    quality = lesson.quality
    return {
        "version": lesson.areas.version,
        "model_version": lesson.areas.reader,
        "file": path,
        "stored": stored,
        "threshold": float(lesson.areas.threshold),
        "right": quality.right,
        "out_of_scope_recall": quality.elsewhere,
        "untaught_recall": quality.untaught,
        "areas": quality.areas,
        "confusions": quality.confusions,
        "poor": quality.poor,
        "strays": len(material.strays),
        "corrections": material.corrected,
        "orphans": material.orphans,
    }
