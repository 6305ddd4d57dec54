"""Mastodon's texts: HTML to plain text, length, addressing, comparing; for the given cases and for any text."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mastodon_text import address, count, same_words, to_text
from connectors.plain import clean

ANA = {"id": "1", "username": "ana", "acct": "ana@otra.example", "url": "https://otra.example/@ana"}


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("sin etiquetas", "sin etiquetas", id="no markup"),
        pytest.param("https://example.com", "https://example.com", id="only a URL"),
        pytest.param("/etc/passwd", "/etc/passwd", id="looks like a file name"),
        pytest.param("<p>uno</p><p>dos<br>tres<br/>cuatro</p>", "uno\n\ndos\ntres\ncuatro", id="paragraphs and breaks"),
        pytest.param("<p>a &amp; b &lt;i&gt; &quot;c&quot; &#39;&nbsp;e</p>", "a & b <i> \"c\" '\xa0e", id="entities"),
        pytest.param(
            '<p>ver <a href="https://www.example.com/una/larga"><span class="invisible">https://www.</span>'
            '<span class="ellipsis">example.com/una/</span><span class="invisible">larga</span></a>.</p>',
            "ver https://www.example.com/una/larga.",
            id="shortened link",
        ),
        pytest.param('<a href="https://a.example/b">pulsa aquí</a>', "pulsa aquí (https://a.example/b)", id="named"),
        pytest.param('<a href="https://example.com/">example.com</a>', "https://example.com/", id="bare link"),
        pytest.param('<a href="javascript:alert(1)">pulsa</a>', "pulsa", id="script link"),
        pytest.param("<a>sin destino</a>", "sin destino", id="no destination"),
        pytest.param(
            '<span class="h-card"><a href="https://otra.example/@ana" class="mention">@<span>ana</span></a></span> '
            "hola",
            "@ana@otra.example hola",
            id="remote mention",
        ),
        pytest.param('<a href="https://x.example/@eva" class="mention">@<span>eva</span></a>', "@eva", id="unknown"),
        pytest.param('<a href="https://x/t/luz" class="mention hashtag">#<span>luz</span></a>', "#luz", id="hashtag"),
        pytest.param("<p>:blobcat: hola</p>", ":blobcat: hola", id="custom emoji"),
        pytest.param('<img class="emoji" alt=":cat:" src="x"> hola', ":cat: hola", id="emoji as a picture"),
        pytest.param('<p class="quote-inline">RE: <a href="https://x/1">x</a></p><p>miren</p>', "miren", id="quote"),
        pytest.param("<ul><li>uno</li><li>dos</li></ul>", "- uno\n- dos", id="list"),
        pytest.param("<p>dos\nlíneas</p><pre>dos\nlíneas</pre>", "dos líneas\n\ndos\nlíneas", id="source lines"),
        pytest.param("<script>alert(1)</script><style>p{}</style>hola", "hola", id="script and style"),
        pytest.param("<!-- nada --><![CDATA[x]]><p>hola</p>", "x\n\nhola", id="comments"),
        pytest.param("<p>sin <b>cerrar <i>nada", "sin cerrar nada", id="unclosed"),
        pytest.param("</p></div></div>hola</p>", "hola", id="closed too often"),
        pytest.param("<p><![foo[ roto</p>", "<![foo[ roto", id="broken declaration"),
        pytest.param("a\x00b\x08c\ud800d", "abcd", id="control characters"),
        pytest.param("<div>" * 12_000 + "hondo" + "</b>" * 5_000, "hondo", id="deep"),
        pytest.param("<p>" + "<br>" * 50 + "x</p>", "x", id="many breaks"),
    ],
)  # fmt: skip
def test_html_becomes_text(html: str, text: str) -> None:
    assert to_text(html, [ANA]) == text


words = st.text(alphabet=st.characters(exclude_characters="<>&"), max_size=30)
tags = st.sampled_from(
    [
        "p",
        "br",
        "a",
        "span",
        "b",
        "ul",
        "li",
        "pre",
        "script",
        "blockquote",
        "img",
        "table",
        "svg",
        "style",
        "div",
        "x-y",
    ]
)
pieces = st.one_of(
    words,
    tags.map("<{}>".format),
    tags.map("</{}>".format),
    tags.map('<{} class="invisible mention quote-inline" href="https://x.example" alt="x">'.format),
    st.sampled_from(
        ["&amp;", "&lt;", "&#0;", "&#xD800;", "&bogus;", "<!--", "-->", "<!", "<![", "]]>", "<?", "<", ">"]
    ),
)


@settings(deadline=None)
@given(st.text())
def test_any_text_passes(html: str) -> None:
    text = to_text(html)
    assert "\x00" not in text
    text.encode("utf-8")


@settings(deadline=None)
@given(st.lists(pieces, max_size=30).map("".join))
def test_any_soup_passes(html: str) -> None:
    to_text(html).encode("utf-8")


@settings(deadline=None)
@given(st.lists(st.one_of(words, tags.map("<{}>".format), tags.map("</{}>".format)), max_size=30).map("".join))
def test_no_tag_is_left(html: str) -> None:
    assert not re.search(r"</?[a-z-]+>", to_text(html))


@settings(deadline=None)
@given(st.text())
def test_what_was_escaped_comes_back(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert to_text(f"<p>{escaped}</p>").split() == clean(text).split()


# --- length ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("hola", 4),
        ("¡Señal!", 7),
        ("n\u0303", 1),
        ("👍", 1),
        ("https://example.com", 23),
        ("https://example.com/" + "a" * 300, 23),
        ("mira https://example.com/a?b=c&d=e#f, vale", 5 + 23 + 6),
        ("(https://example.com/a)", 25),
        ("http://a.es http://b.es", 23 + 1 + 23),
        ("@ana", 4),
        ("@ana@otra.example hola", 9),
        ("correo@empresa.example", 22),
        ("@ana@otra.example.", 5),
    ],
)
def test_length_is_counted_as_a_server_counts(text: str, length: int) -> None:
    assert count(text) == length


@pytest.mark.parametrize("text", ["http://localhost/x", "https://例え.jp/x", "https://a.b"])
def test_what_may_be_a_url_is_rather_counted_too_long(text: str) -> None:
    assert count(text) >= 23


@settings(deadline=None)
@given(st.text())
def test_counting_takes_any_text(text: str) -> None:
    assert count(text) >= 0
    assert count(unicodedata.normalize("NFD", text)) == count(text)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="@:/", categories=["L", "N", "P", "Zs"])))
def test_plain_text_counts_its_characters(text: str) -> None:
    assert count(text) == len(unicodedata.normalize("NFC", text))


def test_counting_a_very_long_text_is_quick() -> None:
    for text in ("@" + "a" * 200_000, "https://" + "a." * 100_000, "@a" * 100_000, "https://a.es/" + "(" * 200_000):
        assert count(text) > 0


# --- addressing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "handle", "addressed"),
    [
        ("Hola", "ana", "@ana Hola"),
        ("Hola", "@ana", "@ana Hola"),
        ("Hola", "ana@otra.example", "@ana@otra.example Hola"),
        ("Hola @ana.", "ana", "Hola @ana."),
        ("Hola @ANA, qué tal", "ana", "Hola @ANA, qué tal"),
        ("Hola @ana@otra.example", "ana", "@ana Hola @ana@otra.example"),
        ("Hola @ana", "ana@otra.example", "@ana@otra.example Hola @ana"),
        ("Hola @anabel", "ana", "@ana Hola @anabel"),
        ("Hola @ana-bel", "ana", "@ana Hola @ana-bel"),
        ("escriba a correo@ana", "ana", "@ana escriba a correo@ana"),
        ("Hola", "ana @todos", "Hola"),
        ("Hola", "ana\n@todos", "Hola"),
        ("Hola", "", "Hola"),
        ("  Hola\x00 \r\n", "ana", "@ana Hola"),
        ("", "ana", "@ana"),
        ("Hola", "ñandú", "@ñandú Hola"),
    ],
)
def test_a_reply_names_its_author_once(text: str, handle: str, addressed: str) -> None:
    assert address(text, handle) == addressed


@settings(deadline=None)
@given(st.text(), st.text(max_size=40))
def test_addressing_twice_changes_nothing(text: str, handle: str) -> None:
    once = address(text, handle)
    assert address(once, handle) == once


# --- comparing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("@ana Hola, lo miramos.", "Hola, lo miramos.", True),
        ("@ana@otra.example Hola", "@ana Hola", True),
        ("Mira https://example.com/a", "Mira\nhttps://example.com/a", True),
        ("**Hola** _a todos_", "Hola a todos", True),
        ("Resuelto", "No resuelto", False),
        ("Caso ES-26-000123-7", "Caso ES-26-000124-4", False),
        ("👍", "👎", False),
        ("👍", "👍\ufe0f", True),
        ("", "👍", False),
    ],
)
def test_the_same_words_are_the_same_post(one: str, other: str, same: bool) -> None:
    assert same_words(one, other) is same


@settings(deadline=None)
@given(st.text())
def test_a_text_says_what_its_html_says(text: str) -> None:
    escaped = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>")
    assert same_words(text, to_text(f"<p>{escaped}</p>"))
