"""The demo's script: who posts what, what breaks, what the moderator and marketing do, and when."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

_FILE = Path(__file__).with_name("afternoon.toml")
VERBS = (
    "scene", "say", "edit", "delete", "fail", "approve", "reword", "reject", "link", "note", "notice", "second"
)  # fmt: skip


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Someone(_Part):
    """A made-up person on the network. `days`: how long their account has been there."""

    handle: str
    name: str
    followers: int
    bot: bool = False
    days: int = 900


class Record(_Part):
    """A made-up customer, and the handle that is theirs."""

    reference: str
    name: str
    handle: str
    tier: str
    language: str
    evidence: str


class Step(_Part):
    """One thing that happens `at` seconds from the start; `afternoon.toml` says what each key means."""

    at: float
    scene: str = ""
    who: str = ""
    say: str = ""
    id: str = ""
    reply_to: str = Field(default="", alias="in")
    picture: str = ""
    edit: str = ""
    delete: str = ""
    fail: str = ""
    fault: str = ""
    approve: str = ""
    reword: str = ""
    reject: str = ""
    reason: str = ""
    link: str = ""
    note: str = ""
    text: str = ""
    completeness: int = 0
    notice: str = ""
    es: str = ""
    en: str = ""
    second: str = ""
    wave: int = 0
    every: float = 0.3

    @property
    def verb(self) -> str:
        """What is done: one of VERBS. An edit also says something, so that it comes first."""
        done = [verb for verb in VERBS if getattr(self, verb)]
        return "edit" if "edit" in done else done[0]


class Wave(_Part):
    """What further people say about the same matter."""

    seed: int
    say: tuple[str, ...]
    names: tuple[str, ...]


class Script(_Part):
    """The whole afternoon."""

    handle: str
    company: str
    queries: dict[str, str]
    people: tuple[Someone, ...]
    customers: tuple[Record, ...]
    step: tuple[Step, ...]
    wave: Wave


def read() -> tuple[Script, list[Step]]:
    """The script, and its steps in order with every wave spread out. Always the same."""
    script = Script.model_validate(tomllib.loads(_FILE.read_text(encoding="utf-8")))
    chance = random.Random(script.wave.seed)  # noqa: S311  a play, repeatable on purpose
    names = chance.sample(script.wave.names, len(script.wave.names))
    words = chance.sample(script.wave.say, len(script.wave.say))
    steps = [step for step in script.step if not step.wave]
    for wave in (step for step in script.step if step.wave):
        for number in range(wave.wave):
            at = round(wave.at + number * wave.every, 2)
            text = words.pop().replace("{us}", script.handle)
            steps.append(Step(at=at, who=f"@{names.pop()}_ejemplo", say=text))
    return script, sorted(steps, key=lambda step: step.at)
