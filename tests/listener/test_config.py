"""The settings: what is read, what is refused, and that every problem is told at once."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from listener import config
from listener.config.lines import lines
from listener.errors import ConfigProblem
from listener.types import Mode

SETTINGS_PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


class Network(BaseModel):
    instance: str = Field(description="The server's address")
    access_token: SecretStr | None = Field(default=None, description="From the server's settings page")
    pages: int = 3
    key_file: str = ""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ESCUCHA_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(text: str) -> config.Config:
        path = tmp_path / "escucha.toml"
        path.write_text(text, encoding="utf-8")
        return config.load(path, networks=["mastodon", "sandbox"], settings_of=lambda _: Network)

    return read


def problems(read: Any, text: str) -> list[str]:
    with pytest.raises(ConfigProblem) as caught:
        read(text)
    return caught.value.problems


GOOD = """
[brand]
name = "Marca"
handles = ["@marca@mastodon.social"]

[policy]
file = "policy.yaml"
modes = {mastodon = "auto"}

[accounts.care]
network = "mastodon"
instance = "https://mastodon.social"

[[sources]]
name = "tag-marca"
account = "care"
query = "#marca"
every = "1h30m"
"""


def test_a_good_file_is_read_whole(read: Any, tmp_path: Path) -> None:
    found = read(GOOD)
    assert found.brand.name == "Marca"
    assert found.brand.languages == ("es", "en")
    assert found.policy.modes == {"mastodon": Mode.AUTO}
    assert found.policy_file == tmp_path / "policy.yaml"
    assert found.accounts["care"].network == "mastodon"
    assert found.accounts["care"].settings.instance == "https://mastodon.social"
    assert found.sources[0].every == timedelta(minutes=90)
    assert found.database.url == f"sqlite:///{tmp_path / 'escucha.db'}"


def test_an_empty_file_gives_the_defaults(read: Any) -> None:
    found = read("")
    assert found.accounts == {}
    assert found.policy_file is None
    assert found.cases.prefix == "ES"


@pytest.mark.parametrize(
    ("url", "suffix"),
    [
        ("sqlite:///data/x.db", "/data/x.db"),
        ("sqlite:////var/x.db", "sqlite:////var/x.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_only_a_relative_sqlite_path_is_anchored(read: Any, url: str, suffix: str) -> None:
    found = read(f'[database]\nurl = "{url}"').database.url
    assert found.endswith(suffix)
    assert ("data" in url) == (found != url)


def test_all_problems_come_together_each_with_its_place(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_DAEMON__LOG_LEVEL", "loud")
    monkeypatch.setenv("ESCUCHA_BRNAD__NAME", "x")
    monkeypatch.setenv("ESCUCHA_DATABASE_URL", "x")
    text = """[brand]
nmae = "x"
[accounts.care]
network = "mastodn"
[accounts.talk]
network = "mastodon"
instnce = "x"
pages = "many"
[[sources]]
name = "a"
account = "crae"
every = "60"
[[sources]]
name = "a"
account = "talk"
[wheel]
"""
    found = problems(read, text)
    wanted = [
        r"^ESCUCHA_BRNAD__NAME: there is no section brnad; did you mean brand\?$",
        r"^ESCUCHA_DATABASE_URL: write two underscores .* ESCUCHA_DATABASE__URL\.$",
        r"^ESCUCHA_DAEMON__LOG_LEVEL: daemon\.log_level should be 'debug', 'info' or 'warning'\.$",
        r"^escucha\.toml, line 2: brand\.nmae is not a setting; did you mean name\?$",
        r"^escucha\.toml, line 4: accounts\.care\.network names no network we know; did you mean mastodon\?$",
        r"^escucha\.toml, line 5: accounts\.talk\.instance is missing \(The server's address\); add it under",
        r"^escucha\.toml, line 7: accounts\.talk\.instnce is not a setting of mastodon; did you mean instance\?$",
        r"^escucha\.toml, line 8: accounts\.talk\.pages should be a valid integer",
        r"^escucha\.toml, line 11: sources\.account 'crae' is no account; did you mean care\?$",
        r'^escucha\.toml, line 12: sources\.every is not a duration; write for example "60s"',
        r"^escucha\.toml, line 14: sources\.name 'a' is used twice; give each source its own name\.$",
        r"^escucha\.toml, line 16: wheel is not a setting; choose one of: accounts, alerts, audit, brand",
    ]
    assert len(found) == len(wanted), found
    for pattern in wanted:
        assert [problem for problem in found if re.search(pattern, problem)], (pattern, found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[brand]\nname =\n", "escucha.toml, line 2: this is not TOML"),
        ("[brand]\n[brand]\n", "escucha.toml, line 2: this is not TOML"),
        ('[cases]\nprefix = "es"', "escucha.toml, line 2: cases.prefix cannot be used; write two to six capital"),
        ("brand = 5", "escucha.toml, line 1: brand should be a valid dictionary"),
        ("accounts = 5", "escucha.toml, line 1: accounts should be a valid dictionary"),
        ("sources = 5", "escucha.toml, line 1: sources should be a valid tuple"),
        ("sources = [5]", "escucha.toml, line 1: sources should be a valid dictionary"),
        ("[accounts.a__b]\nnetwork = 'sandbox'", "escucha.toml, line 1: accounts.a__b is no account name"),
        ("[accounts.a]\ninstance = 'x'", "escucha.toml, line 1: accounts.a.network is missing; choose one of: mast"),
        ('[policy]\nmodes = {twitter = "auto"}', "escucha.toml, line 2: policy.modes.twitter is not a network"),
    ],
)  # fmt: skip
def test_a_problem_names_its_line(read: Any, text: str, sentence: str) -> None:
    (found,) = problems(read, text)
    assert found.startswith(sentence)


def test_no_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match="run `escucha init`"):
        config.load(tmp_path / "none.toml", networks=[], settings_of=lambda _: Network)


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigProblem, match="cannot be read"):
        config.load(tmp_path / "e.toml", networks=[], settings_of=lambda _: Network)


# --- the environment ---


def test_the_environment_wins(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_BRAND__NAME", "Otra")
    monkeypatch.setenv("ESCUCHA_BRAND__LANGUAGES", "pt, es")
    monkeypatch.setenv("ESCUCHA_POLICY__MODES__MASTODON", "manual")
    monkeypatch.setenv("ESCUCHA_SOURCES__TAG_MARCA__EVERY", "5m")
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__PAGES", "7")
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__KEY_FILE", "/a/path/that/is/only/a/path")
    found = read(GOOD)
    assert found.brand.name == "Otra"
    assert found.brand.languages == ("pt", "es")
    assert found.policy.modes == {"mastodon": Mode.MANUAL}
    assert found.sources[0].every == timedelta(minutes=5)
    assert found.accounts["care"].settings.pages == 7
    assert found.accounts["care"].settings.key_file == "/a/path/that/is/only/a/path"


def test_a_secret_of_digits_stays_text(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN", "0012345")
    found = read(GOOD)
    assert found.accounts["care"].settings.access_token.get_secret_value() == "0012345"
    assert found.secrets() == ["0012345"]
    assert "0012345" not in repr(found)


def test_a_secret_may_stand_in_a_file_of_its_own(read: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret-value\n", encoding="utf-8")
    (tmp_path / "url").write_text("postgresql://u:pass-word@h/db\n", encoding="utf-8")
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("ESCUCHA_DATABASE__URL_FILE", str(tmp_path / "url"))
    found = read(GOOD)
    assert found.secrets() == ["s3cret-value", "pass-word"]
    assert found.database.url == "postgresql://u:pass-word@h/db"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN_FILE", "/nope", "/nope cannot be read"),
        ("ESCUCHA_ACCOUNTS__CRAE__ACCESS_TOKEN", "x", "there is no account crae; did you mean care?"),
        ("ESCUCHA_ACCOUNTS__CARE__ACESS_TOKEN", "x", "is not a setting of mastodon; did you mean access_token?"),
        ("ESCUCHA_SOURCES__TAG_MRCA__EVERY", "5m", "there is no source tag_mrca; did you mean tag_marca?"),
        ("ESCUCHA_SOURCES__TAG_MARCA__EVERY", "soon", "is not a duration"),
        ("ESCUCHA_SOURCES", "[]", "name one source"),
        ("ESCUCHA_BRAND", "{}", "set one key at a time"),
    ],
)
def test_a_wrong_variable_is_named(
    read: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    (found,) = problems(read, GOOD)
    assert found.startswith(name)
    assert sentence in found


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (GOOD.replace('instance =', 'access_token = "hunter2hunter2"\ninstance ='), "ACCOUNTS__CARE__ACCESS_TOKEN"),
        ('[database]\nurl = "postgresql://u:hunter2hunter2@h/db"', "DATABASE__URL"),
        ('[database]\nurl = "postgresql://u@h/db?password=hunter2hunter2"', "DATABASE__URL"),
        ('[database]\nurl = "postgresql://u@h/db?sslmode=require&sslpassword=hunter2hunter2"', "DATABASE__URL"),
    ],
)  # fmt: skip
def test_a_secret_in_the_file_is_refused_and_not_repeated(read: Any, text: str, key: str) -> None:
    (found,) = problems(read, text)
    assert f"ESCUCHA_{key}_FILE" in found
    assert "hunter2" not in found


def test_a_value_that_a_network_refuses_is_not_repeated(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__PAGES", "hunter2hunter2")
    (found,) = problems(read, GOOD)
    assert "hunter2" not in found


# --- the parts ---


@pytest.mark.parametrize("text", ["", "0s", "5", "5 minutes", "-5m", "1m1h", "m", 5, None, "9" * 30 + "d"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        config.duration(text)


@given(st.integers(1, 10**7))
def test_durations_count(seconds: int) -> None:
    minutes, rest = divmod(seconds, 60)
    assert config.duration(f"{minutes}m{rest}s") == timedelta(seconds=seconds)


def test_lines_know_tables_arrays_and_dotted_keys() -> None:
    tables = ["a = 1", "[b]  # c", "c.d = 2", '"e f" = 3', "[[s]]", "n = 1", "[[s]]", "[s.t]", "n = 2"]
    text = "\n".join([*tables, 'x = """', "y = 1", '"""'])
    assert lines(text) == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c", "d"): 3,
        ("b", "e f"): 4,
        ("s",): 5,
        ("s", 0): 5,
        ("s", 0, "n"): 6,
        ("s", 1): 7,
        ("s", "t"): 8,
        ("s", "t", "n"): 9,
        ("s", "t", "x"): 10,
    }


@given(st.text(max_size=200))
def test_lines_survive_any_text(text: str) -> None:
    assert all(line >= 1 for line in lines(text).values())


def test_the_page_of_settings_is_true() -> None:
    page = SETTINGS_PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    told = {key: (default.strip("`"), meaning) for key, default, meaning in rows if not meaning.startswith("`ESC")}
    there = {}
    for section, model in {**config.SECTIONS, "alerts": config.Target, **config.OF_EVERY_ACCOUNT}.items():
        for key, field in model.model_fields.items():
            there[f"{section}.{key}"] = (_written(field), field.description)
    assert told == there


def _written(field: Any) -> str:
    if field.is_required() or field.default is None:
        return "–"
    if isinstance(field.default, timedelta):
        seconds = int(field.default.total_seconds())
        return f'"{seconds // 60}m"' if seconds % 60 == 0 else f'"{seconds}s"'
    return json.dumps(field.default)


def test_an_account_may_have_a_budget_beside_its_networks_own_keys(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__BUDGET__MONTH", "100")
    found = read(GOOD + "\n[accounts.care.budget]\nday = 5\n").accounts["care"]
    assert (found.budget.day, found.budget.month, found.budget.reading) == (5.0, 100.0, 0.8)
    assert found.settings.instance == "https://mastodon.social"
    assert (
        read(GOOD.replace("accounts.care]", "accounts.care]\nbudget = {day = 2.5}")).accounts["care"].budget.day == 2.5
    )


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("budget = 5", "accounts.care.budget is a section of its own: write [accounts.care.budget]"),
        ("budget = {dya = 5}", "accounts.care.budget.dya is not a setting; did you mean day?"),
        ("budget = {day = 0}", "accounts.care.budget.day should be greater than 0."),
        ("budget = {day = nan}", "accounts.care.budget.day should be a finite number."),
        ("budget = {month = 'much'}", "accounts.care.budget.month should be a valid number"),
        ("budget = {reading = 1.5}", "accounts.care.budget.reading should be less than or equal to 0.95."),
        ("budgte = {day = 5}", "accounts.care.budgte is not a setting of mastodon; did you mean budget?"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(read: Any, budget: str, said: str) -> None:
    (problem,) = problems(read, f'[accounts.care]\nnetwork = "mastodon"\ninstance = "x"\n{budget}\n')
    assert said in problem
    assert "line 4" in problem


# --- the brand's terms ---

ASKED = """
[brand]
terms = '''
(iberia OR #iberia
 OR "iberia express") -empleo
'''

[accounts.care]
network = "mastodon"
instance = "https://m.example"

[[sources]]
name = "brand"
account = "care"
query = "brand"

[[sources]]
name = "spanish"
account = "care"
query = "r/spain {brand} lang:es"

[[sources]]
name = "word"
account = "care"
query = "brand new"
"""


def test_a_source_may_ask_for_the_brands_terms(read: Any) -> None:
    terms = '(iberia OR #iberia OR "iberia express") -empleo'
    assert [source.query for source in read(ASKED).sources] == [terms, f"r/spain ({terms}) lang:es", "brand new"]


def test_the_brands_terms_may_come_from_the_environment(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_BRAND__TERMS", "vueling")
    assert read(ASKED).sources[0].query == "vueling"


def test_terms_that_cannot_be_read_name_their_place(read: Any) -> None:
    assert problems(read, ASKED.replace("-empleo", "-(empleo")) == [
        "escucha.toml, line 3: brand.terms cannot be read. "
        "Line 2, column 24: this ( is never closed; add the ) that is missing."
    ]


def test_a_source_that_asks_for_terms_that_are_not_there_says_so(read: Any) -> None:
    told = problems(read, re.sub(r"terms = '''.*?'''", "", ASKED, flags=re.DOTALL))
    assert told == [
        f"escucha.toml, line {line}: sources.query asks for the brand's terms; write terms = … under [brand]."
        for line in (12, 17)
    ]


def test_a_variable_left_over_from_another_account_is_only_noted(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__REDDIT__CLIENT_SECRET", "x")
    (note,) = read(GOOD).notes
    assert note.startswith("ESCUCHA_ACCOUNTS__REDDIT__CLIENT_SECRET: there is no account reddit in escucha.toml")
