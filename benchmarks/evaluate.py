"""How long a policy of many rules takes over one situation, beside a policy without any.

    python -m benchmarks.evaluate [--rules 200] [--rounds 7]

The rules are made up, of the kinds that stand in the examples: intents with a language, a tier, a network, a number of
followers, words in the text; the last one matches, so that every rule is asked. In turns, the same 200 situations go
through both policies, with guard and trace, and are counted by this thread's CPU time. The medians are of single
situations; `rules` is the difference of the medians.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import policies
from listener.types import (
    Answerable,
    AuthorView,
    CaseView,
    Facts,
    Intent,
    PostKind,
    SendsView,
    Sentiment,
    Situation,
    ThreadView,
    Understanding,
    Visibility,
)
from policies import Guarded

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TEXTS = (
    "Sigo sin internet desde el lunes y nadie me contesta. ¿Hasta cuándo?",
    "@marca how do I pay my bill with the app? It keeps failing",
    "Muchas gracias por la ayuda de ayer",
    "Me habéis cobrado dos veces la factura de octubre",
)
FACTS = Facts(
    network="mastodon",
    limit=500,
    count=len,
    address=lambda text, handle: f"@{handle} {text}",
    answerable=Answerable.ANYONE,
    linkable=True,
    direct_messages=True,
    keyed_writes=True,
    deletions_visible=True,
    settle_after=timedelta(minutes=1),
)


def policy(rules: int) -> Guarded:
    """A policy of that many rules, of which the last always matches."""
    dice = random.Random(5)
    intents = [intent.value for intent in Intent]
    made: list[dict[str, Any]] = []
    for number in range(rules - 1):
        when: dict[str, Any] = {"intents": dice.sample(intents, 2), "language": dice.choice(["es", "en", "pt"])}
        match number % 5:
            case 0:
                when["customer.tier"] = "gold"
            case 1:
                when["network"] = ["x", "reddit"]
            case 2:
                when["author.followers"] = ">= 10000"
            case 3:
                when["text.contains"] = [f"palabra {number}", f"otra {number}*"]
            case _:
                when["none"] = {"kind": "mention"}
        made.append({"name": f"rule {number}", "when": when, "then": {"tags": f"t{number}"}})
    made += [{"name": "rest", "then": {"tags": "rest"}}] if rules else []
    text = {"name": "many", "teams": {"care": {}}, "default_team": "care", "cases": "routed", "rules": made}
    return policies.load_text(json.dumps(text))


def situations(count: int) -> list[Situation]:
    """That many situations, alike in nothing that a rule asks about but by chance."""
    dice = random.Random(7)
    found = []
    for number in range(count):
        intents = tuple(dice.sample(list(Intent), dice.choice([1, 1, 2])))
        found.append(
            Situation(
                now=NOW,
                mention_id=number,
                revision=1,
                network=dice.choice(["mastodon", "x", "reddit"]),
                source=dice.choice(["brand", "tag"]),
                kind=dice.choice(list(PostKind)),
                visibility=Visibility.PUBLIC,
                text=f"{dice.choice(TEXTS)} {number}",
                content_warning="",
                url=None,
                posted_at=NOW - timedelta(minutes=number),
                has_media=False,
                understanding=Understanding(
                    model_version="made-up",
                    language=dice.choice(["es", "en"]),
                    language_score=0.99,
                    sentiment=Sentiment.NEGATIVE,
                    sentiment_scores={"negative": 0.9},
                    intents=intents,
                    intent_scores=dict.fromkeys(intents, 0.9),
                ),
                author=AuthorView(handle=f"ana{number}", display_name="Ana García", followers=number * 100),
                customer=None,
                thread=ThreadView(),
                case=CaseView(reference="ES-26-000123-7"),
                sends=SendsView(),
                facts=FACTS,
            )
        )
    return found


def main() -> None:
    """Prints a line for each policy, and the difference."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluate")
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    ways = {"no rule": policy(0), f"{asked.rules} rules": policy(asked.rules)}
    seen = situations(200)
    taken: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(asked.rounds + 1):
        for name, way in ways.items():
            spans = []
            for one in seen:
                began = time.thread_time_ns()
                way.decide(one)
                spans.append((time.thread_time_ns() - began) / 1000)
            taken[name].append(spans)
    medians = {name: [statistics.median(spans) for spans in rounds[1:]] for name, rounds in taken.items()}
    for name, each in medians.items():
        print(f"{name:<12} {statistics.median(each):>8.0f} µs ({min(each):.0f}–{max(each):.0f})")
    empty, many = medians.values()
    differences = [one - none for none, one in zip(empty, many, strict=True)]
    print(f"{'rules':<12} {statistics.median(differences):>8.0f} µs ({min(differences):.0f}–{max(differences):.0f})")


if __name__ == "__main__":
    main()
