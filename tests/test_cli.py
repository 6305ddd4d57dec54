"""The command line as a whole: quick help, exit codes, clean ends."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import cli
from listener.errors import AuthFailed, ConfigProblem, EscuchaError, NotFound, Outage

ROOT = Path(__file__).parents[1]
HEAVY = {"sqlalchemy", "onnxruntime", "transformers", "tokenizers", "mastodon", "apscheduler", "pydantic", "numpy"}
HEAVY |= {
    "rich",
    "structlog",
    "jinja2",
    "yaml",
    "alembic",
    "torch",
    "requests",
    "httpx",
    "atproto_client",
    "simple_salesforce",
}


def python(code: str, *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ESCUCHA_")}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False, timeout=120)


@pytest.mark.parametrize("args", [["--help"], [], ["--version"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = f"""
import sys, cli
try:
    cli.escucha({args!r}, prog_name="escucha")
except SystemExit:
    pass
print("MODULES", *{{name.partition(".")[0] for name in sys.modules}})
"""
    done = python(code)
    shown, _, modules = done.stdout.partition("MODULES ")
    assert "escucha" in shown + done.stderr
    assert HEAVY & set(modules.split()) == set()


@pytest.mark.slow
def test_help_takes_less_than_half_of_importing_the_heavy_parts() -> None:
    def best(code: str) -> float:
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            assert python(code).returncode == 0
            took.append(time.perf_counter() - begun)
        return min(took)

    helped = best("import cli; cli.escucha(['--help'], prog_name='escucha')")
    assert helped < best("import sqlalchemy, onnxruntime") / 2


def test_every_mounted_command_exists_and_is_explained() -> None:
    context = click.Context(cli.escucha)
    listed = {name: text for group in cli.COMMANDS.values() for name, (_, text) in group.items()}
    for name in cli.escucha.list_commands(context):
        command = cli.escucha.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help, name
        assert listed[name], name


def test_every_command_answers_help() -> None:
    def walk(command: click.Command, path: list[str]) -> None:
        result = CliRunner().invoke(cli.escucha, [*path, "--help"])
        assert result.exit_code == 0, (path, result.output)
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                walk(inner, [*path, name])

    walk(cli.escucha, [])


def test_a_misspelt_command_is_guessed() -> None:
    result = CliRunner().invoke(cli.escucha, ["docter"])
    assert result.exit_code == 2
    assert "did you mean doctor?" in result.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("notice statsu", "There is no command 'statsu' in `notice`; did you mean status?"),
        ("notice show", "There is no command 'show' in `notice`; there is: "),
        ("explian", "There is no command 'explian'; did you mean explain?"),
        ("zzz", "There is no command 'zzz'; see --help."),
    ],
)
def test_a_command_that_is_not_there_leads_to_those_that_are(typed: str, said: str) -> None:
    result = CliRunner().invoke(cli.escucha, typed.split())
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[Exception]:
    """A command `doctor` that raises what `Failing.error` holds."""

    class Failing:
        error: BaseException = ValueError()

    @click.command("doctor")
    def doctor() -> None:
        raise Failing.error

    module = importlib.import_module("listener.commands.doctor")
    monkeypatch.setattr(module, "doctor", doctor)
    return Failing  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NotFound("There is no case \x1b[31mX."), 2, "There is no case \\x1b[31mX.\n"),
        (ConfigProblem(["One.", "Two."]), 2, "One.\nTwo.\n"),
        (Outage("The disk is full."), 1, "The disk is full.\n"),
        (AuthFailed("The token is not valid."), 1, "The token is not valid.\n"),
        (EscuchaError("Something."), 1, "Something.\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_exit_codes(failing: type, error: BaseException, code: int, said: str) -> None:
    failing.error = error
    result = CliRunner().invoke(cli.escucha, ["doctor"])
    assert (result.exit_code, result.stderr, result.stdout) == (code, said, "")


def test_a_bug_leaves_its_traceback_in_a_private_file(
    failing: type, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    failing.error = ZeroDivisionError("with \x1b inside")
    monkeypatch.setattr(sys, "argv", ["escucha", "doctor"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    err = capsys.readouterr().err
    (file,) = tmp_path.glob("escucha-bug-*.log")
    assert ended.value.code == 1
    assert str(file) in err
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert "Traceback" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0


def test_settings_may_come_from_the_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "other.toml"
    path.write_text('[brand]\nname = "Otra"\n', encoding="utf-8")
    monkeypatch.setenv("ESCUCHA_CONFIG", str(path))
    result = CliRunner().invoke(cli.escucha, ["config", "show", "--json"])
    assert json.loads(result.stdout)["brand"]["name"] == "Otra"


def test_whoever_stops_reading_ends_it_quietly(tmp_path: Path) -> None:
    code = f"""
import subprocess, sys
writer = subprocess.Popen([sys.executable, "-c", '''
import click, cli
from listener.commands import output
import listener.commands.doctor as module
@click.command("doctor")
def doctor():
    for number in range(100000):
        output.say("x" * 100)
module.doctor = doctor
import sys; sys.argv = ["escucha", "doctor"]
cli.main()
'''], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd={str(tmp_path)!r})
writer.stdout.readline(); writer.stdout.close()
print(repr(writer.stderr.read()), writer.wait())
"""
    assert python(code, cwd=tmp_path).stdout == "b'' 0\n"


def test_control_c_ends_it_cleanly(tmp_path: Path) -> None:
    code = """
import click, cli, signal, sys, time
import listener.commands.doctor as module
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests may ignore it, and we would inherit that
@click.command("doctor")
def doctor():
    print("ready", flush=True)
    time.sleep(60)
module.doctor = doctor
sys.argv = ["escucha", "doctor"]
cli.main()
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "Stopped.\n"
