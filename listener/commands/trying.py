"""`escucha try`: what would be heard, understood and decided. Opens no database and stores nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from listener.commands import asking, hashtag, output, scored, texts_file
from listener.commands.app import App, pass_app
from listener.errors import Mistake, Unavailable
from listener.types import Decision, Facts, Post, RuleOutcome, RuleTrace, Understanding

if TYPE_CHECKING:
    from listener.contract import Connector

_LAST_NUMBER = re.compile(r"/(\d+)/?$")


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What was heard, and by whose rules it would be answered."""

    explained: str
    source: str
    facts: Facts
    posts: tuple[Post, ...]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One post all the way to the decision."""

    post: Post
    understanding: Understanding
    decision: Decision


@click.command("try")
@click.argument("what")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 200), help="How many posts at most.")
@output.json_option
@pass_app
def try_(app: App, what: str, limit: int, as_json: bool) -> None:
    """Preview a hashtag, a link or a file; nothing is stored.

    WHAT is '#hashtag@server' (in quotes), the address of a post, or a file: .txt with one text a line, .csv, .tsv or
    .tab with a column `text`, .jsonl or .json with a key `text`. No settings are needed; where there are some, their
    policy decides.
    """
    try:
        heard = _hear(app, what, limit)
    except Unavailable as error:
        error.args = (f"{str(error).rstrip('.')}. {asking.UNREACHED}",)
        raise
    tried = list(_decide(app, heard))
    if as_json:
        output.print_json(
            {
                "what": what,
                "heard": heard.explained,
                "policy_version": app.written_policy.version,
                "model_version": app.classifier.version,
                "posts": [_told(each) for each in tried],
            }
        )
        return
    output.say(heard.explained)
    for each in tried:
        _show(app, each)
    output.say()
    if tried:
        ruled = sum(each.decision.reply is not None for each in tried)
        output.say(
            f"{len(tried)} heard, {ruled} answered by the policy {app.written_policy.version}. "
            "Nothing was stored or sent."
        )
    else:
        output.say("Nothing was heard just now. Try another hashtag, or a file with texts.")


# --- hear ---


def _hear(app: App, what: str, limit: int) -> Heard:
    if what.startswith(("http://", "https://")):
        return _hear_link(app, what)
    path = Path(what)
    if path.suffix.lower() in texts_file.KINDS or path.is_file():
        posts = texts_file.read(path, limit=limit, now=app.now())
        said = f"{output.counted(len(posts), 'text')} from {path}, as if each had named us in public."
        return Heard(explained=said, source="file", facts=app.facts(hashtag.NETWORK), posts=tuple(posts))
    return _hear_hashtag(app, hashtag.read(what), limit)


def _hear_hashtag(app: App, wanted: hashtag.Hashtag, limit: int) -> Heard:
    connector = _connector(app, wanted.instance)
    explained = connector.explain_query(wanted.query)
    page = connector.poll(wanted.query, None)
    newest = sorted(reversed(page.posts), key=lambda post: post.posted_at, reverse=True)[:limit]
    return Heard(explained=explained, source=str(wanted), facts=connector.facts, posts=tuple(newest))


def _hear_link(app: App, link: str) -> Heard:
    from listener.contract import Rechecks

    parts, number = urlsplit(link), _LAST_NUMBER.search(urlsplit(link).path)
    if not parts.hostname or number is None:
        raise Mistake(f"{link} is no link to a post; it should end in the post's number.")
    connector = _connector(app, f"{parts.scheme}://{parts.netloc}")
    if not isinstance(connector, Rechecks):
        raise Mistake("That network cannot look up a single post; try a hashtag or a file.")
    found = connector.recheck([f"{parts.netloc.lower()}/{number[1]}"])
    if not found.present:
        raise Mistake(f"{parts.hostname} shows no such post; it may be private, deleted, or kept from strangers.")
    return Heard(
        explained=f"One post at {parts.hostname}.", source="link", facts=connector.facts, posts=found.present[:1]
    )


def _connector(app: App, instance: str) -> Connector:
    """Our account on that server where the settings have one, otherwise as a stranger."""
    from pydantic import ValidationError

    for account in app.config_or_default.accounts.values():
        if account.network == hashtag.NETWORK and getattr(account.settings, "instance", None) == instance:
            return app.connector(account.name)
    try:
        return app.connect(hashtag.NETWORK, app.settings_of(hashtag.NETWORK).model_validate({"instance": instance}))
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise Mistake(f"{instance} is no server: {reason}.") from error


# --- understand, decide ---


def _decide(app: App, heard: Heard) -> Sequence[Tried]:
    from listener.flow.decide import first_contact
    from listener.flow.understand import what_to_read

    read = app.classifier.classify([what_to_read(post.text, post.content_warning) for post in heard.posts])
    tried = []
    for post, understanding in zip(heard.posts, read, strict=True):
        situation = first_contact(
            post,
            understanding,
            now=app.now(),
            source=heard.source,
            facts=heard.facts,
            case_pattern=app.config_or_default.cases.pattern,
        )
        tried.append(Tried(post=post, understanding=understanding, decision=app.written_policy.decide(situation)))
    return tried


# --- show ---


def _told(tried: Tried) -> dict[str, Any]:
    post = output.plain(replace(tried.post, raw={}))
    del post["raw"]
    return {
        "post": post,
        "understanding": output.plain(tried.understanding),
        "decision": output.plain(tried.decision),
        "rule": _matched(tried.decision.rules),
    }


def _show(app: App, tried: Tried) -> None:
    post, decision = tried.post, tried.decision
    output.say()
    output.heading(f"{post.author.handle}  {output.ago(post.posted_at, app.now())}")
    if post.content_warning:
        output.block(f"[{post.content_warning}]", style="dim")
    output.block(post.text.strip() or "(no text)")
    rule = _matched(decision.rules)
    output.fields(
        [
            ("understood", understood(tried.understanding)),
            ("decided", f"rule {rule}" if rule else "no rule matched"),
            ("ignored", decision.ignored),
            ("reply", _reply(decision)),
            ("because", [trace.said for trace in decision.modes if trace.mode == "manual"] if decision.reply else ""),
            ("case", _case(decision)),
            ("score", scored.sentence(decision)),
            ("escalate to", decision.escalate_to),
            ("alert", [plan.target for plan in decision.alerts]),
            ("held", [trace.reason or trace.guard for trace in decision.guards if trace.holds and not trace.forbids]),
            ("forbidden", [trace.reason or trace.guard for trace in decision.guards if trace.forbids]),
        ]
    )
    if decision.reply is not None:
        output.block(decision.reply.text, indent=4, style="italic")


def understood(understanding: Understanding) -> str:
    """`es, negative 93 %, complaint 88 %, question 41 %`; a question mark where the model does not know."""
    words = [understanding.language if understanding.language != "und" else "language ?"]
    feeling = understanding.sentiment
    words.append(f"{feeling} {understanding.sentiment_scores.get(feeling, 0):.0%}" if feeling else "sentiment ?")
    words += [f"{intent} {understanding.intent_scores.get(intent, 0):.0%}" for intent in understanding.intents]
    if not understanding.intents:
        words.append("intent ?")
    words += [f"{area} {understanding.area_scores.get(area, 0):.0%}" for area in understanding.areas]
    words += [f"{signal} {understanding.signal_scores.get(signal, 0):.0%}" for signal in understanding.signals]
    return ", ".join(words)


def _matched(rules: Sequence[RuleTrace]) -> str | None:
    return next((trace.rule for trace in rules if trace.outcome is RuleOutcome.MATCHED), None)


def _reply(decision: Decision) -> str:
    if decision.reply is None:
        return "none"
    plan = decision.reply
    mode = "sent by itself" if plan.mode == "auto" else "a person approves it first"
    return f"{plan.template} ({plan.language}), {plan.length} of {plan.limit} characters; {mode}"


def _case(decision: Decision) -> str:
    if decision.case is None:
        return "a person routes it" if decision.needs_routing else "none"
    plan = decision.case
    on = f" of {plan.promise.calendar}" if plan.promise.calendar else ""
    promised = f", first answer within {output.spell(plan.first_response)}{on}" if plan.first_response else ""
    skills = f", asks for {' and '.join(plan.skills)}" if plan.skills else ""
    return f"{plan.team} ({plan.because}), {plan.urgency}{promised}{skills}"
