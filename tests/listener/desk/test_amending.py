"""What a correction or follow-up comes to: changed in its place where the network can, below or beside it elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connectors.reddit import FACTS as REDDIT
from connectors.sandbox import FACTS as SANDBOX
from connectors.x import FACTS as X
from listener.desk import amending, notice_pages
from listener.desk.notices import Outlet
from listener.errors import Mistake
from listener.store.notices import Delivery, Notice
from listener.types import DeliveryState, Facts, NoticeKind, NoticeState

NOW = datetime(2026, 11, 23, 10, 5, tzinfo=UTC)
SAID = "Corte en Lleida.\nHasta las 17 h."
RIGHT = "Corte en Lleida.\nHasta las 18 h."


def delivery(number: int, facts: Facts, *texts: str, language: str = "es", account: str = "") -> list[Delivery]:
    return [
        Delivery(
            id=10 * number + part,
            notice_id=1,
            account=account or facts.network,
            network=facts.network,
            language=language,
            text=text,
            length=facts.count(text),
            length_limit=facts.limit,
            part=part,
            parts=len(texts),
            images=False,
            send_key=f"k{number}{part}",
            state=DeliveryState.SENT,
            behind=None,
            sending_since=NOW,
            unknown_since=None,
            looked_at=None,
            sent_at=NOW,
            posted_id=f"p{number}{part}",
            posted_url=f"https://{facts.network}.example/p{number}{part}",
            reason=None,
            below_id=None,
            scheduled=False,
        )
        for part, text in enumerate(texts, 1)
    ]


def notice(deliveries: list[Delivery]) -> Notice:
    nothing = dict.fromkeys(name for name in Notice.__dataclass_fields__)
    return Notice(
        **nothing
        | {"id": 1, "title": "Corte", "state": NoticeState.PUBLISHED, "kind": NoticeKind.NOTICE, "written_by": "marta"}
        | {"written_at": NOW, "images": (), "deliveries": tuple(deliveries)}  # type: ignore[arg-type]
    )


def outlets(*facts: Facts) -> list[Outlet]:
    return [Outlet(account=each.network, facts=each) for each in facts]


def correct(there: list[Delivery], *facts: Facts, texts: tuple[str, ...] = (), variants: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    written = notice_pages.from_options("", texts, variants, ())
    return amending.correct(notice(there), there, written, outlets(*facts))


def test_each_network_does_what_it_can() -> None:
    there = [*delivery(1, SANDBOX, SAID), *delivery(2, X, SAID), *delivery(3, REDDIT, SAID)]
    plan = correct(there, SANDBOX, X, REDDIT, texts=(f"es={RIGHT}",))
    assert [(each.delivery.network, each.text) for each in plan.edits] == [("sandbox", RIGHT), ("reddit", RIGHT)]
    (followed,) = plan.followed
    assert (followed.variant.account, followed.variant.below_id, followed.first.id) == ("x", 21, 21)
    assert followed.variant.text == f"Corrección: {RIGHT}"
    assert followed.variant.length == X.count(followed.variant.text)
    assert "no post" in followed.why


def test_reddits_title_goes_out_once_more_with_the_first_ones_address() -> None:
    other = "Corte en Lérida.\nHasta las 17 h."
    plan = correct(delivery(1, REDDIT, SAID), REDDIT, texts=(f"es={other}",))
    assert plan.edits == ()
    (followed,) = plan.followed
    assert followed.variant.text == f"Corrección: {other}\n\nhttps://reddit.example/p11"
    assert followed.variant.below_id is None
    assert "title" in followed.why


def test_of_a_thread_only_what_changed_is_touched() -> None:
    there = [*delivery(1, SANDBOX, "uno", "dos", "tres"), *delivery(2, X, "uno", "dos", "tres")]
    plan = correct(there, SANDBOX, X, texts=("es=uno\n---\nDOS\n---\ntres",))
    assert [(each.delivery.part, each.text) for each in plan.edits] == [(2, "DOS")]
    assert [each.id for each in plan.same] == [11, 13, 21, 23]
    (followed,) = plan.followed
    assert (followed.variant.text, followed.variant.part, followed.variant.below_id) == ("Corrección: DOS", 1, 23)


def test_as_many_parts_as_are_out() -> None:
    with pytest.raises(Mistake, match="2 parts are out and the new text has 1"):
        correct(delivery(1, SANDBOX, "uno", "dos"), SANDBOX, texts=("es=uno",))
    plan = correct(delivery(1, X, "uno", "dos"), X, texts=("es=otra cosa",))
    assert [each.variant.text for each in plan.followed] == ["Corrección: otra cosa"]


def test_other_languages_stay_and_unknown_ones_are_told() -> None:
    there = [*delivery(1, SANDBOX, "hola"), *delivery(2, SANDBOX, "hello", language="en")]
    plan = correct(there, SANDBOX, texts=("en=hi",))
    assert [each.delivery.language for each in plan.edits] == ["en"]
    with pytest.raises(Mistake) as caught:
        correct(there, SANDBOX, texts=("ca=hola",), variants=("mastodon:es=buenas",))
    assert "not out in ca; it is in es, en" in str(caught.value)
    assert "'mastodon' is no account" in str(caught.value)


def test_a_variant_is_for_its_place_alone() -> None:
    there = [*delivery(1, SANDBOX, "hola"), *delivery(2, X, "hola")]
    plan = correct(there, SANDBOX, X, variants=("x:es=buenas",))
    assert (plan.edits, [each.variant.text for each in plan.followed]) == ((), ["Corrección: buenas"])


def test_the_prefix_gives_way_where_it_does_not_fit_and_too_long_is_told() -> None:
    long = "a" * X.limit
    plan = correct(delivery(1, X, "corto"), X, texts=(f"es={long}",))
    assert plan.followed[0].variant.text == long
    with pytest.raises(Mistake, match="too long"):
        correct(delivery(1, X, "corto"), X, texts=(f"es={long}a",))
    short = replace(REDDIT, limit=60, edits=None)
    with pytest.raises(Mistake, match="too long with the address"):
        correct(delivery(1, short, "corto"), short, texts=(f"es={'a' * 50}",))


def test_a_follow_up_goes_to_every_place_or_says_what_is_missing() -> None:
    there = [*delivery(1, SANDBOX, "uno", "dos"), *delivery(2, REDDIT, "one", language="en")]
    written = notice_pages.from_options("", ("es=Resuelto.", "en=Resolved."), (), ())
    found = amending.follow(notice(there), there, written, outlets(SANDBOX, REDDIT))
    assert [(each.variant.account, each.variant.text, each.variant.below_id) for each in found] == [
        ("sandbox", "Resuelto.", 12),
        ("reddit", "Resolved.\n\nhttps://reddit.example/p21", None),
    ]
    with pytest.raises(Mistake, match="reddit: there is no text in en"):
        amending.follow(
            notice(there), there, notice_pages.from_options("", ("es=Resuelto.",), (), ()), outlets(SANDBOX, REDDIT)
        )


def test_the_usual_words_for_resolved_fit_everywhere() -> None:
    for text in amending.RESOLVED.values():
        for facts in (X, SANDBOX, REDDIT):
            assert facts.count(f"{text}\n\n{'https://reddit.example/' + 'a' * 80}") <= facts.limit
