"""Who types a command waits for nothing that it does without: what the common ones do not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.listener.commands.desk_world import DeskWorld

ROOT = Path(__file__).parents[3]
# Each of these takes 30 to 200 ms to load.
NEVER = {"numpy", "onnxruntime", "tokenizers", "transformers", "requests", "httpx", "alembic", "apscheduler"}
NEVER |= {"sqlalchemy.dialects.postgresql"}
LOGS = {"structlog"}
POLICY = {"jinja2", "yaml", "phonenumbers"}  # what reads the policy that rules
CODE = """
import sys, cli
try:
    cli.escucha({args!r}, prog_name="escucha")
except SystemExit as ended:
    print("ENDED", ended.code)
print("MODULES", *sys.modules)
"""


def imported(desk: DeskWorld, *args: str) -> set[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ESCUCHA_")}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(args=list(args))],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONPATH": str(ROOT), "ESCUCHA_ACTOR": "ana"},
        cwd=desk.folder,
        check=False,
        timeout=120,
    )
    said, _, modules = done.stdout.rpartition("MODULES ")
    assert "ENDED 0" in said, said + done.stderr
    return set(modules.split())


def test_looking_at_what_waits_loads_little(tmp_path: Path) -> None:
    desk = DeskWorld(tmp_path)
    number = desk.hears()
    desk.decides(number, open_case=True)
    reference = desk.run("case", "list").stdout.splitlines()[1].split()[0]
    desk.close()
    for args, without in (
        (("inbox",), NEVER | LOGS | POLICY),
        (("inbox", "--unknown"), NEVER | LOGS | POLICY),
        (("case", "list"), NEVER | LOGS | POLICY),
        (("approve", "--help"), NEVER | LOGS | POLICY),
        (("case", "show", reference), NEVER | LOGS),
        (("show", f"M{number}"), NEVER | LOGS),
        (("status",), NEVER),
    ):
        assert without & imported(desk, *args) == set(), args


@pytest.mark.parametrize("form", ["json", "lines"])
def test_whatever_logs_first_finds_the_log_as_it_was_asked_for(form: str) -> None:
    code = f"""
import sys, logging
from listener import log
log.start(form="lines" if {form!r} == "json" else "json")
log.start(form={form!r}, level="warning")
log.hide(["hunter2hunter2"])
assert "structlog" not in sys.modules
logging.getLogger("a.library").warning("It says hunter2hunter2.")
own = log.logger("a.module")
own.info("Too little to be told.")
own.warning("Told.", text="what somebody wrote")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=120,
    )
    library, ours = done.stderr.splitlines()
    assert done.stdout == ""
    assert "It says •••." in library
    assert "Told." in ours
    assert "19 characters" in ours
    assert library.startswith("{") == ours.startswith("{") == (form == "json")
