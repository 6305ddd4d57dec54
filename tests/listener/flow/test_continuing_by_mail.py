"""From a public complaint to a mail and back, over a real mail server: the answer goes on with the case."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import format_datetime
from itertools import count
from pathlib import Path

import pytest

from connectors import mail, sandbox
from connectors.mail_settings import Security
from listener.contract import Connector
from listener.desk import continuing
from listener.desk.continuing import Way
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import cases, inbox, mentions
from listener.store.cases import Case
from listener.store.inbox import Draft
from listener.store.sources import Wanted
from listener.types import Channel, DraftState, Facts
from tests.listener.flow.world import Escucha, Keywords
from tests.servers import dovecot as servers
from tests.servers.dovecot import PASSWORD, Dovecot

ANA = "ana@people.example"
_numbers = count(1)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with servers.server() as running:
        yield running


class Desk(Escucha):
    """The same, with a mailbox beside the network."""

    def __init__(self, folder: Path, dovecot: Dovecot) -> None:
        self.dovecot = dovecot
        self.address = f"ayuda{next(_numbers)}@marca.example"  # a mailbox that no other test has
        super().__init__(folder)

    def pipeline(self, **_: object) -> Pipeline:
        made = Pipeline(
            self.store,
            accounts={"care": "sandbox", "mailbox": "mail"},
            connect=self.connect,
            network_facts=facts_of,
            classifier=Keywords,
            policy=self.policy,
            read_policy=lambda *_: self.policy,
            company=Company(case_pattern="ES"),
            clock=self.clock,
        )
        every = timedelta(seconds=10)
        wanted = [
            Wanted(name="posts", account="care", network="sandbox", query="mentions", every=every),
            Wanted(name="mails", account="mailbox", network="mail", query="mentions", every=every),
        ]
        made.start(wanted, by="test")
        self.activate(self.policy)
        return made

    def connect(self, account: str) -> Connector:
        if account == "care":
            return sandbox.connect(sandbox.Settings(world=self.folder / "world.db"))
        return mail.connect(
            mail.Settings(
                address=self.address,
                imap_host="127.0.0.1",
                imap_port=self.dovecot.imap,
                imap_security=Security.NONE,
                smtp_host="127.0.0.1",
                smtp_port=self.dovecot.submission,
                smtp_security=Security.NONE,
                password=PASSWORD,  # type: ignore[arg-type]
            )
        )

    def writes(self, text: str, *, sender: str = ANA, subject: str = "", answers: str = "") -> None:
        """Somebody writes to our mailbox."""
        made = EmailMessage()
        made["From"], made["To"], made["Subject"] = sender, self.address, subject
        made["Date"] = format_datetime(self.clock())
        made["Message-ID"] = f"<{abs(hash((text, sender)))}@people.example>"
        if answers:
            made["In-Reply-To"] = made["References"] = answers
        made.set_content(text)
        self.dovecot.deliver(sender, self.address, made.as_bytes())

    def inside(self, case: Case) -> list[str]:
        with self.store.read() as tx:
            return [mentions.get(tx, number).text for number, _, _ in cases.mentions_in(tx, case)]


def facts_of(network: str) -> Facts:
    return mail.FACTS if network == "mail" else sandbox.FACTS


@pytest.fixture
def desk(tmp_path: Path, dovecot: Dovecot) -> Iterator[Desk]:
    made = Desk(tmp_path, dovecot)
    yield made
    made.close()


def gone_on(desk: Desk) -> tuple[Case, Draft, Message]:
    """A public complaint that goes on by mail; the case, our draft, and the mail as it came to her."""
    before = len(desk.dovecot.read(ANA))
    desk.says("@marca me va mal, no tengo señal")
    desk.round()
    with desk.store.write() as tx:
        (case,) = cases.listing(tx)
        made = continuing.write(
            tx,
            continuing.start(tx, case),
            Channel.MAIL,
            way=Way(account="mailbox", facts=mail.FACTS, address=desk.address),
            to=ANA,
            offer_by=None,
            policy=desk.policy,
            by="mod",
            now=desk.clock(),
        )
    assert made.alone is not None
    desk.approve(made.alone)
    desk.round()
    (came,) = desk.dovecot.read(ANA)[before:]
    with desk.store.read() as tx:
        return case, inbox.get(tx, made.alone.id), came


def test_the_mail_brings_the_history_and_its_answer_goes_on_with_the_case(desk: Desk) -> None:
    case, draft, came = gone_on(desk)
    assert draft.state is DraftState.SENT
    assert case.reference in str(make_header(decode_header(came["Subject"])))
    text = came.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "“marca me va mal, no tengo señal”" in text
    desk.writes("Gracias por escribir, sigo igual.", subject="Re: otra cosa", answers=came["Message-ID"])
    desk.round()
    assert desk.inside(case)[-1] == "Gracias por escribir, sigo igual."
    with desk.store.read() as tx:
        assert [each.id for each in cases.listing(tx)] == [case.id]


def test_a_new_mail_from_the_address_that_we_wrote_to_goes_on_with_the_case(desk: Desk) -> None:
    case, _, _ = gone_on(desk)
    desk.writes("Se me olvidó decirles la dirección.", subject="señal")
    desk.round()
    assert desk.inside(case)[-1].endswith("Se me olvidó decirles la dirección.")


def test_a_stranger_who_knows_the_reference_is_not_who_we_go_on_with(desk: Desk) -> None:
    desk.says("@marca me va mal, no tengo señal")
    desk.round()
    with desk.store.read() as tx:
        (case,) = cases.listing(tx)
    desk.writes("Cuéntenme qué dijo, por favor.", sender="mallory@evil.example", subject=f"Re: {case.reference}")
    desk.round()
    with desk.store.read() as tx:
        begun = continuing.start(tx, cases.by_id(tx, case.id))
        assert continuing.where(tx, begun, "mail") == ""
    assert [word.text for word in begun.words] == ["@marca me va mal, no tengo señal"]
