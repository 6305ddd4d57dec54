"""Terms on Mastodon: what its timelines and its search are asked, and what of the answer is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.mastodon_queries import read_query
from listener.errors import Mistake
from tests.connectors.conformance import only_new
from tests.connectors.test_mastodon import connected, said
from tests.servers.mastodon import MastodonServer


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as running:
        yield running


def test_a_hashtag_is_narrowed_here_and_needs_no_account(server: MastodonServer) -> None:
    wanted = said(server, "Un retraso de tres horas #Marca", language="es")
    said(server, "Otro día más #marca", language="es")
    said(server, "Ein Retraso #marca", language="de")
    said(server, "retraso, dice la marca #marca", who="marca")
    said(server, "retraso, dice otra #marca", who="marca@otro.example")
    connector = connected(server, token=None)
    query = "#marca retraso lang:es -from:marca"
    assert [post.external_id for post in connector.poll(query, None).posts] == [wanted]
    assert "here: retraso lang:es -from:marca" in connector.explain_query(query)


def test_a_choice_takes_as_few_searches_as_it_can(server: MastodonServer) -> None:
    found = [said(server, "avería de fibra"), said(server, "¡AVERIA!"), said(server, "corte de luz", who="luis")]
    said(server, "avería en casa, busco empleo")
    said(server, "corte de pelo")
    connector = connected(server)
    query = '("avería" OR #averia OR (corte luz)) -empleo'
    page = connector.poll(query, None)
    assert [post.external_id for post in page.posts] == found
    assert list(dict.fromkeys(server.searched)) == ['averia -"empleo"', 'corte luz -"empleo"']
    assert "2 text searches" in connector.explain_query(query)
    again = said(server, "corte de luz y avería")
    assert only_new(list(connector.poll(query, page.cursor).posts), set(found)) == [again]


def test_what_a_search_brings_is_matched_here(server: MastodonServer) -> None:
    wanted = said(server, "nada funciona", spoiler_text="fibra")
    said(server, "fibras de algodón")
    assert [post.external_id for post in connected(server).poll("nada fibra OR fibra", None).posts] == []
    server.person("ana").post("sin fibra")
    assert [post.text for post in connected(server).poll("fibra", None).posts] == ["sin fibra"]
    assert read_query("fibra").keeps(connected(server).recheck([wanted]).present[0], host="x.example")


@pytest.mark.parametrize(
    ("query", "said_so"),
    [
        ("fibra OR from:ana", "Mastodon cannot look for"),
        (" OR ".join(f"w{n}" for n in range(11)), "11 searches"),
        ("fibra (corte", "Column 7"),
        ("fibra lagn:es", r"did you mean lang:\?"),
    ],
)
def test_terms_that_cannot_be_searched_for_say_what_to_change(server: MastodonServer, query: str, said_so: str) -> None:
    with pytest.raises(Mistake, match=said_so):
        connected(server).explain_query(query)
