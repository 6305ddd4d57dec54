"""How notices are written and what goes where: every problem at once, every length as the network counts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import mastodon, sandbox
from listener.desk import notice_pages, notices
from listener.desk.notice_pages import Written
from listener.desk.notices import Outlet
from listener.errors import Mistake

CARE = Outlet(account="care", facts=sandbox.FACTS)
BRAND = Outlet(account="brand", facts=mastodon.FACTS)


def problems(written: Written, *outlets: Outlet) -> list[str]:
    with pytest.raises(Mistake) as caught:
        notices.plan(written, outlets or (CARE, BRAND))
    return str(caught.value).split("\n")


def options(*texts: str, variants: tuple[str, ...] = (), languages: tuple[str, ...] = (), title: str = "T") -> Written:
    return notice_pages.from_options(title, texts, variants, languages)


@pytest.mark.parametrize(("text", "number"), [("N3", 3), ("n12", 12), ("7", 7), (" N1 ", 1)])
def test_a_number_is_read_however_it_is_written(text: str, number: int) -> None:
    assert notices.number(text) == number


@pytest.mark.parametrize("text", ["", "N", "M3", "N-3", "3.5", "N" + "9" * 30])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(Mistake, match="is no notice"):
        notices.number(text)


# --- what goes where ---


def test_every_account_gets_every_language() -> None:
    planned = notices.plan(options("es=Hola", "en=Hello"), [CARE, BRAND])
    assert [(each.account, each.language, each.text) for each in planned] == [
        ("care", "es", "Hola"),
        ("care", "en", "Hello"),
        ("brand", "es", "Hola"),
        ("brand", "en", "Hello"),
    ]


def test_an_accounts_own_text_goes_before_its_networks_and_that_before_the_general_one() -> None:
    second = Outlet(account="second", facts=sandbox.FACTS)
    written = options("es=general", variants=("sandbox:es=network", "care:es=account"))
    planned = notices.plan(written, [CARE, second, BRAND])
    assert {each.account: each.text for each in planned} == {"care": "account", "second": "network", "brand": "general"}


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ((), {"care": ["es", "en"], "brand": ["es", "en"]}),
        (("en",), {"care": ["en"], "brand": ["en"]}),
        (("care=es",), {"care": ["es"], "brand": ["es", "en"]}),
        (("care=en,es", "es"), {"care": ["en", "es"], "brand": ["es"]}),
    ],
)
def test_languages_say_which_goes_where(languages: tuple[str, ...], expected: dict[str, list[str]]) -> None:
    planned = notices.plan(options("es=Hola", "en=Hello", languages=languages), [CARE, BRAND])
    found = {name: [each.language for each in planned if each.account == name] for name in ("care", "brand")}
    assert found == expected


def test_lengths_are_counted_as_each_network_counts() -> None:
    text = "x" * 470 + " https://marca.example/" + "y" * 100
    only_brand = notices.plan(options(f"es={text}"), [BRAND])
    assert only_brand[0].length == 471 + 23
    assert problems(options(f"es={text}")) == [
        "care (sandbox, es): 93 too long (593 of 500); shorten it, or give sandbox its own text with "
        "--variant 'sandbox:es=…'."
    ]


def test_a_server_with_more_room_is_given_more() -> None:
    roomy = Outlet(account="care", facts=replace(sandbox.FACTS, limit=1000))
    assert notices.plan(options("es=" + "x" * 800), [roomy])[0].limit == 1000


def test_every_problem_is_told_at_once() -> None:
    written = options(
        "es=" + "x" * 501,
        "en=",
        "nonsense",
        "es=again",
        variants=("mastodn:es=x", "es=no place"),
        languages=("carre=es", "care=español"),
        title=" ",
    )
    found = "\n".join(problems(written))
    for part in (
        "--text 'nonsense' cannot be read",
        "--text gives the text in es twice",
        "--variant 'es' cannot be read",
        "no title",
        "'español' is no language",
        "'mastodn' is no account it goes to, nor the network of one; did you mean mastodon?",
        "The text in en is empty",
        "'carre' is none of the accounts it goes to; did you mean care?",
        "care (sandbox, es): 1 too long (501 of 500)",
        "brand (mastodon, es): 1 too long (501 of 500)",
    ):
        assert part in found


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (options(), "It says nothing yet"),
        (options("es=Hola", languages=("fr",)), "care: there is no text in fr; add --text 'fr=…'."),
        (options("es=Hola", "en=Hola"), "the texts in es and en are the same"),
        (options("es=a\x1b[2Jb"), "holds '\\x1b', which nobody can read"),
        (options("es=a\udcffb"), "which nobody can read"),
        (options("es=Hola", title="x" * 201), "one line of at most 200"),
        (options("es=Hola", title="a\nb"), "one line of at most 200"),
        (options(variants=("mastodon:es=Hola",)), "care: none of the texts is for it"),
    ],
)
def test_what_cannot_be_meant_is_refused(written: Written, sentence: str) -> None:
    assert sentence in "\n".join(problems(written))


@given(st.dictionaries(st.sampled_from(["es", "en", "fr"]), st.text(max_size=600), max_size=3), st.text(max_size=20))
def test_whatever_is_planned_fits_and_says_something(texts: dict[str, str], title: str) -> None:
    written = notice_pages.from_options(title, [f"{code}={text}" for code, text in texts.items()], (), ())
    try:
        planned = notices.plan(written, [CARE, BRAND])
    except Mistake:
        return
    assert len(planned) == 2 * len(texts)
    for each in planned:
        assert each.text.strip()
        assert 0 < each.length <= each.limit


# --- files ---

PAGE = """# Corte en Lleida
<!-- for
ourselves -->
on: care, brand

## es
Hay un corte.

#MarcaInforma

## en
There is an outage.

## mastodon:es
Corte.
"""
YAML = """
title: Corte en Lleida
on: [care, brand]
texts:
  es: |
    Hay un corte.

    #MarcaInforma
  en: There is an outage.
variants:
  mastodon:
    es: Corte.
"""


def test_a_page_and_a_yaml_file_say_the_same() -> None:
    page, yaml = notice_pages.from_markdown(PAGE, "n.md"), notice_pages.from_yaml(YAML, "n.yaml")
    assert (page.title, page.accounts) == (yaml.title, yaml.accounts) == ("Corte en Lleida", ("care", "brand"))
    assert page.problems == yaml.problems == ()
    assert notices.plan(page, [CARE, BRAND]) == notices.plan(yaml, [CARE, BRAND])
    assert [each.text for each in notices.plan(page, [CARE, BRAND])] == [
        "Hay un corte.\n\n#MarcaInforma",
        "There is an outage.",
        "Corte.",
        "There is an outage.",
    ]


def test_the_files_in_the_guide_are_good_ones() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "notices.md").read_text(encoding="utf-8")
    page = next(block for block in re.findall(r"^```\n(.*?)^```", guide, re.DOTALL | re.MULTILINE) if block[0] == "#")
    yaml = re.findall(r"^```yaml\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)[0]
    assert len(notices.plan(notice_pages.from_markdown(page, "n.md"), [CARE, BRAND])) == 4
    assert len(notices.plan(notice_pages.from_yaml(yaml, "n.yaml"), [CARE, BRAND])) == 3


def test_languages_in_yaml_are_text_even_where_yaml_sees_a_boolean() -> None:
    found = notice_pages.from_yaml("title: T\ntexts: {no: Hei}\nlanguages: [no]", "n.yaml")
    assert found.texts == {("", "no"): "Hei"}
    assert found.languages == {"": ("no",)}


def test_languages_in_yaml_may_differ_by_account() -> None:
    found = notice_pages.from_yaml("title: T\ntexts: {es: a, en: b}\nlanguages: {care: es, brand: [en]}", "n.yaml")
    assert found.languages == {"care": ("es",), "brand": ("en",)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title: [", "n.yaml:1: this is not YAML"),
        ("- a", "n.yaml: a notice is a mapping"),
        ("", "n.yaml: a notice is a mapping"),
        ("titel: T", "`titel` is not known here; did you mean title?"),
        ("title: T\ntexts:\n  es: a\n  es: b", "n.yaml:4: `es` stands here twice"),
        ("title: {a: b}", "title should be one line of text"),
        ("texts: hola", "texts should hold a text for each language"),
        ("texts: {español: x}", "'español' is no language"),
        ("texts: {es: [a]}", "texts.es should be text"),
        ("variants: x", "variants should hold a block"),
        ("on: {a: b}", "on should be a list of words"),
        ("? [a, b]\n: c", "this is not YAML"),
    ],
)
def test_a_yaml_file_that_cannot_be_read_says_why(text: str, sentence: str) -> None:
    assert sentence in "\n".join(notice_pages.from_yaml(text, "n.yaml").problems)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("# T\nHola\n## es\nx", "n.md:2: this line belongs to no language"),
        ("# T\n<!-- a\nb -->\n## Español\nx", "n.md:4: 'Español' is no language"),
        ("# T\n## es\nx\n## es\ny", "n.md:4: the text in es stands here twice"),
    ],
)
def test_a_page_that_cannot_be_read_says_why(text: str, sentence: str) -> None:
    assert sentence in "\n".join(notice_pages.from_markdown(text, "n.md").problems)


def test_an_empty_sheet_says_nothing() -> None:
    found = notice_pages.from_markdown(notice_pages.sheet("Corte", ["es", "en"], ["care"]), "n.md")
    assert (found.title, found.accounts, found.texts, found.problems) == ("Corte", ("care",), {}, ())


@given(st.text(max_size=300))
def test_no_file_is_a_bug(text: str) -> None:
    for read in (notice_pages.from_markdown, notice_pages.from_yaml):
        assert isinstance(read(text, "n"), Written)


# --- what to look at twice ---


def test_links_and_names_are_listed() -> None:
    text = "Mira https://marca.example/a?b=1, (https://x.example/@ana) @ana y @luis@otro.example. Mail a@b.example"
    assert notices.links(text) == ["https://marca.example/a?b=1", "https://x.example/@ana"]
    assert notices.named(text) == ["@ana", "@luis@otro.example"]
