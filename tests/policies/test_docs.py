"""The page for those who write policies tells the truth."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import policies
from listener.types import Intent, Urgency
from policies.risks import RISKS
from policies.schema import Contribution, Score, Then, When
from policies.schema_drafts import Guidelines
from policies.schema_guard import Guard, RiskTeams, RiskWords
from policies.schema_routing import MOST_POINTS
from policies.templates import FILTERS, VARIABLES
from tests.policies.situations import situation

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ROUTING = (Path(__file__).parents[2] / "docs" / "routing.md").read_text("utf-8")
ROUTING_BLOCKS = re.findall(r"```yaml\n(.*?)```", ROUTING, re.DOTALL)


def whole(block: str) -> str:
    """An excerpt completed with what the first example on the page says."""
    data: dict[str, Any] = {**yaml.safe_load(BLOCKS[0]), **yaml.safe_load(block)}
    return json.dumps(data, ensure_ascii=False, default=str)  # a day, which the policy reads as text


@pytest.mark.parametrize("block", [*BLOCKS, *ROUTING_BLOCKS], ids=range(len(BLOCKS) + len(ROUTING_BLOCKS)))
def test_every_excerpt_can_be_used(block: str) -> None:
    policies.load_text(whole(block), "docs/policies.md")


def test_the_first_excerpt_is_a_whole_policy() -> None:
    decision = policies.load_text(BLOCKS[0], "p.yaml").decide(situation("Nada funciona", "complaint"))
    assert decision.reply is not None
    assert decision.reply.text == "Lo sentimos, Ana. Tu caso es ES-26-000123-7."


@pytest.mark.parametrize(
    "word",
    [
        *(field.alias or name for name, field in When.model_fields.items()),
        *Then.model_fields,
        *Guard.model_fields,
        *Guidelines.model_fields,
        *VARIABLES,
        *FILTERS,
        *Intent,
    ],
)
def test_every_word_is_on_the_page(word: str) -> None:
    assert re.search(rf"\b{re.escape(word)}\b", PAGE)


def test_every_guard_is_on_the_page() -> None:
    decision = policies.load(policies.default_path()).decide(situation())
    for trace in decision.guards:
        assert f"`{trace.guard}`" in PAGE


def test_every_risk_can_have_its_team_and_words() -> None:
    assert list(RiskTeams.model_fields) == list(RiskWords.model_fields) == list(RISKS)


def test_the_loosest_settings_are_the_ones_on_the_page() -> None:
    schema = policies.json_schema()["$defs"]["Guard"]["properties"]
    assert schema["min_confidence"]["minimum"] == 0.5
    assert [schema[key]["maximum"] for key in ("per_author_per_day", "per_thread", "per_hour")] == [5, 5, 120]
    assert [schema[key]["maximum"] for key in ("per_rule_per_day", "per_day", "per_wording_per_day")] == [
        500,
        1000,
        100,
    ]
    assert [schema[key]["default"] for key in ("per_rule_per_day", "per_day", "per_wording_per_day")] == [100, 200, 20]
    defaults = [schema[key]["default"] for key in ("min_confidence", "per_author_per_day", "per_thread", "per_hour")]
    assert defaults == [0.6, 3, 2, 30]


def test_the_published_schema_is_json_and_knows_every_key() -> None:
    schema = policies.json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema["additionalProperties"] is False
    assert "author.followers" in schema["$defs"]["When"]["properties"]
    assert schema["$defs"]["Rule"]["properties"]["continue"]["type"] == "boolean"
    assert {"$schema", "title", "required"} <= set(schema)


def test_the_page_on_scores_says_what_each_urgency_is_worth() -> None:
    rows = re.findall(r"^\| (\w+) \| (-?\d+) \|$", ROUTING, re.MULTILINE)
    assert {level: int(points) for level, points in rows} == {level.value: level.points for level in Urgency}
    keys = [*Score.model_fields, *Contribution.model_fields, "capacity", "overflow", "skills"]
    assert all(re.search(rf"\b{key}\b", ROUTING) for key in keys)
    spread = Urgency.CRITICAL.points - Urgency.LOW.points + 2 * MOST_POINTS
    ahead = Urgency.CRITICAL.points - Urgency.HIGH.points - 2 * MOST_POINTS
    assert f"{spread} points' worth" in ROUTING
    assert f"{ahead} points' worth" in ROUTING
