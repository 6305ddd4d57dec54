"""The life of an article: nobody publishes what only they have read, and what is published never changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.desk import article_pages, knowledge
from listener.desk.readers import Reader
from listener.errors import AlreadyDone, Mistake, NotFound, Stale
from listener.store import articles, audit, ratings
from listener.store.articles import ArticleText, Written
from listener.store.ratings import Ratings
from listener.types import Audience, VersionState
from tests.listener.desk.shelf_world import BILL, NOW, ROUTER, Shelf, embed

OTHER = replace(ROUTER, answer="Espere cinco minutos.")


def test_an_article_is_read_by_somebody_else_before_it_is_published(shelf: Shelf) -> None:
    written = shelf.writes()
    with shelf.store.write() as tx, pytest.raises(Mistake, match=r"K1@1 is not accepted; somebody other than ana"):
        knowledge.publish(tx, shelf.article(written), model="m", embed=embed, by="ana", now=NOW)
    with pytest.raises(Mistake, match="somebody else must read it"):
        shelf.accepts(written, by="ana")
    out = shelf.publishes(written)
    assert (out.state, out.reviewed_by, out.published_by) == (VersionState.PUBLISHED, "luis", "luis")
    assert shelf.article(out).published == 1
    with shelf.store.read() as tx:
        actions = [entry.action for entry in audit.about(tx, "article 1")]
    assert actions == ["article.written", "article.accepted", "article.published"]


def test_capitals_make_nobody_else_of_its_author(shelf: Shelf) -> None:
    with pytest.raises(Mistake, match="somebody else must read it"):
        shelf.accepts(shelf.writes(by="ana"), by="Ana")


def test_who_wrote_a_part_of_it_cannot_accept_the_whole(shelf: Shelf) -> None:
    first = shelf.writes(by="ana")
    second = shelf.rewrites(first, OTHER, by="luis")
    for author in ("ana", "luis"):
        with pytest.raises(Mistake, match="You wrote K1@2, or a part of it"):
            shelf.accepts(second, by=author)
    assert shelf.accepts(second, by="eva").reviewed_by == "eva"


def test_authors_of_what_is_out_already_may_accept_what_others_write_after(shelf: Shelf) -> None:
    out = shelf.publishes(shelf.writes(by="ana"))
    later = shelf.rewrites(out, OTHER, by="luis")
    assert shelf.accepts(later, by="ana").state is VersionState.ACCEPTED


def test_an_edit_is_a_new_version_and_what_is_out_stays_until_that_is(shelf: Shelf) -> None:
    out = shelf.publishes(shelf.writes())
    draft = shelf.rewrites(out, OTHER)
    assert (draft.number, draft.state) == (2, VersionState.DRAFT)
    assert shelf.now_is(out) == out
    shelf.publishes(draft)
    old = shelf.now_is(out)
    assert (old.state, old.ended_by) == (VersionState.REPLACED, "luis")
    assert old.written == out.written
    assert shelf.article(out).published == 2


def test_a_draft_that_was_edited_before_it_was_published_is_dropped(shelf: Shelf) -> None:
    first = shelf.writes()
    shelf.rewrites(first, OTHER)
    assert shelf.now_is(first).state is VersionState.DROPPED
    with pytest.raises(Stale, match="K1@1 is not its newest version"):
        shelf.accepts(first)


def test_of_two_who_edit_the_same_version_the_second_is_told(shelf: Shelf) -> None:
    first = shelf.writes()
    shelf.rewrites(first, OTHER, by="luis")
    with pytest.raises(Stale, match="luis wrote K1@2 meanwhile"):
        shelf.rewrites(first, BILL, by="ana")


def test_a_reviewer_sends_back_and_the_author_mends(shelf: Shelf) -> None:
    written = shelf.writes()
    with shelf.store.write() as tx:
        back = knowledge.send_back(tx, shelf.article(written), 1, note="the fee is wrong", by="luis", now=NOW)
    assert (back.state, back.note) == (VersionState.RETURNED, "the fee is wrong")
    with pytest.raises(AlreadyDone):
        shelf.accepts(written)
    assert shelf.publishes(shelf.rewrites(back, OTHER)).number == 2


def test_the_same_words_are_no_new_version(shelf: Shelf) -> None:
    written = shelf.writes()
    with pytest.raises(Mistake, match="says exactly that already"):
        shelf.rewrites(written, replace(ROUTER, body=f"{ROUTER.body}\n\n"))


def test_what_is_retired_can_be_published_again_after_it_was_read_again(shelf: Shelf) -> None:
    out = shelf.publishes(shelf.writes())
    shelf.retires(out)
    assert (shelf.now_is(out).state, shelf.now_is(out).note) == (VersionState.RETIRED, "it ended")
    with pytest.raises(AlreadyDone, match="K1 is not published"):
        shelf.retires(out)
    again = shelf.rewrites(shelf.now_is(out), ROUTER)
    assert shelf.publishes(again).number == 2


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({}, "says nothing yet"),
        ({"es": ArticleText(title=" ", body="x")}, "has no title"),
        ({"es": ArticleText(title="x")}, "says nothing; give it a body"),
        ({"spanish": ArticleText(title="x", body="y")}, "'spanish' is no language"),
        ({"es": ArticleText(title="x" * 201, body="y")}, "title in es has 201 characters"),
        ({"es": ArticleText(title="x", body="\x1b[2J")}, "nobody can see"),
        ({"es": ArticleText(title="x", body="a\u202eb")}, "nobody can see"),
    ],
    ids=["nothing", "no title", "no body", "no language", "too long", "terminal", "turned around"],
)
def test_what_cannot_be_an_article_is_refused_with_the_reason(texts: dict[str, ArticleText], told: str) -> None:
    with pytest.raises(Mistake, match=told):
        knowledge.checked(Written(texts=texts))


# --- who may read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("teams", "roles", "reader", "may"),
    [
        ((), (), Reader(name="eva", roles=frozenset({"agent"})), True),
        (("billing",), (), Reader(name="eva", roles=frozenset({"agent"}), teams=frozenset({"billing"})), True),
        (("billing",), (), Reader(name="eva", roles=frozenset({"agent"}), teams=frozenset({"network"})), False),
        ((), ("moderator",), Reader(name="eva", roles=frozenset({"agent"})), False),
        (("billing",), ("agent",), Reader(name="eva", roles=frozenset({"agent"})), False),
        (("billing",), ("agent",), Reader(name="eva", roles=frozenset({"supervisor"})), True),
    ],
    ids=["everybody's", "own team", "other team", "other role", "role without team", "supervisor"],
)
def test_who_may_read(shelf: Shelf, teams: tuple[str, ...], roles: tuple[str, ...], reader: Reader, may: bool) -> None:
    shelf.publishes(shelf.writes(teams=teams, roles=roles))
    assert bool(shelf.finds("luz roja", reader=reader)) is may
    with shelf.store.read() as tx:
        if may:
            assert knowledge.find(tx, "K1", reader)[0].id == 1
        else:
            with pytest.raises(NotFound, match="no article K1@1 for you"):
                knowledge.find(tx, "K1", reader)


# --- looking again ---------------------------------------------------------------------------------------------------


def concerns(shelf: Shelf, number: int = 1) -> list[str]:
    with shelf.store.read() as tx:
        (article, newest), *_ = articles.listing(tx, of=[number])
        out = articles.published(tx).get(number, newest)
        rated = ratings.of_published(tx).get(number, ratings.NONE)
    found = knowledge.concerns(article, out, rated, newest=newest, stale_after=timedelta(days=180), now=shelf.now)
    return [each.what for each in found]


def test_what_nobody_looked_at_for_long_is_to_be_looked_at(shelf: Shelf) -> None:
    out = shelf.publishes(shelf.writes())
    shelf.later(days=179)
    assert concerns(shelf) == []
    shelf.later(days=1)
    assert concerns(shelf) == ["stale"]
    with shelf.store.write() as tx:
        articles.looked(tx, shelf.article(out), by="eva", now=shelf.now)
    assert concerns(shelf) == []


def test_what_was_to_be_looked_at_by_a_day_is_due_then(shelf: Shelf) -> None:
    out = shelf.publishes(shelf.writes(review_by=date(2026, 3, 6)))
    assert concerns(shelf) == []
    shelf.later(days=2)
    assert concerns(shelf) == ["due"]
    with shelf.store.write() as tx:
        articles.looked(tx, shelf.article(out), by="eva", now=shelf.now)
    assert concerns(shelf) == []


def test_what_changed_with_its_product_is_doubted_until_somebody_looked(shelf: Shelf) -> None:
    out = shelf.publishes(shelf.writes(product="Router X"))
    shelf.publishes(shelf.writes(BILL, product="Tariff"))
    with shelf.store.write() as tx:
        about = articles.about_product(tx, " router x ")
        articles.doubt(tx, about, why="new firmware", by="eva", now=shelf.now)
    assert about == [1]
    assert (concerns(shelf, 1), concerns(shelf, 2)) == (["doubted"], [])
    shelf.publishes(shelf.rewrites(out, OTHER))
    assert concerns(shelf) == []


def test_three_ratings_of_which_most_are_bad_are_needed_to_call_it_bad(shelf: Shelf) -> None:
    out = shelf.publishes(shelf.writes())

    def rates(by: str, useful: bool) -> None:
        with shelf.store.write() as tx:
            knowledge.rate(tx, shelf.article(out), useful=useful, reason="wrong menu", by=by, now=shelf.now)

    rates("ana", False)
    rates("ana", False)  # one voice, said twice
    rates("luis", False)
    assert concerns(shelf) == []
    rates("eva", True)
    assert concerns(shelf) == ["badly_rated"]
    rates("luis", True)
    assert concerns(shelf) == []
    with shelf.store.read() as tx:
        assert ratings.of_published(tx) == {1: Ratings(many=3, useful=2)}
    shelf.publishes(shelf.rewrites(out, OTHER))
    with shelf.store.read() as tx:
        assert ratings.of_published(tx) == {}, "a new version starts anew"


def test_what_is_not_published_cannot_be_rated_nor_called_useless_without_a_reason(shelf: Shelf) -> None:
    written = shelf.writes()
    with shelf.store.write() as tx, pytest.raises(Mistake, match="not published"):
        knowledge.rate(tx, shelf.article(written), useful=True, reason="", by="eva", now=NOW)
    shelf.publishes(written)
    with shelf.store.write() as tx, pytest.raises(Mistake, match="Say in a few words"):
        knowledge.rate(tx, shelf.article(written), useful=False, reason=" ", by="eva", now=NOW)


# --- pages -----------------------------------------------------------------------------------------------------------

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")), max_size=60
)
NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9: #-]{0,12}[a-z]", fullmatch=True), max_size=3, unique=True).map(tuple)
TEXTS = st.builds(
    ArticleText, title=WORDS.map(lambda word: f"t{word}"), answer=WORDS, body=st.lists(WORDS, max_size=4).map("\n".join)
)
LANGUAGES = st.sampled_from(["es", "en", "no", "pt-br", "ca"])  # `no` is a word of YAML


@given(
    written=st.builds(
        Written,
        texts=st.dictionaries(LANGUAGES, TEXTS, min_size=1, max_size=3),
        audience=st.sampled_from(Audience),
        teams=NAMES,
        roles=st.sampled_from([(), ("agent",), ("agent", "moderator")]),
        product=WORDS,
        review_by=st.none() | st.dates(min_value=date(2000, 1, 1)),
    )
)
def test_a_page_says_what_the_article_says(written: Written) -> None:
    assert article_pages.read(article_pages.page(written, "K12"), "K12.yaml") == (written, "K12")


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("texts: [", "a.yaml:1: "),
        ("- x", "a page has `texts:`"),
        ("texts: {es: {title: x, bdy: y}}", "there is no `bdy`"),
        ("texts: {es: {title: 5}}", "texts.es.title should be text"),
        ("audience: all\ntexts: {}", "audience should be internal or public"),
        ("review_by: soon\ntexts: {}", "review_by should be a day"),
        ("teams: billing\ntexts: {}", "teams should be a list"),
        ("texts: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: &a [x]\ntexts: *b", "undefined alias"),
        ("{" * 5000, "see docs/knowledge.md"),
    ],
    ids=["broken", "a list", "a slip", "a number", "audience", "day", "teams", "code", "alias", "deep"],
)
def test_a_page_that_cannot_be_read_says_where_and_why(page: str, told: str) -> None:
    with pytest.raises(Mistake, match=told):
        article_pages.read(page, "a.yaml")
