"""The dashboard, the alert rules and the table of metrics speak of metrics that exist, with labels that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.samples import Sample

from listener import metrics
from listener.metrics import SourceStanding, Standing
from tests.listener.test_metrics import NOW

DOCS = Path(__file__).parent.parent / "docs"
DASHBOARD = json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((DOCS / "prometheus-rules.yml").read_text(encoding="utf-8"))
ADDED = {"job", "instance", "le"}  # labels that Prometheus adds, or that a histogram has
METRIC = re.compile(r"\b((?:escucha|process|python)_[a-z0-9_]+)\b(\{[^}]*\})?")
BY = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")


def standing() -> Standing:
    return Standing(
        waiting={("new", True): 1},
        oldest={"new": 1},
        drafts={"unknown": 1},
        deliveries={"unknown": 1},
        sources=[SourceStanding(name="a", network="x", lag=1, failing=False, paused=False, stream=True)],
        spent={("care", "day"): 1},
        budgets={("care", "day"): 1},
        paused=["all"],
        daemons={"all": 1},
    )


@pytest.fixture(scope="module")
def there() -> Iterator[dict[str, set[str]]]:
    """Every sample's name with its labels, after each of them was said once."""
    metrics.start(version="1", standing=standing)
    metrics.stored("x", way="poll", posted=[NOW], edited=1, gone=1, repeated=1, now=NOW)
    metrics.decided("x", stored_at=NOW, now=NOW, urgency="low")
    metrics.sent("x", "reply", "sent", decided_at=NOW, approved_at=NOW, now=NOW)
    metrics.model(1, 1.0)
    metrics.polled("x", 1.0)
    metrics.turn("digest", 1.0)
    metrics.error("poll", KeyError())
    metrics.set_aside("decide")
    samples: list[Sample] = [sample for family in metrics.registry().collect() for sample in family.samples]
    found: dict[str, set[str]] = {}
    for sample in samples:
        found.setdefault(sample.name, set()).update(sample.labels)
    yield found
    metrics.stop()


def expressions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]
    for rule in RULES["groups"][0]["rules"]:
        yield f"rule {rule['alert']}", rule["expr"]


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_speaks_of_what_there_is(there: dict[str, set[str]], where: str, expression: str) -> None:
    asked = METRIC.findall(expression)
    assert asked, where
    known: set[str] = set(ADDED)
    for name, selector in asked:
        assert name in there, f"{where}: there is no {name}"
        known |= there[name]
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
            assert label in there[name] | ADDED, f"{where}: {name} has no {label}"
    for labels in BY.findall(expression):
        for label in filter(None, (each.strip() for each in labels.split(","))):
            assert label in known, f"{where}: nothing there has {label}"
    for opens, closes in ("()", "[]", "{}"):
        assert expression.count(opens) == expression.count(closes)
    counted = [name for name, _ in asked if name.endswith(("_total", "_bucket", "_sum", "_count"))]
    for name in counted:
        assert re.search(rf"(rate|increase)\({name}", expression), f"{where}: {name} only ever grows"


def test_what_a_legend_or_an_alert_names_is_left_after_the_sum(there: dict[str, set[str]]) -> None:
    labels = set().union(*there.values()) | ADDED
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            kept = {each.strip() for found in BY.findall(target["expr"]) for each in found.split(",")}
            assert named <= (kept or labels), panel["title"]
    for rule in RULES["groups"][0]["rules"]:
        named = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        kept = {each.strip() for found in BY.findall(rule["expr"]) for each in found.split(",")}
        assert named <= kept, rule["alert"]
        assert {"summary", "what_to_do"} == set(rule["annotations"])


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_in_the_table_and_on_the_dashboard_and_the_table_names_no_other(
    there: dict[str, set[str]],
) -> None:
    page = (DOCS / "watching.md").read_text(encoding="utf-8")
    written = {row[0]: row[1] for row in re.findall(r"^\| `(escucha_\w+)` \| ([^|]*) \|", page, re.MULTILINE)}
    ours = {name for name in there if name.startswith("escucha_") and not name.endswith(("_created", "_count", "_sum"))}
    ours = {name.removesuffix("_bucket") for name in ours}
    assert set(written) == ours
    for name, labels in written.items():
        has = there[name] if name in there else there[f"{name}_bucket"]
        assert set(re.findall(r"`(\w+)`", labels)) == has - {"le"}, name
    shown = " ".join(expression for _, expression in expressions())
    assert [name for name in ours if name not in shown and name != "escucha_build_info"] == []
