"""How many stored mentions a second go through a replay, by one process and by several.

    python -m benchmarks.replay [--mentions 20000] [--workers 2] [--policy FILE]

A database of made-up mentions is laid down in a temporary folder as the pipeline leaves it: their understanding, what
was known of their authors, the decision of the policy. Then `escucha policy replay` runs over it as it does for people
(rows read, situations rebuilt, decided with guard, draft and trace, compared with what is stored, counted), once in one
process and once in `--workers` of them. Told are mentions by the clock and by the CPU time of all processes together,
and beside them what the deciding alone takes in this process: the rest is what storing and counting cost.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import connectors
import policies
from benchmarks.evaluate import NOW, situations
from connectors import sandbox
from listener import situations as keeping
from listener import store as stores
from listener.commands import replaying
from listener.commands.app import App
from listener.commands.replaying import Chosen, Window
from listener.store import Store, decisions, mentions, sources
from listener.store.sources import Wanted
from listener.types import Author, Post, Situation

BATCH = 1_000


def lay_down(store: Store, policy: policies.Guarded, count: int) -> None:
    """That many mentions, understood and decided."""
    dice = random.Random(3)
    models = [
        replace(seen, network="sandbox", source="mentions", facts=sandbox.FACTS, case=replace(seen.case, reference=""))
        for seen in situations(500)
    ]
    with store.write() as tx:
        wanted = Wanted(name="mentions", account="care", network="sandbox", query="x", every=timedelta(hours=1))
        sources.sync(tx, [wanted], NOW)
        source_id = sources.get(tx, "mentions").id
    for first in range(0, count, BATCH):
        chosen = [dice.choice(models) for _ in range(min(BATCH, count - first))]
        posts = [_post(seen, first + number) for number, seen in enumerate(chosen)]
        with store.write() as tx:
            facts = decisions.keep_facts(tx, sandbox.FACTS)
            saved = mentions.save(tx, source_id=source_id, network="sandbox", posts=posts, now=NOW)
            for mention_id, seen, post in zip(saved.new, chosen, posts, strict=True):
                mention = mentions.get(tx, mention_id)
                situation = replace(seen, mention_id=mention_id, text=post.text, posted_at=mention.posted_at)
                decision = policy.decide(situation)
                decisions.understood(tx, mention, seen.understanding, NOW)
                trace = {
                    "rules": [vars(rule) for rule in decision.rules],
                    "guards": [vars(guard) for guard in decision.guards],
                    "saw": keeping.kept(situation),
                }
                model = seen.understanding.model_version
                decisions.decided(tx, mention, decision, trace=trace, facts=facts, model_version=model, now=NOW)


def _post(seen: Situation, number: int) -> Post:
    author = Author(external_id=f"a{number % 997}", handle=seen.author.handle, display_name=seen.author.display_name)
    return Post(
        external_id=f"p{number}", author=author, text=f"{seen.text} {number}", posted_at=seen.posted_at, kind=seen.kind
    )


def cpu() -> float:
    """Seconds of CPU that this process and the ones it waited for have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Prints a line for each way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay")
    parser.add_argument("--mentions", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--policy", type=Path, default=policies.default_path())
    asked = parser.parse_args()
    policy = policies.load(asked.policy)
    seen = situations(1_000)
    began = time.thread_time()
    for one in seen:
        policy.decide(one)
    alone = (time.thread_time() - began) / len(seen)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/escucha.db"
        store = stores.open(url)
        lay_down(store, policy, asked.mentions)
        app = App(connectors=connectors, policies=policies, config_path=Path(folder) / "escucha.toml")
        app.config_path.write_text(f'[database]\nurl = "{url}"\n', encoding="utf-8")
        app.__dict__["store"] = store
        chosen = Chosen(name="benchmark", text=policy.text, version=policy.version, mode=None, modes={})
        print(f"{asked.mentions:,} mentions, {len(policy.file.rules)} rules")
        print(f"{'deciding alone':<16} {1 / alone:>8,.0f}/s of CPU")
        for workers in (1, asked.workers):
            clock, used = time.perf_counter(), cpu()
            found = replaying.replayed(app, chosen, Window(workers=workers))
            clock, used = time.perf_counter() - clock, cpu() - used
            assert found["stored"]["reproduced"] == found["mentions"] == asked.mentions, found["stored"]
            name = f"{workers} process{'es' if workers > 1 else ''}"
            print(f"{name:<16} {asked.mentions / used:>8,.0f}/s of CPU {asked.mentions / clock:>8,.0f}/s by the clock")
        store.close()


if __name__ == "__main__":
    main()
