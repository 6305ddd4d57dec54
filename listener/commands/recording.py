"""`escucha policy record`: a decided mention as a test of the policy, without the person."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import click

from listener.commands import looking, output, rehearsing, settings_file
from listener.commands.app import App, pass_app
from listener.errors import Mistake, Outage

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


@click.command()
@click.argument("mention", metavar="M12|D7|CASE")
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="The file to add it to.")
@click.option("--name", help="What to call the test; its rule, network and day otherwise.")
@click.option("--hide", multiple=True, metavar="WORDS", help="Words that must not stand in it; may be repeated.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@output.json_option
@pass_app
def record(
    app: App, mention: str, *, target: Path | None, name: str | None, hide: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Turn a mention that was decided into a test of the policy, which `escucha policy check` runs from then on.

    Handles, the author's and the customer's names, addresses, numbers, links and references are taken out, and of the
    customer only what a rule asks for is kept. It is shown before anything is written: names of others inside the text
    are for you to find, and to take out with --hide. Without --to it goes into the file beside the policy
    (policy.tests.yaml), at its end; what stands there stays as it is. Where the settings name no policy file, name one
    there (`escucha policy show --text > policy.yaml` makes it), or say --to. With --json it is written only with --yes.
    """
    path = target or _beside(app)
    facts, expect, names = _stored(app, mention)
    offered = cast(Any, app.policies)
    before = offered.text_of(path)
    made = offered.record(
        app.written_policy,
        facts,
        expect,
        name=name or _title(facts, expect),
        taken=offered.names_in(before, str(path)),
        hide=hide,
        names=names,
        facts_of=lambda network: rehearsing.facts_of(app, network),
    )
    offered.added(before, made.text, str(path))  # so that nobody is asked in vain
    if not as_json:
        output.say(made.text.rstrip("\n"))
        output.say()
        for sentence in made.unlike:
            output.say(f"• The policy {app.written_policy.version} makes something else of it: {sentence}.")
        if made.unlike:
            output.say("• Until that is mended, `escucha policy check` will name it.")
    sure = yes or (not as_json and _sure(path))
    if sure:
        _append(offered, path, made)
    if as_json:
        told = {"file": path, "name": made.name, "test": made.text, "unlike": list(made.unlike), "written": sure}
        output.print_json(told)
    elif sure:
        output.say(f"Added to {path} as {made.name!r}.")


def _beside(app: App) -> Path:
    """The file of tests beside the policy that the settings name. Raises Mistake where they name none."""
    named = app.config.policy_file
    if named is None:
        raise Mistake(
            "The settings name no policy file of yours to put a test beside. Make one with "
            "`escucha policy show --text > policy.yaml`, and name it in the settings, under [policy]: "
            'file = "policy.yaml". Or say where: --to FILE.'
        )
    return cast(Path, cast(Any, app.policies).beside(named))


def _sure(path: Path) -> bool:
    """Raises Mistake unless the person says yes."""
    try:
        sure = click.confirm(f"Does it name nobody? Then it is added to {path}", default=False)
    except click.Abort:  # nobody there, or Ctrl-C
        click.echo()
        sure = False
    if not sure:
        raise Mistake("Nothing was written; take words out with --hide, or say --yes.")
    return True


def _append(offered: Any, path: Path, made: Any) -> None:
    """Adds the test to the end of the file as it is by now, whole or not at all. Raises Mistake or PolicyProblem."""
    now = offered.text_of(path)
    mark = "\ufeff" if path.exists() and path.read_bytes().startswith(codecs.BOM_UTF8) else ""
    if made.name in offered.names_in(now, str(path)):
        raise Mistake(f"{path} holds a test {made.name!r} by now; nothing was changed, give this one another --name.")
    try:
        settings_file.write(path, mark + now + offered.added(now, made.text, str(path)))
    except Outage as outage:
        raise Mistake(f"{outage} Name another file with --to.") from outage


# --- what is on record -----------------------------------------------------------------------------------------------


def _stored(app: App, typed: str) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """What the policy saw, by the keys of a test's `mention`; what came of it; further names that must not stay."""
    from listener.commands import card as cards

    with app.store.read() as tx:
        card = cards.find(tx, typed, pattern=app.config.cases.pattern, actor=app.actor, now=app.now(), before=0)
    mention, decision, read = card.mention, card.decision, card.understanding
    if card.gone:
        raise Mistake(f"M{mention.id} was deleted by its author, and nothing of it is left to make a test of.")
    if decision is None or read is None or not decision.trace.get("rules"):
        raise Mistake(f"M{mention.id} was not decided yet, so there is nothing to expect; see `escucha status`.")
    if decision.revision != mention.revision:
        raise Mistake(f"M{mention.id} was edited since; record it when the policy has spoken about the new words.")
    saw = decision.trace.get("saw", {})
    known_of = saw.get("customer") or {}
    if looking.masks(app) and any(known_of.get(name) for name in looking.OWED):
        raise Mistake(f"M{mention.id} was decided by what they owe or have, which you do not see; ask a supervisor.")
    sure = read.intent_scores.get(read.intents[0], 0.0) if read.intents else None
    facts: dict[str, Any] = {
        "text": mention.text,
        "content_warning": mention.content_warning,
        "network": mention.network,
        "source": mention.source,
        "kind": mention.kind.value,
        "visibility": mention.visibility.value,
        "has_media": bool(mention.media),
        "unanswerable": "it cannot be answered" if saw.get("unanswerable") else "",
        "paused": bool(saw.get("paused")),
        "stranger": bool(saw.get("stranger")),
        "terms": list(saw.get("terms", ())),
        "same_text_by_others": saw.get("same_text_by_others", 0),
        "code": saw.get("code", "none"),
        "language": read.language.partition("-")[0] or "und",
        "intents": [intent.value for intent in read.intents],
        "sentiment": read.sentiment.value if read.sentiment else "none",
        "signals": [signal.value for signal in read.signals],
        "areas": list(read.areas),
        "confidence": None if sure is None else round(max(0.0, min(1.0, sure)), 4),
        "now": decision.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "age": _span(decision.at - mention.posted_at),
        **dict(_seen(saw)),
    }
    rules = [rule["rule"] for rule in decision.trace["rules"] if rule.get("outcome") == "matched"]
    stops = [each["guard"] for each in decision.trace.get("guards", ()) if each.get("holds") or each.get("forbids")]
    drafts = [draft for draft in card.drafts if draft.revision == decision.revision]
    expect: dict[str, Any] = {
        "rule": rules or "none",
        "reply": drafts[-1].template if drafts else "none",
        "urgency": decision.urgency,
        "guard": stops or "none",
    }
    if decision.tags:
        expect["tags"] = list(decision.tags)
    if decision.escalate_to:
        expect["escalate"] = decision.escalate_to
    if decision.alerts:
        expect["alert"] = list(decision.alerts)
    if decision.ignored:
        expect["ignored"] = True
    customer = card.customer
    known = [customer.name, customer.reference, customer.email or ""] if customer else []
    return facts, expect, [mention.author.handle, mention.author.display_name, *known]


def _seen(saw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Views as dotted names, without what is as it would be anyway."""
    if saw.get("incidents") and not saw.get("incident"):
        yield "incident.here", False
        saw = {
            **saw,
            "incident": next((each for each in saw["incidents"] if each["holds_replies"]), saw["incidents"][0]),
        }
    for view, values in saw.items():
        if not isinstance(values, Mapping) or (view == "case" and not values.get("exists")):
            continue
        if view == "customer":
            yield "customer.known", True
        for key, value in values.items():
            if (view, key, value) != ("author", "mentions_last_7_days", 1):
                yield f"{view}.{key}", value


def _span(age: timedelta) -> str:
    """`2d4h5s`, at least a second and at most a year."""
    left = min(max(int(age.total_seconds()), 1), 365 * 86400)
    parts = []
    for unit, seconds in UNITS:
        amount, left = divmod(left, seconds)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts)


def _title(facts: Mapping[str, Any], expect: Mapping[str, Any]) -> str:
    rules = expect["rule"]
    return f"{rules[-1] if isinstance(rules, list) else 'no rule'} on {facts['network']}, {facts['now'][:10]}"
