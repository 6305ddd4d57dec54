"""incident report: numbers worked out by hand, on the screen, as Markdown, as a page and for programs."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import insert, select, update

from listener.commands.incident_report_told import LONGEST, quoted
from listener.store import policies
from listener.store import tables as t
from tests.listener.commands.desk_world import DANGEROUS, DEFAULT, DeskWorld
from tests.listener.commands.outage_world import at, laid_down


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    with made.store.write() as tx:
        rules = f"{DEFAULT}\nplaces: {{lleida: [Lleida]}}\n"
        policies.activate(tx, version="p2", text=rules, by="test", now=made.clock())
    laid_down(made)
    yield made
    made.close()


def fine(done: Result) -> str:
    assert done.exit_code == 0, done.output
    assert not DANGEROUS.search(done.stdout), repr(done.stdout)
    return " ".join(done.stdout.split())


def told(desk: DeskWorld) -> Any:
    return json.loads(desk.run("incident", "report", "I1", "--json").stdout)


def test_every_number_is_as_worked_out_by_hand(desk: DeskWorld) -> None:
    report = told(desk)
    assert (report["incident"], report["over"]) == ("I1", True)
    assert (report["since"][11:16], report["until"][11:16]) == ("12:00", "16:00")
    assert report["volume"]["step"] == 300
    steps = {each["at"][11:16]: each for each in report["volume"]["steps"]}
    assert len(steps) == 49
    assert {when: each["mentions"] for when, each in steps.items() if each["mentions"]} == {
        "12:05": 1,
        "12:10": 1,
        "12:20": 1,
        "13:10": 1,
        "13:40": 1,
    }
    assert sum(each["negative"] for each in steps.values()) == 3
    assert report["networks"] == [{"name": "sandbox", "mentions": 5, "people": 3}]
    assert report["areas"] == [{"name": "billing", "mentions": 4, "people": 2}]
    assert report["places"] == [{"name": "lleida", "mentions": 2, "people": 2}]
    phases = {each.pop("name"): each for each in report["sentiment"]}
    sounds = {
        name: [each[of] for of in ("mentions", "negative", "neutral", "positive")] for name, each in phases.items()
    }
    assert sounds == {"before": [1, 0, 0, 1], "during": [4, 3, 1, 0], "after": [1, 0, 1, 0]}
    assert (phases["before"]["since"][:13], phases["after"]["until"][:16]) == ("2026-03-03T12", "2026-03-04T17:30")
    assert report["reach"] == {"people": 3, "accounts": 4, "told": 3, "followers": 1150}
    assert report["answers"] == {
        "mentions": 5,
        "answered": 3,
        "people": 3,
        "people_answered": 2,
        "by": {"rule": 1, "run": 1, "person": 1},
        "median": 600,  # of 2, 10 and 30 minutes
        "ninetieth": 1800,
        "cases_within_promise": 1,
        "cases_late": 1,
        "cases_running": 1,
    }
    assert report["cases"] == {"parts": 3, "opened": 2, "resolved": 1, "reopened": 1, "median": 7200}
    assert report["cost"]["usd"] == pytest.approx(0.5)
    assert [(each["call"], each["units"]) for each in report["cost"]["calls"]] == [("post", 3), ("read", 9)]
    assert [(each["scope"], each["paused"], each["by"]) for each in report["pauses"]] == [("kind mass", True, "eva")]
    assert [each["kind"] for each in report["timeline"]] == ["opened", "update", "resolved"]
    assert report["quotes"] == []


def test_before_and_after_a_notice_is_said_with_how_sure_it_is(desk: DeskWorld) -> None:
    first, second = told(desk)["notices"]
    assert (first["notice"], first["posts"], first["networks"]) == ("N1", 1, ["sandbox"])
    assert (second["notice"], second["posts"], second["networks"]) == ("N2", 2, ["sandbox", "x"])
    compared = first["compared"]
    assert compared["length"] == 50 * 60, "until the next notice"
    assert compared["people_earlier"] is None
    assert (compared["people_before"], compared["people_after"]) == (2, 2)
    assert compared["people_change"]["change"] == 0
    assert not compared["people_change"]["sure"]
    assert (compared["negative_before"], compared["negative_after"]) == ([2, 2], [0, 2])
    assert (compared["complaints_before"], compared["complaints_after"]) == ([2, 2], [0, 2])
    assert compared["negative_change"]["change"] == -1
    shown = fine(desk.run("incident", "report", "I1"))
    assert "This is what changed, not what the notice changed" in shown
    assert "N1 (± 50 min) people who wrote: 2 → 2; ±0 % (−82 % to +466 %): may be chance" in shown
    assert "negative: 100 % of 2 → 0 % of 2; too few to tell" in shown


def test_it_reads_well_on_a_screen(desk: DeskWorld) -> None:
    done = desk.run("incident", "report", "I1")
    assert max(map(len, done.stdout.splitlines())) <= 80
    shown = fine(done)
    assert "• 5 mentions by 3 people on 1 network." in shown
    assert (
        "• 2 of 3 people were answered (67 %), half of the answers within 10 min, nine in ten within 30 min." in shown
    )
    assert "• 2 notices went out in 3 posts, the first 1 h after it began." in shown
    assert "2026-03-04 12:55 sending (kind mass) was paused by eva: wait" in shown
    assert "update by luis — The bank did it. es: Lo sabemos." in shown
    assert "cases answered as promised 1 of 2 (50 %)" in shown
    assert "have 1,150 together" in shown
    assert "cobro" not in shown, "nobody is quoted unasked"
    assert "↑N1" in done.stdout
    assert "█" in done.stdout


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_stands_alone_and_what_people_wrote_is_text(desk: DeskWorld, tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    assert "Only you may read it." in fine(desk.run("incident", "report", "I1", "--html", str(file), "--quotes", "9"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = Page(file.read_text(encoding="utf-8"))
    names = [tag for tag, _ in page.tags]
    assert not {"script", "b", "a", "img", "link", "iframe"} & set(names)
    assert names.count("svg") == 3
    policies = [attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not [attrs for _, attrs in page.tags if {"src", "href", "onclick", "style"} & set(attrs)]
    assert "Double charge <script>alert(1)</script> | [x](http://evil.example)" in page.words
    assert "<b>cobro</b> | doble # en LLEIDA …" in page.words, "who is named in it is blanked"
    assert "600 123 456" not in page.words
    assert "Lo de dani" not in page.words, "what was written in private is quoted nowhere"
    assert "@page { size: A4" in page.words


def test_names_are_left_only_where_somebody_says_so(desk: DeskWorld, tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    desk.run("incident", "report", "I1", "--html", str(file), "--quotes", "2", "--names")
    words = Page(file.read_text(encoding="utf-8")).words
    assert "@marca 600 123 456, cobro doble en Lleida" in words
    assert "Lo de ana a las 12:10" not in words, "two were asked for: the first, and one from the middle"
    assert "<b>cobro</b>" in words


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("soy ana.ruiz+x@mail.example y @marca@red.example", "soy … y …"),
        ("+34 600 123 456ana@mail.example, @a@b@c", "… …, …"),
        ("fibra-óptica, a 20 €", "fibra-óptica, a 20 €"),
    ],
)
def test_addresses_are_blanked_wherever_they_begin(said: str, shown: str) -> None:
    assert quoted(said, names=False) == shown


@pytest.mark.parametrize("part", ["a", "a.", "1-", "@a", "a@", "+"])
def test_a_text_of_one_long_word_is_quoted_at_once(part: str) -> None:
    began = time.process_time()
    assert len(quoted(part * 25_000 + "x", names=False)) <= LONGEST
    assert time.process_time() - began < 3


def test_markdown_shows_words_as_words(desk: DeskWorld, tmp_path: Path) -> None:
    file = tmp_path / "r.md"
    desk.run("incident", "report", "I1", "--markdown", str(file), "--quotes", "9", "--names")
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# I1: Double charge \\<script\\>alert(1)\\</script\\> \\| \\[x\\](http\\://evil.example)\n")
    assert "| \\<b\\>cobro\\</b\\> \\| doble # en LLEIDA @<!-- -->marca |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") in (3, 4, 5, 7) for line in tables)
    assert text.count("```") == 4
    assert "| --- | --- |" in text


def test_what_cannot_be_written_or_is_not_there_is_said(desk: DeskWorld) -> None:
    for wrong, why in (
        (("I9",), "There is no incident I9"),
        (("x",), "is no incident"),
        (("I1", "--html", "r.txt"), "A page is written to a file whose name ends in .html; r.txt does not."),
        (("I1", "--markdown", "no/r.md"), "cannot be written"),
    ):
        done = desk.run("incident", "report", *wrong)
        assert done.exit_code in (1, 2)
        assert why in " ".join(done.output.split())


def test_an_incident_that_just_began_has_a_report_too(desk: DeskWorld) -> None:
    desk.run("incident", "open", "Nothing yet", "--word", "x")
    shown = fine(desk.run("incident", "report", "I2"))
    assert "No mention is attached to it, so there is nothing to count." in shown
    assert json.loads(desk.run("incident", "report", "I2", "--json").stdout)["answers"]["median"] is None


def test_what_was_done_to_a_notice_later_is_in_the_time_line_of_both(desk: DeskWorld) -> None:
    done = {"before": "", "text": "", "length": 0, "written_by": "eva", "state": "done"}
    with desk.store.write() as tx:
        first, *others = tx.scalars(select(t.deliveries.c.id).order_by(t.deliveries.c.id)).all()
        for delivery, kind, clock, more in (
            (first, "edit", "13:20", {}),
            (first, "pin", "13:21", {"state": "waiting", "done_at": None}),
            (others[0], "delete", "14:00", {"written_by": "luis"}),
            (others[1], "delete", "14:01", {"written_by": "luis"}),
        ):
            row = {"delivery_id": delivery, "kind": kind, "written_at": at("14:00"), "done_at": at(clock)}
            tx.execute(insert(t.amendments).values(**done | row | more))
        tx.execute(update(t.notices).where(t.notices.c.id == 2).values(follows_id=1, follows_as="correction"))
        tx.execute(update(t.notices).where(t.notices.c.id == 1).values(title="Corte de la línea del sur " * 4))
    amended = [
        ("N1", "edit", "13:20", "eva", 1, ["sandbox"]),
        ("N2", "delete", "14:00", "luis", 2, ["sandbox", "x"]),
    ]
    shown = json.loads(desk.run("incident", "show", "I1", "--json").stdout)
    assert [each["follows_as"] for each in shown["notices"]] == [None, "correction"]
    for found in (shown, told(desk)):
        keys = ("notice", "kind", "at", "by", "posts", "networks")
        told_of = [tuple(each[key] for key in keys) for each in found["amended"]]
        assert [(n, kind, when[11:16], *more) for n, kind, when, *more in told_of] == amended
    for command in (("report",), ("show", "--all")):
        printed = desk.run("incident", *command, "I1")
        assert max(map(len, printed.stdout.splitlines())) <= 80
        said = fine(printed)
        before, after = said.index("went out on sandbox: 1 post"), said.index("resolved, said luis")
        corrected = said.index("13:20 notice N1 corrected by eva on sandbox: 1 post")
        assert before < corrected < said.index("N2 “Más” (a correction) went out on sandbox, x: 2 posts")
        assert corrected < said.index("14:00 notice N2 deleted by luis on sandbox, x: 2 posts") < after
        assert "pinned" not in said
