"""A small incident whose numbers can be worked out by hand; `laid_down` gives its number.

    12:00  it begins; affected: billing
    12:05  ana      negative complaint   answered 12:15 by a rule
    12:10  ana      negative complaint
    12:20  beto     negative complaint   answered 12:50 by a person
    13:00  notice N1 goes out on care; N2, on both, at 13:50
    13:10  carla    neutral question     answered 13:12 by a run; she and beto are one customer
    13:40  dani     positive praise, about nothing; in private
    16:00  it is over; it is 17:30 now

Not of it, but about billing: a positive mention at 09:00, a neutral one at 17:00.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from listener.store import Transaction, audit, decisions, incidents, mentions, spending
from listener.store import notices as notices_store
from listener.store import tables as t
from listener.store.notices import Variant
from listener.types import (
    Attached,
    Author,
    Charge,
    IncidentState,
    Intent,
    MentionState,
    Post,
    PostKind,
    Sentiment,
    Understanding,
    Visibility,
)
from tests.listener.commands.desk_world import DeskWorld

FOLLOWERS = {"ana": 100, "beto": 50, "carla": None, "dani": 1000, "eva": 7, "fay": None}
TITLE = "Double charge <script>alert(1)</script> | [x](http://evil.example)"
NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)


def at(clock: str) -> datetime:
    """That time of the day."""
    hours, minutes = map(int, clock.split(":"))
    return NOW.replace(hour=hours, minute=minutes)


def said(
    tx: Transaction,
    desk: DeskWorld,
    who: str,
    clock: str,
    sentiment: Sentiment,
    intent: Intent,
    *,
    area: str = "billing",
    text: str = "",
    visibility: Visibility = Visibility.PUBLIC,
) -> int:
    """A mention as it was heard and read."""
    post = Post(
        external_id=f"{who} {clock}",
        author=Author(external_id=who, handle=who, followers=FOLLOWERS.get(who)),
        text=text or f"Lo de {who} a las {clock}",
        posted_at=at(clock),
        kind=PostKind.MENTION,
        visibility=visibility,
    )
    (number,) = mentions.save(tx, source_id=desk.source_id, network="sandbox", posts=[post], now=at(clock)).new
    mention = mentions.get(tx, number)
    mentions.advance(tx, mention, MentionState.UNDERSTOOD)
    reading = Understanding(
        model_version="m1",
        language="es",
        language_score=0.9,
        sentiment=sentiment,
        sentiment_scores={sentiment.value: 0.9},
        intents=(intent,),
        intent_scores={intent.value: 0.9},
        areas=(area,) if area else (),
        area_scores={area: 0.9} if area else {},
    )
    decisions.understood(tx, mention, reading, at(clock))
    return number


def case(tx: Transaction, reference: str, opened: str, due: str, *, parent: int | None, **columns: object) -> int:
    """A case as its row has it; what its events say is of no interest here."""
    values: dict[str, object] = {
        "reference": reference,
        "state": "open",
        "title": "",
        "team": "care",
        "urgency_rank": 1,
        "tags": [],
        "opened_at": at(opened),
        "opened_by": "daemon",
        "changed_at": at(opened),
        "first_response_due": at(due),
        "promise": {},
        "skills": [],
        "minutes_per_point": 1,
        "queue_at": at(opened),
        "parent_id": parent,
    }
    return int(tx.execute(insert(t.cases).values(**values | columns).returning(t.cases.c.id)).scalar_one())


def answer(tx: Transaction, mention: int, clock: str, **columns: object) -> None:
    """A reply of ours that went out."""
    values: dict[str, object] = {
        "mention_id": mention,
        "send_key": f"key {mention} {clock}",
        "state": "sent",
        "account": "care",
        "text": "Lo vemos.",
        "language": "es",
        "template": "",
        "length": 9,
        "length_limit": 500,
        "urgency_rank": 1,
        "revision": 1,
        "policy_version": "p1",
        "proposed_at": at(clock),
        "queue_at": at(clock),
        "sent_at": at(clock),
    }
    tx.execute(insert(t.drafts).values(**values | columns))


def notice(tx: Transaction, incident: int, title: str, clock: str, *accounts: str) -> None:
    """A notice of it that is out."""
    variants = [
        Variant(account=account, network=network, language="es", text=title, length=5, limit=500)
        for account, _, network in (each.partition("@") for each in accounts)
    ]
    made = notices_store.draft(tx, title=title, variants=variants, incident_id=incident, by="eva", now=at(clock))
    for number, each in enumerate(made.deliveries):
        sent = at(clock) + timedelta(minutes=number)
        tx.execute(
            update(t.deliveries).where(t.deliveries.c.id == each.id).values(state="sent", sent_at=sent, posted_id="p")
        )


def laid_down(desk: DeskWorld) -> int:
    """All of it in the store; gives the incident's number."""
    with desk.store.write() as tx:
        parent = case(tx, "ES-1", "12:00", "18:00", parent=None)
        made = incidents.open(
            tx, title=TITLE, by="luis", now=at("12:01"), began_at=at("12:00"), affected={"areas": ["billing"]}
        )
        tx.execute(update(t.incidents).values(case_id=parent))
        negative, complaint = Sentiment.NEGATIVE, Intent.COMPLAINT
        first = said(tx, desk, "ana", "12:05", negative, complaint, text="@marca 600 123 456, cobro doble en Lleida")
        second = said(tx, desk, "ana", "12:10", negative, complaint)
        third = said(tx, desk, "beto", "12:20", negative, complaint, text="<b>cobro</b> | doble\n# en LLEIDA @marca")
        fourth = said(tx, desk, "carla", "13:10", Sentiment.NEUTRAL, Intent.QUESTION)
        fifth = said(
            tx, desk, "dani", "13:40", Sentiment.POSITIVE, Intent.PRAISE, area="", visibility=Visibility.DIRECT
        )
        gone = said(tx, desk, "eva", "13:41", negative, complaint)
        undone = said(tx, desk, "eva", "13:42", negative, complaint, area="")
        said(tx, desk, "eva", "09:00", Sentiment.POSITIVE, Intent.PRAISE)
        said(tx, desk, "fay", "17:00", Sentiment.NEUTRAL, Intent.QUESTION)
        for mention in (first, second, third, fourth, fifth, gone, undone):
            incidents.attach(tx, made, mention, how=Attached.RULE, why="billing", by="daemon", now=at("13:45"))
        incidents.detach(tx, made, undone, by="luis", now=at("13:46"))
        tx.execute(update(t.mentions).where(t.mentions.c.id == gone).values(state="gone"))
        one_customer(tx)
        answer(tx, first, "12:15", automatic=True)
        answer(tx, first, "12:30")
        answer(tx, third, "12:50")
        answer(tx, fourth, "13:12", answer_run_id=a_run(tx, made.id))
        answer(tx, second, "12:16", state="proposed", sent_at=None)
        case(tx, "ES-2", "12:06", "13:06", parent=parent, first_response_at=at("12:15"), resolved_at=at("14:06"))
        late = case(tx, "ES-3", "12:21", "12:40", parent=parent, first_response_at=at("12:50"))
        event = {"case_id": late, "kind": "reopened", "by": "luis", "at": at("15:00"), "detail": {}}
        tx.execute(insert(t.case_events).values(**event))
        case(tx, "ES-4", "11:00", "18:00", parent=parent)
        case(tx, "ES-5", "12:10", "12:20", parent=parent, merged_into=late, state="closed")
        read_again(tx, second)
        notice(tx, made.id, "Corte", "13:00", "care@sandbox")
        notice(tx, made.id, "Más", "13:50", "care@sandbox", "brand@x")
        spending.record(
            tx, "care", [Charge(call="post", units=3, usd=0.30), Charge(call="read", units=9, usd=0.2)], NOW
        )
        spending.record(tx, "care", [Charge(call="post", units=90, usd=9.0)], NOW - timedelta(days=1))
        audit.record(tx, at=at("12:55"), by="eva", action="pause", subject="kind mass", reason="wait")
        told = {"public": {"es": "Lo sabemos."}}
        made = incidents.record(
            tx, incidents.get(tx, made.id), "update", by="luis", now=at("12:30"), text="The bank did it", **told
        )
        over = {"state": IncidentState.RESOLVED.value, "ended_at": at("16:00")}
        incidents.record(tx, made, "resolved", by="luis", now=at("16:05"), became=over)
    return made.id


def read_again(tx: Transaction, mention: int) -> None:
    """It was edited since, and afterwards somebody had its first wording read by another model."""
    row = tx.execute(t.understandings.select().where(t.understandings.c.mention_id == mention)).mappings().one()
    tx.execute(update(t.mentions).where(t.mentions.c.id == mention).values(revision=2))
    tx.execute(update(t.understandings).where(t.understandings.c.id == row["id"]).values(revision=2))
    older = {"model_version": "m2", "sentiment": "positive", "intents": ["praise"]}
    tx.execute(insert(t.understandings).values(**{name: row[name] for name in row if name != "id"} | older))


def one_customer(tx: Transaction) -> None:
    """Beto and carla are one customer; ana once was theirs, too, by mistake."""
    row = {"reference": "C-1", "name": "B", "tags": [], "fields": {}, "added_at": NOW, "changed_at": NOW}
    customer = tx.execute(insert(t.customers).values(**row).returning(t.customers.c.id)).scalar_one()
    for who in ("beto", "carla", "ana"):
        account = tx.execute(t.accounts.select().where(t.accounts.c.handle == who)).one().id
        link = {"account_id": account, "customer_id": customer, "basis": "verified", "linked_by": "t", "linked_at": NOW}
        tx.execute(insert(t.links).values(**link, unlinked_at=NOW if who == "ana" else None))


def a_run(tx: Transaction, incident: int) -> int:
    """An answer to everybody of the incident."""
    run = {"incident_id": incident, "state": "done", "by": "eva", "at": NOW, "per_hour": 1, "seed": 1}
    run |= {"policy_version": "p1"}
    return int(tx.execute(insert(t.answer_runs).values(**run).returning(t.answer_runs.c.id)).scalar_one())
