"""`escucha access`, and tokens of users that are for some commands alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.listener.commands.test_users import Desk, desk, refused

__all__ = ["desk"]

Run = Callable[..., Result]


def read(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def run(escucha: Run) -> Run:
    Path("escucha.toml").write_text(
        '[crm.erp]\nsystem = "webhook"\nproof = "token"\n[crm.shop]\nsystem = "webhook"\n', encoding="utf-8"
    )
    return escucha


def test_from_letting_in_to_taking_back(run: Run) -> None:
    made = run("access", "add", "prometheus", "--for", "metrics", "--for", "crm:erp", "--days", "30")
    assert made.exit_code == 0, made.output
    words = made.stdout.strip()
    assert words.startswith("esc_")
    assert "shown this once" in made.stderr
    told = run("access", "list").stdout
    assert "prometheus" in told
    assert "crm:erp, metrics" in told
    assert words not in told
    (listed,) = read(run("access", "list", "--json"))["accesses"]
    assert listed.keys() == {
        "number", "name", "scopes", "live", "made_by", "made_at", "expires_at", "revoked_at", "used_at",
    }  # fmt: skip
    assert (listed["scopes"], listed["live"], listed["used_at"]) == (["crm:erp", "metrics"], True, None)
    assert "opens nothing any more" in run("access", "revoke", "1").stdout
    assert "No other program may come in" in run("access", "list").stdout
    assert not read(run("access", "list", "--all", "--json"))["accesses"][0]["live"]
    refused(run("access", "revoke", "1"), "taken back before")
    assert words not in run("audit", "show", "--json").stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("x", "--for", "everything"), "opens nothing"),
        (("x", "--for", "crm:sap"), "There is no CRM 'sap' in escucha.toml; there is: erp, shop."),
        (("x", "--for", "crm:shop"), 'proof = "token"'),
        (("A b", "--for", "metrics"), "is no name for it"),
        (("\x1b[31m", "--for", "metrics"), "is no name for it"),
    ],
)
def test_what_cannot_be_let_in_is_one_sentence(run: Run, given: tuple[str, ...], said: str) -> None:
    refused(run("access", "add", *given), said)
    assert read(run("access", "list", "--all", "--json")) == {"accesses": []}


def test_only_admins_let_programs_in(desk: Desk) -> None:
    desk.joins("sara", "--role", "supervisor")
    for command in (("add", "x", "--for", "metrics"), ("list",), ("revoke", "1")):
        refused(desk.by("sara", "access", *command), "is for admin")


def test_a_token_for_some_commands_calls_these_alone(desk: Desk) -> None:
    desk.joins("luis")
    made = read(desk.by("luis", "user", "token", "--only", "case list", "--only", "kb", "--label", "wall", "--json"))
    assert made["only"] == ["case list", "kb"]
    desk.tokens["wall"] = made["token"]
    assert desk.by("wall", "case", "list").exit_code == 0
    assert desk.by("wall", "kb", "list").exit_code == 0
    refused(desk.by("wall", "customer", "list"), "luis", "`case list`, `kb`", "not for `escucha customer list`")
    refused(desk.by("wall", "case", "take", "ES-26-000001-1"), "not for `escucha case take`")
    refused(desk.by("wall", "user", "token"), "not for `escucha user token`")
    assert [each.action for each in desk.about("command customer list")] == ["refused"]
    shown = desk.by("luis", "user", "tokens").stdout
    assert "case list, kb" in shown
    assert "all" in shown


def test_a_narrow_token_is_no_wider_than_its_user(desk: Desk) -> None:
    desk.joins("marta", "--role", "marketing")
    desk.tokens["narrow"] = read(desk.by("marta", "user", "token", "--only", "case", "--json"))["token"]
    refused(desk.by("narrow", "case", "list"), "marta is marketing")


@pytest.mark.parametrize("only", ["user", "user token", "user password", "access", "access add", "user enable"])
def test_no_narrow_token_lets_others_in(desk: Desk, only: str) -> None:
    refused(desk.by("", "user", "token", "--only", only), "which lets others in")


def test_a_command_that_is_not_there_is_no_scope(desk: Desk) -> None:
    refused(desk.by("", "user", "token", "--only", "case lst"), "There is no command 'case lst'")
    refused(desk.by("", "user", "token", "--only", ""), "There is no command ''")


def test_a_narrow_token_keeps_no_admin(desk: Desk) -> None:
    """The last way in must be one that opens everything."""
    desk.by("", "user", "token", "--only", "case list", "--json")
    refused(desk.by("", "user", "edit", "ana", "--os-user", "none"), "leave no admin who can act")
    assert desk.by("", "user", "token", "--json").exit_code == 0
    assert desk.by("", "user", "edit", "ana", "--os-user", "none").exit_code == 0
