"""Kill -9 around every answer by mail: never twice in anybody's mailbox, and what nobody can know is left to a person.

SMTP knows no key and a server need not keep a copy, so a death between “sending” and the server's word cannot always be
settled by looking. What then stands in no mailbox must stand before a person, as unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from listener import store as stores
from listener.store import inbox, mentions, stats
from listener.types import DraftState
from tests import databases
from tests.connectors.conformance import World
from tests.connectors.test_mail import MailWorld
from tests.servers import dovecot
from tests.servers.dovecot import PASSWORD, FaultyLine
from tests.system.kill import AROUND, KillNine, Lives

pytestmark = pytest.mark.slow

ADDRESS = "care@brand.example"


class TestMail(KillNine):
    """A provider that keeps a copy of what it sends, so that a look finds what went out."""

    network = "mail"
    publishes = False
    keeps_copies = True

    @contextmanager
    def world(self) -> Iterator[World]:
        with (
            dovecot.server() as server,
            server.login(ADDRESS) as client,
            FaultyLine(server.imap) as imap,
            FaultyLine(server.submission) as smtp,
        ):
            yield MailWorld(server, ADDRESS, client, (imap, smtp), keeps_copies=self.keeps_copies)

    def settings(self, world: World) -> dict[str, Any]:
        assert isinstance(world, MailWorld)
        return {
            "address": ADDRESS,
            "imap_host": "127.0.0.1",
            "imap_port": world.dovecot.imap,
            "imap_security": "none",
            "smtp_host": "127.0.0.1",
            "smtp_port": world.dovecot.submission,
            "smtp_security": "none",
            "password": PASSWORD,
        }

    def instants(self, lives: Lives, tmp_path: Path) -> list[int]:
        """Around the first answer alone: each death costs a mail server."""
        return super().instants(lives, tmp_path)[: len(AROUND)]

    def check_the_books(self, folder: Path, world: World, posts: dict[str, str]) -> None:
        """Nobody has two answers; who has none is before a person; what is told as sent is there."""
        said = world.ours()
        answered = Counter(each.parent_id for each in said)
        assert set(answered.values()) <= {1}, "said twice"
        assert set(answered) <= set(posts.values())
        store = stores.open(databases.at(folder))
        with store.read() as tx:
            numbers = {}
            for post in posts.values():
                mention = mentions.by_external_id(tx, self.network, post)
                assert mention, "lost"
                numbers[mention.id] = post
            sent = inbox.waiting(tx, states=(DraftState.SENT,))
            unknown = inbox.waiting(tx, states=(DraftState.UNKNOWN,))
            counts = stats.counts(tx)
        store.close()
        assert {draft.posted_id for draft in sent} <= {each.external_id for each in said}
        unanswered = set(posts.values()) - set(answered)
        assert unanswered <= {numbers[draft.mention_id] for draft in unknown}, "nobody would answer them"
        if self.keeps_copies:
            assert {numbers[draft.mention_id] for draft in unknown} == unanswered, "what went out was found"
        assert len(sent) + len(unknown) == len(posts)
        assert len(unknown) <= 1
        assert counts.cases["open"] == len(posts), "one case for each of them"


class TestMailWithoutCopies(TestMail):
    """A provider that keeps none: what went out at the moment of death cannot be found."""

    keeps_copies = False
