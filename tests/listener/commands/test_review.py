"""review on a real terminal of 80 columns: one key per choice, and nothing by accident."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pexpect
import pytest

from listener.commands import deciding, review
from listener.commands.review import KEYS, MORE_KEYS, NOBODY_SENDS, READING
from listener.store import daemons, inbox
from listener.store.attachments import NewImage
from listener.types import DraftState, GuardTrace, Media, RuleOutcome, RuleTrace, Urgency
from tests.listener.commands.desk_world import DANGER, DANGEROUS, GUARDS, REPLY, Clock, DeskWorld

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow
BAR = "q.{0,12} quit"  # the last thing drawn of a card, styles in between
STYLING = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][0-9A-B]|\x1b[=>]")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    world = DeskWorld(tmp_path, clock=Clock(datetime.now(UTC)))
    yield world
    world.close()


class Moderator:
    """Somebody in front of a terminal."""

    def __init__(
        self, desk: DeskWorld, *args: str, actor: str = "ana", editor: str = "true", lines: int = 24, path: str = ""
    ) -> None:
        environment = {
            **os.environ,
            "ESCUCHA_ACTOR": actor,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "EDITOR": editor,
            "VISUAL": editor,
            "PYTHONWARNINGS": "default",
            "XDG_STATE_HOME": str(desk.folder / "state"),
        }
        environment["PATH"] = path or environment["PATH"]
        environment.pop("COLUMNS", None)
        self.terminal = pexpect.spawn(
            sys.executable,
            [str(ROOT / "cli.py"), "review", *args],
            cwd=str(desk.folder),
            env=environment,
            dimensions=(lines, 80),
            encoding="utf-8",
            timeout=20,
        )
        self.terminal.delayafterterminate = 2

    def sees(self, *words: str) -> str:
        """Waits for these, in order; gives what stood there up to the last, without colours."""
        text = ""
        for word in words:
            self.terminal.expect(word)
            text += self.terminal.before + self.terminal.after
        return STYLING.sub("", text)

    def card(self, *words: str, then: str = "") -> str:
        """Waits for a card, with `then` under it, and reads it."""
        text = self.sees(*words, BAR, *([then] if then else []))
        time.sleep(READING + 0.3)
        return text

    def press(self, keys: str) -> None:
        self.terminal.send(keys)

    def leaves(self) -> tuple[str, int | None]:
        """Everything until the end, and the exit code."""
        self.terminal.expect(pexpect.EOF)
        self.terminal.close()
        return STYLING.sub("", self.terminal.before), self.terminal.exitstatus


@pytest.fixture
def sits_down(desk: DeskWorld) -> Iterator[Callable[..., Moderator]]:
    people: list[Moderator] = []

    def sit(*args: str, **more: object) -> Moderator:
        people.append(Moderator(desk, *args, **more))  # type: ignore[arg-type]
        return people[-1]

    yield sit
    for person in people:
        person.terminal.close(force=True)


Sits = Callable[..., Moderator]


def _eventually(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_without_a_terminal_it_says_how(desk: DeskWorld) -> None:
    done = desk.run("review")
    assert done.exit_code == 2
    assert "escucha inbox --json" in done.stderr


def test_an_empty_inbox_needs_no_key(desk: DeskWorld, sits_down: Sits) -> None:
    text, code = sits_down().leaves()
    assert "No draft waits" in text
    assert code == 0


def test_what_matters_fits_one_screen_of_80_by_24(desk: DeskWorld, sits_down: Sits) -> None:
    mention = desk.hears(warning="enfado", thread="t")
    desk.decides(mention, open_case=True, urgency=Urgency.CRITICAL)
    desk.knows("ana")
    desk.draft()
    ana = sits_down()
    card = ana.card("critical")
    rows = card.replace("\r", "").split("\n")
    assert len(rows) <= 24
    assert max(map(len, rows)) <= 80
    for words in ("1 of 2", "Ana García", "gold", "Sigo sin internet", "Hola Ana", "held for a person", "ES-26-"):
        assert words in card
    ana.press("q")
    assert ana.leaves()[1] == 0


REASON = "somebody who writes about this waits for nobody and is answered by a person of the team that knows"
MANY_RULES = tuple(RuleTrace(rule=f"rule-{n}", outcome=RuleOutcome.MATCHED, wanted=f"{REASON} {n}") for n in range(6))
MANY_GUARDS = (*(GuardTrace(guard=f"g{n}", holds=True, reason=f"{REASON} g{n}") for n in range(4)), *GUARDS, DANGER)


def _serious(desk: DeskWorld, reply: str) -> None:
    for n in range(3):
        desk.decides(desk.hears(f"antes {n}", minutes_ago=60 + n, thread="t"), reply=None)
    mention = desk.hears("palabra " * 200, warning="enfado", thread="t")
    desk.decides(mention, reply=reply, rules=MANY_RULES, guards=MANY_GUARDS, open_case=True, urgency=Urgency.CRITICAL)
    desk.knows("ana")


def _screen(text: str) -> list[str]:
    return text.replace("\r", "").split("\n")


def test_a_serious_draft_never_scrolls_off_a_small_screen(desk: DeskWorld, sits_down: Sits) -> None:
    _serious(desk, "Principio. " + "Hola Ana, lo vemos. " * 18 + "Final.")
    ana = sits_down()
    card = ana.card("critical")
    assert len(_screen(card)) <= 24
    for words in ("1 of 1", "Ana García", "palabra", "Principio.", "Final.", "rule-5", "and 5 more", "abogado"):
        assert words in card
    assert "antes" not in card
    for _ in range(12):  # however often a wrong key is pressed
        ana.press("z")
        again = ana.card("critical", then="shows the keys")
        assert len(_screen(again)) <= 24
    ana.press("a")
    ana.card("critical", then="press a once more")
    ana.press("a")
    ana.sees("Nothing more waits")


def test_pictures_never_push_the_reply_off_a_small_screen(desk: DeskWorld, sits_down: Sits) -> None:
    url = "https://files.example/" + "x" * 350
    media = tuple(Media(kind="image", url=f"{url}{n}.png", alt=f"foto {n} " + "y" * 1500) for n in range(9))
    desk.decides(desk.hears("palabra " * 100, media=media, quoted="lo de antes\n" * 40), reply="Así debe verse.")
    with desk.store.write() as tx:
        image = NewImage(
            name="luz.png", content_type="image/png", data=b"x" * 2048, alt={"es": "Una luz. " * 12 + "Fin."}
        )
        inbox.edit(tx, desk_draft(desk), text="Así debe verse.", length=20, by="ana", now=desk.clock(), images=[image])
    ana = sits_down()
    card = ana.card("1 of 1")
    rows = _screen(card)
    assert len(rows) <= 24
    assert max(map(len, rows)) <= 80
    together = " ".join(card.split())
    for words in ("[image] “foto 0", "and 7 more", "and 40 lines that it only repeats: m shows it", "Así debe verse."):
        assert words in together
    assert "with luz.png (PNG, 2 KB): “Una luz." in together
    assert "Fin." in together, "what is approved stands there to its last word"
    ana.press("m")
    pages = ana.sees("Any key shows more")
    while "It repeats:" not in pages:
        ana.press(" ")
        pages += ana.sees("Any key (shows more|goes back)")
    for number in range(9):
        assert f"{number}.png" in pages.replace("\r\n", "")
    ana.press("q")
    ana.card("1 of 1")
    ana.press("a")
    ana.sees("Nothing more waits")
    assert desk.states() == {"approved"}


def test_alike_drafts_show_their_pictures_too(desk: DeskWorld, sits_down: Sits) -> None:
    desk.draft("Respuesta 0", guards=())
    two = desk.draft("Respuesta 1", who="luis", guards=())
    with desk.store.write() as tx:
        image = NewImage(name="luz.png", content_type="image/png", data=b"x", alt={"es": "Una luz verde"})
        inbox.edit(tx, two, text=two.text, length=two.length, by="luis", now=desk.clock(), images=[image])
    ana = sits_down()
    ana.card("Respuesta 0")
    ana.press("A")
    shown = ana.sees("type 2 and Enter")
    assert "with luz.png (PNG, 1 byte): “Una luz verde”" in " ".join(shown.split())


def test_what_fills_several_screens_counts_after_the_last(desk: DeskWorld, sits_down: Sits) -> None:
    _serious(desk, "Principio. " + "Hola.\n" * 30 + "Final.")
    ana = sits_down()
    first = ana.card("critical", "Principio")
    assert len(_screen(first)) <= 24
    assert "Final." not in first
    assert desk.view(desk_draft(desk)) is None
    ana.press("a")
    ana.card("critical", then="space shows it")
    for _ in range(6):
        ana.press(" ")
        page = ana.card("critical")
        assert len(_screen(page)) <= 24
        if "That was all of it" in page:
            break
    assert desk.view(desk_draft(desk))
    ana.press("a")
    ana.sees("press a once more")
    time.sleep(READING)
    ana.press("a")
    ana.sees("Nothing more waits")
    assert desk.states() == {"approved"}


def desk_draft(desk: DeskWorld) -> inbox.Draft:
    """The only draft there is."""
    with desk.store.read() as tx:
        return inbox.get(tx, 1)


def test_undo_takes_back_the_last_thing_done_be_it_a_rejection(desk: DeskWorld, sits_down: Sits) -> None:
    one, two = desk.draft("Respuesta 0"), desk.draft("Respuesta 1", template="other")
    desk.draft("Respuesta 2", template="third")
    ana = sits_down()
    ana.card("Respuesta 0")
    ana.press("a")
    ana.card("Respuesta 1")
    ana.press("r")
    ana.sees("wrong facts", "goes back")
    ana.press("1")
    ana.card("Respuesta 2", then="D2 rejected")
    ana.press("u")
    ana.card("Respuesta 1", then="D2 taken back")
    assert (desk.now_is(one).state, desk.now_is(two).state) == (DraftState.APPROVED, DraftState.PROPOSED)
    ana.press("u")
    ana.card("Respuesta 0", then="D1 taken back")
    assert desk.states() == {"proposed"}


def test_words_for_a_draft_that_is_gone_are_handed_back(desk: DeskWorld, sits_down: Sits, tmp_path: Path) -> None:
    one = desk.draft("Respuesta 0")
    two = desk.draft("Respuesta 1", template="other")
    script = tmp_path / "editor.py"
    script.write_text(
        "import sys, time, pathlib\nfile = pathlib.Path(sys.argv[1])\n"
        "file.write_text(file.read_text().replace('Respuesta', 'Mis palabras'))\n"
        f"pathlib.Path({str(tmp_path / 'open')!r}).touch()\n"
        f"end = time.monotonic() + 20\n"
        f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists() and time.monotonic() < end: time.sleep(0.05)\n"
    )
    ana = sits_down(editor=f"{sys.executable} {script}")
    ana.card("Respuesta 0")
    ana.press("e")
    _eventually((tmp_path / "open").exists)
    desk.run("reject", f"D{one.id}", "--reason", "no", actor="luis")
    (tmp_path / "go").touch()
    ana.sees(
        r"rejected by luis \(no\), while you looked", "What you wrote for D1", "Mis palabras 0", "Any key goes back"
    )
    ana.press(" ")
    ana.card("Respuesta 1", then="printed again when you leave")
    ana.press("e")
    card = ana.card("Mis palabras", then="a approves these words")
    assert "Mis palabras 0" not in card
    assert desk.now_is(two).text == "Mis palabras 1"
    ana.press("q")
    text, _ = ana.leaves()
    assert "What you wrote for D1" in text
    assert "Mis palabras 0" in text


def test_a_draft_that_has_just_gone_is_not_edited_silently(desk: DeskWorld, sits_down: Sits) -> None:
    one = desk.draft("Respuesta 0")
    desk.draft("Respuesta 1", template="other")
    ana = sits_down(editor="/no/such/editor")
    ana.card("Respuesta 0")
    desk.run("reject", f"D{one.id}", "--reason", "no", actor="luis")
    ana.press("e")
    ana.card("Respuesta 1", then=r"D1 is rejected by luis \(no\), while you looked")


def test_what_the_author_changed_is_shown(desk: DeskWorld, sits_down: Sits) -> None:
    assert desk.decides(desk.hears("No anda nada", external_id="x1"))
    ana = sits_down()
    ana.card("No anda nada")
    desk.clock.forward(seconds=5)
    desk.hears("Ya anda todo", external_id="x1")
    ana.press("a")
    text = ana.sees("Nothing more waits", "What they changed:", "looks for new")
    assert re.search(r"\[-No-\]\{\+Ya\+\} anda \[-nada-\]\{\+todo\+\}", text)


def test_an_edit_of_the_pictures_alone_is_told_as_one(desk: DeskWorld, sits_down: Sits) -> None:
    assert desk.decides(desk.hears("No anda nada", external_id="x1"))
    ana = sits_down()
    ana.card("No anda nada")
    desk.clock.forward(seconds=5)
    picture = Media(kind="image", url="https://files.example/1.png", alt="una luz roja")
    number = desk.hears("No anda nada", external_id="x1", media=(picture,))
    ana.press("a")
    ana.sees("Nothing more waits", "Its words are as they were", "looks for new")
    shown = desk.run("show", f"M{number}").stdout
    assert "its words are as they were" in " ".join(shown.split())
    assert "it said before" not in shown


def test_a_new_policy_is_said_once_a_run(desk: DeskWorld, sits_down: Sits) -> None:
    desk.draft("Respuesta 0")
    desk.draft("Respuesta 1", template="other")
    desk.new_policy("p2")
    ana = sits_down()
    ana.card("Respuesta 0", then="policy changed since this was written")
    ana.press("s")
    ana.card("Respuesta 1", then="D1 skipped")
    ana.press("q")
    assert "policy changed" not in ana.leaves()[0]


def test_what_a_network_or_a_filter_leaves_out_is_said(desk: DeskWorld, sits_down: Sits) -> None:
    desk.draft(urgency=Urgency.LOW)
    assert "No draft waits here; 1 elsewhere." in sits_down("--urgent").leaves()[0]
    text, code = sits_down("--network", "sandbax").leaves()
    assert "did you mean sandbox?" in text
    assert code == 2


def test_approve_skip_reject_undo_and_the_count(desk: DeskWorld, sits_down: Sits) -> None:
    one, two, three = (desk.draft(f"Respuesta {n}", template=f"t{n}") for n in range(3))
    ana = sits_down()
    ana.card("1 of 3", "Respuesta 0")
    ana.press("a")
    ana.card("2 of 3", "Respuesta 1", then="D1 approved; u takes it back")
    approved = desk.now_is(one)
    assert (approved.state, approved.decided_by) == (DraftState.APPROVED, "ana")
    assert approved.not_before
    assert approved.decided_at
    assert approved.not_before - approved.decided_at == deciding.GRACE
    ana.press("u")
    ana.card("1 of 3", "Respuesta 0", then="D1 taken back")
    assert desk.now_is(one).state is DraftState.PROPOSED
    ana.press("s")
    ana.card("2 of 3", "Respuesta 1")
    ana.press("r")
    ana.sees("wrong facts", "goes back")
    ana.press("z")
    ana.sees("Not rejected")
    ana.press("r")
    ana.sees("wrong facts", "goes back")
    ana.press("2")
    ana.card("3 of 3", "Respuesta 2", then="D2 rejected: wrong tone")
    ana.press("r")
    ana.sees("wrong facts", "goes back")
    ana.press("6")
    ana.sees("> ")
    ana.press("porque sí\r")
    ana.sees("Nothing waits but the 1 you skipped", "q quits")
    assert (desk.now_is(two).reason, desk.now_is(three).reason) == ("wrong tone", "porque sí")
    time.sleep(0.2)
    ana.press("s")
    ana.card("3 of 3", "Respuesta 0")
    ana.press("q")
    text, code = ana.leaves()
    assert "0 approved, 2 rejected, 0 skipped; 1 wait." in text
    assert code == 0


def test_what_went_out_cannot_be_taken_back(desk: DeskWorld, sits_down: Sits) -> None:
    draft = desk.draft()
    desk.draft()
    ana = sits_down()
    ana.card("1 of 2")
    ana.press("a")
    ana.card("2 of 2")
    desk.put(draft, DraftState.SENDING)
    ana.press("u")
    ana.card(then="could not be taken back")
    assert desk.now_is(draft).state is DraftState.SENDING


def test_wrong_keys_typed_ahead_keys_and_held_keys_decide_nothing(desk: DeskWorld, sits_down: Sits) -> None:
    for n in range(4):
        desk.draft(f"Respuesta {n}", template=f"t{n}")
    ana = sits_down()
    ana.press("aaaaaaaa")  # before there is anything to see
    ana.sees("1 of 4", BAR)
    for keys in ("\x1b[A", "\r", " ", "z", "aaa", "áéí", "\x1a", "1"):
        time.sleep(0.15)
        ana.press(keys)
    time.sleep(0.5)
    assert desk.states() == {"proposed"}
    for _ in range(60):  # held down: the first counts, its repetitions do not
        ana.press("a")
        time.sleep(0.03)
    time.sleep(1)
    assert sum(state == "approved" for state in desk.all_states()) <= 1


def test_a_colleague_who_was_quicker_wins_and_is_named(desk: DeskWorld, sits_down: Sits) -> None:
    one = desk.draft("Respuesta 0")
    two = desk.draft("Respuesta 1", template="other")
    ana = sits_down()
    ana.card("Respuesta 0")
    desk.run("reject", f"D{one.id}", "--reason", "no", actor="luis")
    ana.press("a")
    ana.card("Respuesta 1", then=r"D1 is rejected by luis \(no\), while you looked")
    desk.run("edit", f"D{two.id}", "--text", "Respuesta mejor", actor="luis")
    ana.press("a")
    card = ana.card(then="edited by luis while you looked")
    assert "Respuesta [-1-]{+mejor+}" in card
    assert "luis is looking at this too" in card
    assert desk.now_is(two).state is DraftState.PROPOSED
    ana.press("a")
    ana.sees("Nothing more waits")
    assert desk.now_is(two).decided_by == "ana"


def test_a_deleted_mention_leaves_the_screen(desk: DeskWorld, sits_down: Sits) -> None:
    draft = desk.draft()
    ana = sits_down()
    ana.card("Hola Ana")
    desk.is_deleted(draft.mention_id)
    ana.press("a")
    ana.sees("Nothing more waits", "expired")
    assert desk.now_is(draft).state is DraftState.EXPIRED


def test_a_new_policy_is_said_once_and_read_again(desk: DeskWorld, sits_down: Sits) -> None:
    draft = desk.draft()
    desk.new_policy("p2")
    ana = sits_down()
    ana.card("Hola Ana", then="policy changed since this was written")
    desk.new_policy("p3")
    ana.press("a")
    ana.card("Hola Ana", then="p2 wrote it")
    ana.press("a")
    ana.sees("Nothing more waits")
    now = desk.now_is(draft)
    assert (now.state, now.policy_version) == (DraftState.APPROVED, "p3")


def test_without_any_editor_the_words_are_changed_in_the_terminal(
    desk: DeskWorld, sits_down: Sits, tmp_path: Path
) -> None:
    draft = desk.draft()
    ana = sits_down(editor="", path=str(tmp_path / "no programs"))
    ana.card()
    ana.press("e")
    ana.sees("No editor is set", "export EDITOR=nano", "> Hola Ana", "8")
    ana.press(" ¡Gracias!\r")
    ana.card("¡Gracias!", then="Edited")
    ana.press("e")
    ana.sees("> Hola Ana", "Gracias!")
    ana.press(" y algo más\x03")
    ana.card(then="Nothing was changed")
    ana.press("q")
    ana.leaves()
    assert desk.now_is(draft).text == f"{REPLY} ¡Gracias!"


def test_without_an_editor_of_ones_own_one_that_asks_nothing_is_started(
    desk: DeskWorld, sits_down: Sits, tmp_path: Path
) -> None:
    draft, programs = desk.draft(), tmp_path / "programs"
    programs.mkdir()
    asks = "echo 'Select an editor.'; read -r number"  # Debian's, where nobody chose one before
    for name, does in (("sensible-editor", asks), ("vi", "echo 'Hola, con vi' >\"$1\"")):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    ana = sits_down(editor="", path=str(programs))
    ana.card()
    ana.press("e")
    assert "Select" not in ana.card("Hola, con vi", then="Edited")
    ana.press("q")
    ana.leaves()
    assert desk.now_is(draft).text == "Hola, con vi"


def test_what_is_printed_elsewhere_is_no_place_to_write_in(desk: DeskWorld, tmp_path: Path) -> None:
    draft = desk.draft()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ESCUCHA_ACTOR": "ana", "PATH": str(tmp_path / "none")}
    environment |= {"EDITOR": "", "VISUAL": "", "XDG_STATE_HOME": str(desk.folder / "state")}
    typed = f"exec {sys.executable} {ROOT / 'cli.py'} edit D{draft.id} >printed"
    child = pexpect.spawn("/bin/sh", ["-c", typed], cwd=str(desk.folder), env=environment, encoding="utf-8", timeout=20)
    child.expect("The editor did not run")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, (desk.folder / "printed").read_text(encoding="utf-8")) == (2, "")


def test_who_approves_hears_once_that_nobody_sends(desk: DeskWorld, sits_down: Sits) -> None:
    for who in ("luis", "eva", "zoe"):
        desk.decides(desk.hears(who=who))
    with desk.store.write() as tx:  # who polls does not send
        daemons.alive(tx, name="host:1", version="1", started_at=desk.clock(), now=desk.clock(), roles=("poll",))
    ana = sits_down()
    ana.card("1 of 3")
    ana.press("a")
    ana.card("2 of 3", then=NOBODY_SENDS)
    ana.press("a")
    assert NOBODY_SENDS not in ana.card("3 of 3", then="approved; u takes it back")
    ana.press("q")
    assert f"2 approved, 0 rejected, 0 skipped; 1 wait.\n{NOBODY_SENDS}\n" in ana.leaves()[0].replace("\r", "")
    ana = sits_down()
    ana.card("1 of 1")
    with desk.store.write() as tx:
        daemons.alive(tx, name="host:2", version="1", started_at=desk.clock(), now=desk.clock(), roles=("send",))
    ana.press("a")
    ana.sees("approved")
    ana.press("q")
    assert NOBODY_SENDS not in ana.leaves()[0]


def test_edit_checks_keeps_the_words_and_asks_again(desk: DeskWorld, sits_down: Sits, tmp_path: Path) -> None:
    draft = desk.draft()
    script = tmp_path / "editor.py"
    script.write_text(
        "import sys, pathlib\nfile = pathlib.Path(sys.argv[1])\nold = file.read_text()\n"
        "file.write_text('x' * 600 if 'xxx' not in old else 'Hola, corto.\\n')\n"
    )
    ana = sits_down(editor=f"{sys.executable} {script}")
    ana.card("Hola Ana")
    ana.press("e")
    ana.card("Hola Ana", then="longer than the network takes")
    assert desk.now_is(draft).text == REPLY
    ana.press("e")
    ana.card("Hola, corto", then="a approves these words")
    assert desk.now_is(draft).state is DraftState.PROPOSED
    ana.press("a")
    ana.sees("Nothing more waits")
    assert desk.now_is(draft).state is DraftState.APPROVED


WRITES = "import sys, pathlib, time\nfile = pathlib.Path(sys.argv[1])\nfile.write_text('Mis palabras.')\n"


def _kept(desk: DeskWorld) -> list[Path]:
    return list((desk.folder / "state").rglob("D*.txt"))


def test_words_outlive_a_session_that_is_killed(desk: DeskWorld, sits_down: Sits, tmp_path: Path) -> None:
    draft = desk.draft()
    script = tmp_path / "editor.py"
    script.write_text(f"{WRITES}pathlib.Path({str(tmp_path / 'open')!r}).touch()\ntime.sleep(5)\n")
    ana = sits_down(editor=f"{sys.executable} {script}")
    ana.card("Hola Ana")
    ana.press("e")
    _eventually((tmp_path / "open").exists)
    ana.terminal.kill(signal.SIGKILL)
    ana.terminal.wait()
    (file,) = _kept(desk)
    assert file.read_text() == "Mis palabras."
    assert file.stat().st_mode & 0o777 == 0o600
    again = sits_down()
    again.card("Hola Ana", "were not saved")
    again.press("q")
    text, _ = again.leaves()
    assert f"it lies in {file}" in text
    later = sits_down()
    later.card("were not saved")
    later.press("e")  # the editor leaves them as they are
    later.card("Mis palabras", then="a approves these words")
    assert desk.now_is(draft).text == "Mis palabras."
    assert not _kept(desk)


def test_words_go_when_their_draft_does(desk: DeskWorld, sits_down: Sits, tmp_path: Path) -> None:
    draft = desk.draft()
    desk.draft("Otra cosa", template="other")
    script = tmp_path / "editor.py"
    script.write_text(f"{WRITES}sys.exit(1)\n")
    ana = sits_down(editor=f"{sys.executable} {script}")
    ana.card("Hola Ana")
    ana.press("e")
    ana.card("were not saved", then="lies")
    assert _kept(desk)
    desk.is_deleted(draft.mention_id)
    ana.press("q")
    ana.leaves()
    assert not _kept(desk)


def test_an_editor_that_is_missing_is_a_sentence(desk: DeskWorld, sits_down: Sits) -> None:
    desk.draft()
    ana = sits_down(editor="/no/such/editor")
    ana.card("Hola Ana")
    ana.press("e")
    ana.card(then="The editor did not run")


def test_alike_are_read_in_full_before_all_go(desk: DeskWorld, sits_down: Sits) -> None:
    held = (GuardTrace(guard="age", holds=True, reason="it is three days old"),)
    drafts = [desk.draft(f"Gracias, persona {n}.", who=f"p{n}", guards=held) for n in range(3)]
    grave = desk.draft("Gracias, abogado", guards=(DANGER,))  # held for words of danger
    low = desk.draft("Gracias, luego", guards=(), urgency=Urgency.NORMAL)
    other = desk.draft("Otra cosa", template="other")
    too_long = desk.draft("Gracias " * 80, guards=())
    ana = sits_down("--urgent")
    ana.card("persona 0", "A approves this and 3 more")
    ana.press("A")
    text = ana.sees("persona 0", "it is three days old", "persona 1", "persona 2", "type 3 and Enter", "> ")
    assert "abogado" not in text
    assert "luego" not in text
    ana.press("y\r")
    ana.card("persona 0", then="None was approved")
    assert desk.states() == {"proposed"}
    ana.press("A")
    ana.sees("type 3 and Enter", "> ")
    desk.run("reject", f"D{drafts[2].id}", "--reason", "no", actor="luis")
    ana.press("3\r")
    ana.card("abogado", then="already rejected")
    ana.sees("2 approved; u takes all of them back")
    assert [desk.now_is(draft).state for draft in drafts] == ["approved", "approved", "rejected"]
    assert {desk.now_is(draft).state for draft in (other, too_long, grave, low)} == {DraftState.PROPOSED}
    assert all(desk.view(draft) for draft in drafts)
    ana.press("u")
    ana.card("persona 0", then="D1, D2 taken back")
    assert desk.now_is(drafts[1]).state is DraftState.PROPOSED


def test_of_a_burst_no_more_than_one_goes_out_together_and_the_limit_is_told(desk: DeskWorld, sits_down: Sits) -> None:
    for n in range(4):
        desk.decides(desk.hears(f"Nada {n}", thread="t"), reply=f"Gracias {n}.", guards=())
    ana = sits_down()
    card = ana.card("Gracias 0")
    assert "more like it" not in card
    for n in range(2):
        ana.press("a")
        card = ana.card(f"Gracias {n + 1}", then=f"D{n + 1} approved")
    told = " ".join(card.split())
    assert "already approved for this person: D2, D1 (2 in this conversation, 2 is the limit)" in told
    assert told.index("2 is the limit") < told.index("Gracias 2.")
    ana.press("A")
    ana.sees("nothing that could go out together")


def test_danger_stands_above_the_reply_and_is_approved_with_two_keys(desk: DeskWorld, sits_down: Sits) -> None:
    draft = desk.draft(guards=(*GUARDS, DANGER))
    ana = sits_down()
    card = ana.card("words of danger")
    assert card.index("words of danger") < card.index("Hola Ana")
    ana.press("a")
    ana.card(then="press a once more")
    assert desk.now_is(draft).state is DraftState.PROPOSED
    ana.press("a")
    ana.sees("Nothing more waits")
    assert desk.now_is(draft).state is DraftState.APPROVED


def test_only_as_many_alike_as_one_screen_holds(desk: DeskWorld, sits_down: Sits) -> None:
    for n in range(12):
        desk.draft(f"Gracias, persona {n}.\n" + "Hola.\n" * 3 + "Adiós.", who=f"p{n}", guards=())
    ana = sits_down()
    ana.card("persona 0", "A approves this and 11 more")
    ana.press("A")
    text = ana.sees("persona 0", r"All 2 \(of 12\) go out", "> ")
    assert len(_screen(text)) <= 24
    ana.press("2\r")
    ana.card("persona 2", then="2 approved")


def test_explain_help_message_and_address(desk: DeskWorld, sits_down: Sits) -> None:
    desk.decides(desk.hears("palabra " * 400 + "FINAL"))
    ana = sits_down()
    ana.card("press|m shows them")
    ana.press("m")
    ana.sees("palabra", "Any key shows more")
    ana.press(" ")
    ana.sees("FINAL", "Any key")
    ana.press("q")
    ana.card("Hola Ana")
    ana.press("x")
    ana.sees("Rules, in order", "Any key shows more")
    ana.press("q")
    ana.card("Hola Ana")
    ana.press("?")
    ana.sees("Ctrl-C does the same", "Any key goes back")
    ana.press(" ")
    ana.card("Hola Ana")
    ana.press("o")
    ana.sees("https://sandbox.example/p/1")
    assert desk.states() == {"proposed"}


@pytest.mark.parametrize("how", ["ctrl-c", "ctrl-d", "term", "hangup", "q"])
def test_however_it_is_left_nothing_is_half_done(desk: DeskWorld, sits_down: Sits, how: str) -> None:
    one, two = desk.draft(), desk.draft(template="other")
    ana = sits_down()
    ana.card("1 of 2")
    ana.press("a")
    ana.card("2 of 2")
    if how == "term":
        ana.terminal.kill(signal.SIGTERM)
    elif how == "hangup":
        ana.terminal.close()
    else:
        ana.press({"ctrl-c": "\x03", "ctrl-d": "\x04", "q": "q"}[how])
    if how != "hangup":
        text, code = ana.leaves()
        assert "1 approved, 0 rejected, 0 skipped; 1 wait." in text
        assert code == 0
    _eventually(lambda: not ana.terminal.isalive())
    assert (desk.now_is(one).state, desk.now_is(two).state) == (DraftState.APPROVED, DraftState.PROPOSED)
    with desk.store.write() as tx:  # nobody holds the database
        inbox.reject(tx, two, by="luis", reason="no", now=desk.clock())


def test_two_moderators_go_through_one_inbox(desk: DeskWorld, sits_down: Sits) -> None:
    drafts = [desk.draft(f"Respuesta {n}", template=f"t{n}") for n in range(3)]
    ana = sits_down()
    ana.card("Respuesta 0")
    luis = sits_down(actor="luis")
    luis.card("Respuesta 1")  # ana reads the first
    ana.press("a")
    ana.card("Respuesta 2", then="D1 approved")
    luis.press("a")
    luis.card("Respuesta 2", then="D2 approved")  # there is no other
    luis.press("a")
    luis.sees("Nothing more waits")
    ana.press("a")
    ana.sees("Nothing more waits", "D3 is approved by luis")
    assert [desk.now_is(draft).decided_by for draft in drafts] == ["ana", "luis", "luis"]


def test_hostile_words_stay_words(desk: DeskWorld, sits_down: Sits) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07[bold]x[/bold]\u202egnirts\x9b31m\x08"
    mention = desk.hears(evil, who=evil, name=evil, warning=evil, url="javascript:alert(1)")
    desk.decides(mention, reply=evil)
    desk.draft(evil)
    ana = sits_down("--browser")
    card = ana.card("1 of 2")
    assert not DANGEROUS.search(card.replace("\r", ""))
    assert "[bold]x[/bold]" in card
    for key in ("x", "m", "o", "A"):
        ana.press(key)
        time.sleep(0.5)
        ana.press("q" if key in "xm" else "\r")
        time.sleep(0.5)
    ana.press("\x03")
    text, _ = ana.leaves()
    assert not DANGEROUS.search(text.replace("\r", ""))


def test_no_line_of_the_help_is_wider_than_the_terminal() -> None:
    assert max(map(len, review._help().plain.splitlines()[: len(KEYS | MORE_KEYS)])) <= 80


def test_every_key_is_in_the_docs() -> None:
    page = (ROOT / "docs" / "moderators.md").read_text(encoding="utf-8")
    for key in KEYS | MORE_KEYS:
        assert f"| `{key}` |" in page
