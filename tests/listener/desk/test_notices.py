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
from listener.desk.pictures import Picture
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
        "care (sandbox, es): 93 too long (593 of 500); shorten it, say --thread to make 2 posts of it, or give sandbox "
        "its own text with --variant 'sandbox:es=…'."
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


# --- threads and pictures ---

QUIET = Outlet(account="quiet", facts=replace(sandbox.FACTS, network="quiet", threads=False, images=None))
PICTURE = Picture(name="map.png", content_type="image/png", width=3, height=2, data=b"x" * 9)


def test_a_line_of_three_hyphens_begins_the_next_part() -> None:
    planned = notices.plan(options("es=uno\n---\ndos\n\n --- \n\ntres", "en=one -- --- not a line"), [CARE])
    assert [(each.language, each.part, each.text) for each in planned] == [
        ("es", 1, "uno"),
        ("es", 2, "dos"),
        ("es", 3, "tres"),
        ("en", 1, "one -- --- not a line"),
    ]


def test_each_part_is_counted_by_itself() -> None:
    assert problems(options("es=" + "x" * 500 + "\n---\n" + "y" * 501), CARE) == [
        "care (sandbox, es, part 2): 1 too long (501 of 500); shorten it, or give sandbox its own text with "
        "--variant 'sandbox:es=…'."
    ]


def test_where_there_are_no_threads_another_text_is_asked_for() -> None:
    written = options("es=uno\n---\ndos")
    assert problems(written, CARE, QUIET) == [
        "quiet (quiet, es): quiet knows no threads, and this text has 2 parts; give quiet its own text with "
        "--variant 'quiet:es=…'."
    ]
    with_its_own = options("es=uno\n---\ndos", variants=("quiet:es=todo",))
    planned = notices.plan(with_its_own, [CARE, QUIET])
    assert [(each.account, each.part) for each in planned] == [("care", 1), ("care", 2), ("quiet", 1)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("es=uno\n---\n", "The text in es has an empty part; write it, or take a line `---` out."),
        ("es=uno\n---\n---\ndos", "The text in es has an empty part; write it, or take a line `---` out."),
        (
            "es=uno\n---\ndos\n---\nuno",
            "care: part 1 in es and part 3 in es are the same; say it once, or in other words.",
        ),
    ],
)
def test_every_part_says_something_of_its_own(text: str, sentence: str) -> None:
    assert problems(options(text), CARE) == [sentence]


def pictured(*alts: str, without: tuple[str, ...] = (), files: tuple[str, ...] = ("map.png",)) -> Written:
    texts = ("es=uno\n---\ndos", "en=one")
    return notice_pages.from_options("T", texts, (), (), images=files, alts=alts, without_images=without)


def test_pictures_go_with_the_first_part() -> None:
    planned = notices.plan(pictured("es=un mapa", "en=a map"), [CARE], pictures=[PICTURE])
    assert [(each.language, each.part, each.images) for each in planned] == [
        ("es", 1, True),
        ("es", 2, False),
        ("en", 1, True),
    ]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (
            pictured("es=un mapa"),
            "map.png has no description in en, for those who cannot see it; say what it shows with --alt 'en=…'.",
        ),
        (pictured("es=un mapa", "en= "), "map.png has no description in en"),
        (pictured("es=un mapa", "en=a map", "en=another"), "There are 2 --alt in en, and one picture; leave some out."),
        (pictured("un mapa", "en=a map"), "--alt 'un mapa' cannot be read; write --alt 'es=…'."),
        (pictured("es=un mapa", "en=a\u202emap"), "The description of map.png holds"),
        (
            pictured("es=un mapa", "en=a map", without=("carre",)),
            "no image on: 'carre' is no account it goes to, nor its network; did you mean care?",
        ),
        (pictured("es=x", files=()), "There are 1 --alt in es, and no picture; leave some out."),
    ],
)
def test_what_is_wrong_with_the_pictures_is_said(written: Written, sentence: str) -> None:
    with pytest.raises(Mistake) as caught:
        notices.plan(written, [CARE], pictures=[PICTURE])
    assert sentence in str(caught.value)


def test_an_account_that_takes_no_pictures_goes_without_only_if_somebody_says_so() -> None:
    plain = Outlet(account="plain", facts=replace(sandbox.FACTS, images=None))
    alts = ("es=un mapa", "en=a map")
    with pytest.raises(Mistake, match="leave them out there with --no-image-on plain"):
        notices.plan(pictured(*alts), [CARE, plain], pictures=[PICTURE])
    planned = notices.plan(pictured(*alts, without=("plain",)), [CARE, plain], pictures=[PICTURE])
    assert {each.account for each in planned if each.images} == {"care"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("alt es: x", "n.md:2: this describes no picture; put `image: FILE` above it."),
        ("image: a.png\nalt español: x", "n.md:3: 'español' is no language; write `alt es: …`."),
        ("image: a.png\nalt es: x\nalt es: y", "n.md:4: a.png is described in es twice; leave one out."),
    ],
)
def test_a_line_about_pictures_that_cannot_be_read_is_named(line: str, sentence: str) -> None:
    assert notice_pages.from_markdown(f"# T\n{line}\n## es\nHola\n", "n.md").problems == (sentence,)


def test_what_a_networks_limits_forbid_is_said_for_each_account() -> None:
    small = Outlet(account="small", facts=replace(sandbox.FACTS, images=replace(sandbox.IMAGES, bytes=8)))
    with pytest.raises(Mistake, match=r"map\.png has 9 bytes, and small \(sandbox\) takes 8 bytes; make it smaller"):
        notices.plan(pictured("es=un mapa", "en=a map"), [CARE, small], pictures=[PICTURE])


MD_PICTURES = """# T
image: map.png
alt es: un mapa: el del corte
ALT en: a map

image: plan.png
alt es: un plan
no image on: brand, quiet

## es
Hola
"""
YAML_PICTURES = """title: T
texts: {es: Hola}
images:
  - file: map.png
    alt: {es: "un mapa: el del corte", en: a map}
  - {file: plan.png, alt: {es: un plan}}
no_image_on: [brand, quiet]
"""


def test_a_page_names_its_pictures() -> None:
    for found in (
        notice_pages.from_markdown(MD_PICTURES, "n.md"),
        notice_pages.from_yaml(YAML_PICTURES, "n.yaml"),
    ):
        assert found.problems == ()
        assert [(each.file, dict(each.alt)) for each in found.images] == [
            ("map.png", {"es": "un mapa: el del corte", "en": "a map"}),
            ("plan.png", {"es": "un plan"}),
        ]
        assert found.without_images == ("brand", "quiet")


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
    blocks = re.findall(r"^```\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    thread, page = (block for block in blocks if block[0] == "#")
    yaml = re.findall(r"^```yaml\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)[0]
    assert len(notices.plan(notice_pages.from_markdown(thread, "n.md"), [CARE, BRAND])) == 6
    assert len(notices.plan(notice_pages.from_markdown(page, "n.md"), [CARE, BRAND])) == 4
    assert len(notices.plan(notice_pages.from_yaml(yaml, "n.yaml"), [CARE, BRAND])) == 3


@pytest.mark.timeout(60)  # a few lines can stand for more than any memory holds
def test_aliases_in_yaml_are_refused() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(12))
    found = notice_pages.from_yaml(bomb + "title: T", "n.yaml")
    assert found.problems == (
        "n.yaml:2: this is not YAML (aliases are not read; write it out); check indentation and quotes.",
    )


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
