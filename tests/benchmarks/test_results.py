"""What a benchmark keeps is what the page shows, and the page in docs/ is made of the results that lie beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest

from benchmarks import __main__ as every
from benchmarks import page, results
from benchmarks.results import ROOT, Aim, Chart, Table

LINE = Chart(
    file="growth-cost",
    title="Cost",
    x="mentions",
    y="µs",
    lines={"ingest": [(1e4, 70), (1e5, 72.5)], "decide": [(1e4, 9)]},
)
BARS = Chart(file="peer", title="Peer", x="", y="texts/s", kind="bar", lines={"a": [("one", 5), ("two", 6)]}, limit=5.5)


def kept(folder: Path, **more: object) -> results.Result:
    results.keep("growth", {"per_mention": {"us": 70}}, folder=folder, **more)  # type: ignore[arg-type]
    (found,) = results.kept(folder)
    return found


def test_a_result_says_on_what_it_was_found(tmp_path: Path) -> None:
    found = kept(tmp_path, parameters={"sizes": [10, 100]})
    assert found.figures == {"per_mention": {"us": 70}}
    assert found.parameters == {"sizes": [10, 100]}
    assert found.machine["cores"] >= 1
    assert found.machine["processor"]
    assert found.at.endswith("+00:00")
    assert found.commit
    assert set(json.loads((tmp_path / "growth.json").read_text())) >= {"name", "at", "commit", "machine", "figures"}


def test_the_newest_result_replaces_the_one_before(tmp_path: Path) -> None:
    kept(tmp_path)
    results.keep("growth", {"us": 71}, folder=tmp_path)
    assert [each.figures for each in results.kept(tmp_path)] == [{"us": 71}]
    assert [file.name for file in tmp_path.iterdir()] == ["growth.json"]


def test_what_has_no_tables_is_shown_all_the_same(tmp_path: Path) -> None:
    results.keep("odd", {"lost": 0, "by network": {"x": {"p99": 1.23456}}, "runs": [{"ok": True}]}, folder=tmp_path)
    said = page.text(results.kept(tmp_path))
    assert "| lost | 0 |" in said
    assert "| by network: x: p99 | 1.235 |" in said
    assert "| runs 1: ok | yes |" in said


def test_an_aim_that_was_missed_is_said_first_and_plainly(tmp_path: Path) -> None:
    aims = [
        Aim(what="listing at 1 M", aim="< 20 ms", reached="12 ms", met=True),
        Aim(what="flat", aim="20 %", reached="31 %", met=False),
    ]
    said = page.text([kept(tmp_path, aims=aims)])
    assert "| [growth](#growth) | flat | 20 % | 31 % | **no** |" in said
    assert said.index("31 %") < said.index("## growth")


def test_a_table_keeps_its_shape_whatever_is_in_it(tmp_path: Path) -> None:
    rows = [("a|b\nc", 12345), ("d", 0.1234567)]
    said = page.text([kept(tmp_path, tables=[Table(title="T", columns=("what", "n"), rows=rows)])])
    assert "|---|--:|\n| a\\|b c | 12,345 |\n| d | 0.1235 |" in said
    assert "per mention" not in said, "figures are shown only where no table shows them"


def test_the_pictures_are_drawn_the_same_each_time_and_old_ones_go(tmp_path: Path) -> None:
    found = [kept(tmp_path / "r", charts=[LINE, BARS])]
    drawn = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "of-old.svg").write_text("<svg/>")
        page.write(found, page=tmp_path / "page.md", plots=folder)
        drawn.append({file.name: file.read_text() for file in folder.iterdir()})
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == {"growth-cost.svg", "peer.svg"}
    assert "ingest" in "".join(xml.fromstring(drawn[0]["growth-cost.svg"]).itertext())
    assert "![Cost](plots/growth-cost.svg)" in (tmp_path / "page.md").read_text()


def test_the_page_in_docs_is_what_the_results_say() -> None:
    found = page.ordered(results.kept())
    assert page.PAGE.read_text(encoding="utf-8") == page.text(found), "run: python -m benchmarks --page"
    drawn = {chart["file"] for result in found for chart in result.charts}
    assert {file.stem for file in page.PLOTS.glob("*.svg")} == drawn, "run: python -m benchmarks --page"


def test_every_run_and_every_result_has_its_benchmark() -> None:
    for name in {*every.RUNS, *(result.name for result in results.kept())}:
        assert page.about(name), f"benchmarks/{name}.py says nothing of itself"


def test_what_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        every.chosen("growth,nonsense")
    assert ended.value.code == 2
    assert "nonsense" in capsys.readouterr().err


def test_one_that_fails_is_named_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every, "RUNS", {"no_such": (), "evaluate": ("--help",)})
    assert every.run(["no_such", "evaluate"]) == ["no_such"]


def test_it_runs_as_a_command() -> None:
    said = subprocess.run(
        (sys.executable, "-m", "benchmarks", "--help"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "docs/benchmarks.md" in said.stdout
