"""Two versions side by side on one database: the old one goes on while the tables are upgraded, until it is replaced.

The next versions are made up here: this one with another migration.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import store
from tests.servers.mastodon import MastodonServer
from tests.system.test_daemon import QUESTION, ROOT, Company, eventually

pytestmark = pytest.mark.slow

STEP = '''"""Made up."""
import sqlalchemy as sa
from alembic import op
revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
works_with = "{works_with}"
def upgrade() -> None:
    {does}
'''
ADDS = 'op.add_column("mentions", sa.Column("mood", sa.Text(), nullable=True))'
NARROWS = 'op.add_column("mentions", sa.Column("tone", sa.Text(), nullable=False, server_default="x"))'


def version(folder: Path, *steps: tuple[str, str, str]) -> Path:
    """This version with more migrations: (revision, the oldest step that works with it, what it does)."""
    folder.mkdir()
    for each in ROOT.iterdir():
        if each.name not in ("listener", ".git", ".venv", "tests"):
            (folder / each.name).symlink_to(each)
    listener = folder / "listener"
    listener.mkdir()
    for each in (ROOT / "listener").iterdir():
        if each.name == "store":
            shutil.copytree(each, listener / "store", ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (listener / each.name).symlink_to(each)
    before = store.SCHEMA
    for revision, works_with, does in steps:
        text = STEP.format(revision=revision, before=before, works_with=works_with, does=does)
        (listener / "store" / "migrations" / "versions" / f"{revision}_made_up.py").write_text(text)
        before = revision
    opening = listener / "store" / "__init__.py"
    written = opening.read_text(encoding="utf-8")
    assert f'\nSCHEMA = "{store.SCHEMA}"' in written
    opening.write_text(written.replace(f'\nSCHEMA = "{store.SCHEMA}"', f'\nSCHEMA = "{before}"'), encoding="utf-8")
    tables = listener / "store" / "tables.py"
    if steps:
        column = '    Column("mood", Text),\n    Column("network", String(50), nullable=False),\n'
        text = tables.read_text(encoding="utf-8")
        place = text.index("mentions = Table(")
        wanted = '    Column("network", String(50), nullable=False),\n'
        tables.write_text(text[:place] + text[place:].replace(wanted, column, 1), encoding="utf-8")
    return folder


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def company(request: pytest.FixtureRequest, tmp_path: Path, server: MastodonServer) -> Iterator[Company]:
    folder = tmp_path / "company"
    folder.mkdir()
    made = Company(folder, server)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        with (folder / "escucha.toml").open("a") as file:
            file.write(f'[database]\nurl = "{url}"\n')
    yield made
    for daemon in made.daemons:
        daemon.kill()
        daemon.wait()


class As:
    """The command line of another version, on the same settings."""

    def __init__(self, company: Company, program: Path) -> None:
        self.company = company
        self.path = str(program)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        before = self.company.environment
        self.company.environment = before | {"PYTHONPATH": self.path}
        try:
            return self.company(*arguments, code=code)
        finally:
            self.company.environment = before


def answers(server: MastodonServer, post: str) -> int:
    return sum(row["in_reply_to_id"] == post for row in server.posts_by("marca"))


def steps(company: Company) -> list[str]:
    return sorted(each["step"] for each in company.status()["daemons"])


def test_one_version_replaces_the_other_while_both_run(
    company: Company, server: MastodonServer, tmp_path: Path
) -> None:
    """The old one works on through the upgrade; a step that it could not bear waits until it has gone."""
    adds = ("0002", store.SCHEMA, ADDS)
    new, newer = version(tmp_path / "new", adds), version(tmp_path / "newer", adds, ("0003", "0002", NARROWS))
    old = company.start()
    eventually(lambda: company.started() == 1)
    server.person("p0").post(QUESTION)
    eventually(lambda: len(server.posts_by("marca")) == 1)

    refused = As(company, newer)("db", "upgrade", code=2)
    assert refused == ""
    As(company, new)("db", "upgrade")
    first = server.person("p1").post(QUESTION.replace("fibra", "móvil"))
    eventually(lambda: answers(server, first) == 1)
    assert old.poll() is None, "it goes on"
    company("status"), company("inbox")  # and so do commands of the old version
    company.start(PYTHONPATH=str(new))
    eventually(lambda: company.started() == 2)
    assert steps(company) == [store.SCHEMA, "0002"]
    second = server.person("p2").post(QUESTION.replace("fibra", "casa"))
    eventually(lambda: answers(server, second) == 1)

    old.terminate()
    assert old.wait(60) == 0
    third = server.person("p3").post(QUESTION.replace("fibra", "empresa"))
    eventually(lambda: answers(server, third) == 1)
    As(company, newer)("db", "upgrade")
    late = company.start()  # somebody starts the old one after all
    assert late.wait(60) == 2
    assert "newer (0003) than this version needs" in (company.folder / "log").read_text()
    assert [answers(server, each) for each in (first, second, third)] == [1, 1, 1], "nothing is said twice"
