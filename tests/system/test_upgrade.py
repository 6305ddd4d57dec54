"""Two versions side by side on one database, in real processes: the tables are upgraded while the old one works on.

The old version is this one. The next ones are made up: the same code, with migrations more and with what they add in
`tables.py`. Counted on the network's own side: everybody is answered, and once.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from listener import store
from tests.servers.mastodon import MastodonServer
from tests.system.company import ROOT, Company, answered, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # many processes, each of which loads the model

# Different enough that they are no campaign, which people would look at first.
ABOUT = (
    "la fibra", "el móvil", "la tele", "el fútbol", "la línea fija", "un segundo router", "el alta", "la mudanza",
    "la roaming en Chile", "el plan familiar", "una eSIM", "la factura en papel",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Step:
    """A migration that was never written. `adds`: the columns that its program writes from then on, by table."""

    revision: str
    works_with: str
    does: str
    adds: tuple[tuple[str, str], ...] = ()


STEP = "SELECT version_num FROM alembic_version"
FILE = '''"""Made up."""
import sqlalchemy as sa
from alembic import op
from listener.store import upgrading
revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
works_with = "{works_with}"
def upgrade() -> None:
{does}
'''
WIDER = Step(  # what the new program asks of each mention and draft, and what it writes with each sign of life
    revision="0002",
    works_with="0001",
    does="""
    op.add_column("mentions", sa.Column("mood", sa.Text(), nullable=True))
    op.add_column("drafts", sa.Column("tone", sa.Text(), nullable=False, server_default="as ever"))
    op.add_column("daemons", sa.Column("shape", sa.Text(), nullable=True))
""",
    adds=(
        ("mentions", 'Column("mood", Text)'),
        ("drafts", 'Column("tone", Text, nullable=False, server_default="as ever")'),
        ("daemons", 'Column("shape", Text, default="round")'),
    ),
)
INDEX = Step(
    revision="0003", works_with="0001", does='    upgrading.add_index("ix_mentions_mood", "mentions", ["mood"])'
)
NARROWER = Step(  # the old program would go on saying that it lives without a shape
    revision="0004",
    works_with="0002",
    does="""
    op.execute("UPDATE daemons SET shape = 'of old' WHERE shape IS NULL")
    with op.batch_alter_table("daemons") as batch:
        batch.alter_column("shape", nullable=False, existing_type=sa.Text())
""",
)
ENDLESS = Step(  # another way to 0002, which never ends
    revision="0002",
    works_with="0001",
    does="""
    op.add_column("mentions", sa.Column("mood", sa.Text(), nullable=True))
    print("halfway", flush=True)
    import time
    time.sleep(600)
""",
)


def version(folder: Path, *steps: Step, queue: str = "") -> Path:
    """This version with more migrations; with `queue`, also with another release of the queue's engine."""
    for parent, own in (
        (Path(), ("listener", ".git", ".venv", "tests")),
        (Path("listener"), ("store",)),
        (Path("listener/store"), ("migrations", "__pycache__", "__init__.py", "tables.py", "jobs.py", "daemons.py")),
        (Path("listener/store/migrations"), ("versions", "__pycache__")),
        (Path("listener/store/migrations/versions"), ("__pycache__",)),
    ):
        (folder / parent).mkdir()
        for each in (ROOT / parent).iterdir():
            if each.name not in own:
                (folder / parent / each.name).symlink_to(each)
    before = store.SCHEMA
    for step in steps:
        content = FILE.format(revision=step.revision, before=before, works_with=step.works_with, does=step.does)
        (folder / f"listener/store/migrations/versions/{step.revision}_made_up.py").write_text(content)
        before = step.revision
    names = ("__init__.py", "tables.py", "jobs.py", "daemons.py")
    opening, tables, jobs, daemons = ((ROOT / "listener/store" / name).read_text(encoding="utf-8") for name in names)
    assert f'\nSCHEMA = "{store.SCHEMA}"' in opening
    opening = opening.replace(f'\nSCHEMA = "{store.SCHEMA}"', f'\nSCHEMA = "{before}"')
    for table, column in (each for step in steps for each in step.adds):
        begins = tables.index(f"\n{table} = Table(")
        place = tables.index("\n    Column(", begins)
        tables = f"{tables[:place]}\n    {column},{tables[place:]}"
    if 'Column("shape"' in tables:
        daemons = daemons.replace('    doing: str = ""\n', '    doing: str = ""\n    shape: str | None = None\n', 1)
    if queue:
        assert 'return _PREFIX + re.sub(r"\\W", "_", metadata.version("procrastinate"))' in jobs
        jobs = jobs.replace('metadata.version("procrastinate")', repr(queue))
    for name, content in zip(names, (opening, tables, jobs, daemons), strict=True):
        (folder / "listener/store" / name).write_text(content, encoding="utf-8")
    return folder


class Rolled(Company):
    """A company whose commands and processes are of the version that each call names; none: this one."""

    def __init__(self, folder: Path, server: MastodonServer, url: str) -> None:
        folder.mkdir()
        super().__init__(folder, server)
        (folder / "log").touch()
        self.server = server
        self.asked: list[str] = []
        if url:
            self.environment["ESCUCHA_DATABASE__URL"] = url
        self.url = url or f"sqlite:///{folder / 'escucha.db'}"

    def by(self, program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What a command of that version ends with."""
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            cwd=self.folder,
            env=self.environment | {"PYTHONPATH": str(program)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def seen(self, program: Path) -> Any:
        """What that version's `status` tells."""
        done = self.by(program, "status", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def play(self, program: Path, *roles: str) -> subprocess.Popen[str]:
        """A process of that version, once it listens; without a role one that does everything."""
        before = self.started()
        named = [word for role in roles for word in ("--role", role)]
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", "run", *named],
                cwd=self.folder,
                env=self.environment | {"PYTHONPATH": str(program)},
                stdout=log,
                stderr=log,
                text=True,
            )
        self.daemons.append(process)
        eventually(lambda: self.started() > before or process.poll() is not None, within=240)
        return process

    def ask(self) -> None:
        """Somebody writes, and is answered."""
        number = len(self.asked)
        self.asked.append(self.server.person(f"p{number}").post(f"@marca ¿cuánto cuesta {ABOUT[number]}?"))

    def answer_all(self) -> None:
        eventually(lambda: set(self.asked) <= set(answered(self.server)), within=180)

    def upgrades(self, program: Path) -> subprocess.Popen[str]:
        """An upgrade that goes on."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli", "db", "upgrade"],
            cwd=self.folder,
            env=self.environment | {"PYTHONPATH": str(program)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def upgraded(self, program: Path) -> str:
        done = self.by(program, "db", "upgrade")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        database = store.connect(self.url)
        with database.read() as tx:
            found = [tuple(row) for row in tx.execute(text(query))]
        database.close()
        return found

    def is_held(self) -> bool:
        """Whether anybody has a transaction open (PostgreSQL)."""
        return bool(self.rows("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"))

    def count(self) -> None:
        """Lost: 0. Doubled: 0."""
        assert dict(answered(self.server)) == dict.fromkeys(self.asked, 1)


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as made:
        made.forget_keys = True
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def company(request: pytest.FixtureRequest, tmp_path: Path, server: MastodonServer) -> Iterator[Rolled]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    made = Rolled(tmp_path / "company", server, url)
    yield made
    for daemon in made.daemons:
        daemon.kill()
        daemon.wait()


def test_one_version_replaces_the_other_while_both_run(company: Rolled, tmp_path: Path) -> None:
    """The old one works on through the upgrade; a step that it could not bear waits until it has gone."""
    new = version(tmp_path / "new", WIDER, INDEX)
    newer = version(tmp_path / "newer", WIDER, INDEX, NARROWER)
    old = company.play(ROOT)
    early = company.by(new, "run")
    assert early.returncode == 2
    assert "older (0001) than this version needs (0003): run `escucha db upgrade`." in " ".join(early.stderr.split())
    refused = company.by(newer, "db", "upgrade")
    assert refused.returncode == 2
    told = " ".join(refused.stderr.split())
    assert "only with versions of step 0002 and later" in told
    assert f":{old.pid} (version" in told
    assert company.rows(STEP) == [("0001",)], "not even the steps that it could bear"

    company.ask()
    assert company.upgraded(new) == "The tables are at step 0003 now (before: 0001).\n"
    company.ask()
    company.answer_all()
    assert company.upgraded(ROOT) == "The tables are at step 0003, newer than this version (0001), and work with it.\n"
    company.play(new)
    seen = company.seen(new)
    assert seen["tables"] == {"step": "0003", "works_with": "0001"}
    assert sorted(each["step"] for each in seen["daemons"]) == ["0001", "0003"]
    assert [each for each in seen["troubles"] if f":{old.pid} is of an older version" in each]
    checked = company.by(ROOT, "db", "check")
    assert (checked.returncode, checked.stdout.count(", of step 000")) == (0, 2), checked.stdout
    assert "at step 0003 and whole.\nThey work with versions of step 0001 and later.\n" in checked.stdout
    for _ in range(3):
        company.ask()
    company.answer_all()

    old.terminate()
    assert old.wait(60) == 0
    assert company.upgraded(newer) == "The tables are at step 0004 now (before: 0003).\n"
    late = company.play(ROOT)  # somebody starts the old one after all
    assert late.wait(60) == 2
    assert "newer (0004) than this version needs" in " ".join((company.folder / "log").read_text().split())
    company.ask()
    company.answer_all()
    company.count()
    assert company.by(newer, "db", "check").returncode == 0
    assert company.rows("SELECT shape FROM daemons") == [("round",)]


@pytest.mark.parametrize("company", ["postgresql"], indirect=True)
def test_who_hung_during_an_upgrade_stops_when_it_wakes_up(company: Rolled, tmp_path: Path) -> None:
    """It showed no sign of life, so nobody waited for it."""
    newer = version(tmp_path / "newer", WIDER, NARROWER)
    old = company.play(ROOT)
    company.ask()
    company.answer_all()
    eventually(lambda: any(line["action"] == "sent" for line in company.log()))
    old.send_signal(signal.SIGSTOP)
    while company.is_held():  # by it, in the middle of something
        old.send_signal(signal.SIGCONT)
        time.sleep(0.3)
        old.send_signal(signal.SIGSTOP)
    database = store.connect(company.url)
    with database.write() as tx:
        tx.execute(text("UPDATE daemons SET seen_at = '2026-01-01 00:00:00+00:00'"))
    database.close()
    company.upgraded(newer)
    company.play(newer)
    company.ask()
    company.answer_all()
    old.send_signal(signal.SIGCONT)
    assert old.wait(90) == 2
    said = [line["reason"] for line in company.log() if line["action"] == "left_behind"]
    assert len(said) == 1
    assert "upgraded to step 0004, which works with versions of step 0002 and later" in said[0]
    assert said[0] in " ".join((company.folder / "log").read_text().split()), "and ends with that sentence"
    seen = company.seen(newer)
    assert [each["step"] for each in seen["daemons"]] == ["0004"], "it signed off"
    company.ask()
    company.answer_all()
    company.count()


def test_an_upgrade_that_is_killed_is_done_again(company: Rolled, tmp_path: Path) -> None:
    """Nothing of the step is there, nobody is kept out, and the next upgrade need not wait."""
    new, endless = version(tmp_path / "new", WIDER, INDEX), version(tmp_path / "endless", ENDLESS)
    company.play(ROOT)
    company.ask()
    company.answer_all()
    begun = company.upgrades(endless)
    assert begun.stdout
    assert begun.stdout.readline() == "halfway\n"
    begun.kill()
    begun.communicate()
    company.ask()
    company.answer_all()
    assert company.rows(STEP) == [("0001",)]
    company.upgraded(new)
    company.ask()
    company.answer_all()
    company.count()
    assert company.by(new, "db", "check").returncode == 0


@pytest.mark.parametrize("queue", ["", "99.0"], ids=["one queue", "a queue each"])
def test_roles_are_replaced_one_after_the_other(
    postgres_url: str, tmp_path: Path, server: MastodonServer, queue: str
) -> None:
    """What one version heard the other reads, and what one decided the other says, over one queue or two."""
    company = Rolled(tmp_path / "company", server, postgres_url)
    new = version(tmp_path / "new", WIDER, INDEX, queue=queue)
    try:
        playing = {role: company.play(ROOT, role) for role in ("poll", "work", "send")}
        company.ask()
        company.answer_all()
        database = store.connect(postgres_url)
        with database.read() as report:  # somebody has looked at a table for long, and the upgrade lets others by
            report.execute(text("SELECT count(*) FROM mentions"))
            begun = company.upgrades(new)
            waits = "wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE mentions%'"
            eventually(lambda: company.rows(f"SELECT 1 FROM pg_stat_activity WHERE {waits}"), within=120)
            company.ask()
            company.answer_all()
            assert company.rows(STEP) == [("0001",)]
        database.close()
        _, said = begun.communicate(timeout=240)
        assert begun.returncode == 0 or "in a quieter moment" in " ".join(said.split()), said
        company.ask()
        company.upgraded(new)
        for role in ("work", "poll", "send"):
            playing[role].terminate()
            company.ask()  # heard, read or sent by whoever is there
            assert playing[role].wait(60) == 0
            playing[role] = company.play(new, role)
            company.ask()
            company.answer_all()
        company.count()
        assert {each["step"] for each in company.status()["daemons"]} == {"0003"}
        assert [line["action"] for line in company.log() if line["level"] in ("error", "critical")] == []
        assert company.by(new, "db", "check").returncode == 0
    finally:
        for process in company.daemons:
            process.kill()
            process.wait()
