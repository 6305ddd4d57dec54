"""Texts folded: case, accents and width do not count, ñ does."""

from __future__ import annotations

import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.terms import folding


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("  ¡Avería,\tYA! ", "averia ya", id="case, accents, punctuation"),
        pytest.param("AÑO año an\u0303o ano", "año año año ano", id="ñ is a letter of its own, however it is written"),
        pytest.param("ＩＢＥＲＩＡ ①", "iberia 1", id="full width"),
        pytest.param("𝐈𝐛𝐞𝐫𝐢𝐚", "iberia", id="mathematical letters"),
        pytest.param("Ibe\u00adria i\u200bberia", "iberia iberia", id="invisible characters"),
        pytest.param("Straße Œuvre Łódź İzmir ıslak", "strasse oeuvre lodz izmir islak", id="letters without a mark"),
        pytest.param("l'Oréal wi-fi 24/7 a_b", "l oreal wi fi 24 7 a b", id="words of several parts"),
        pytest.param("Movistar™ Iberia®", "movistar iberia ®", id="trade marks are no letters"),
        pytest.param("hola🔥🔥👍🏽", "hola 🔥 🔥 👍", id="each emoji is a word, whatever its skin"),
        pytest.param("東京カード", "東 京 カ ー ド", id="scripts without spaces"),
        pytest.param("ｶﾞｽ ガス", "ガ ス ガ ス", id="half-width kana"),
        pytest.param("हिन्दी", "हिन्दी", id="vowel signs stay"),
        pytest.param("Ελλάς ΕΛΛΑΣ", "ελλασ ελλασ", id="Greek"),
        pytest.param("Её ЁЖ", "ее еж", id="Cyrillic"),
        pytest.param("مُحَمَّد محمد", "محمد محمد", id="Arabic vowels"),
        pytest.param("m² 25°C ½", "m2 25 ° c 1 2", id="signs"),
        pytest.param("... \x00 \x85 !", "", id="nothing"),
    ],
)
def test_words_are_folded(text, expected):
    assert folding.words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("hola mundo", " hola mundo ", id="plain"),
        pytest.param("con #iberia", " con iberia | #iberia ", id="a tag in small letters"),
        pytest.param(
            "con #IberiaExpress ya", " con iberiaexpress ya | con iberia express ya | #iberiaexpress ", id="humps"
        ),
        pytest.param("#RENFECercanías", " renfecercanias | renfe cercanias | #renfecercanias ", id="capitals"),
        pytest.param("#iberia2026", " iberia2026 | iberia 2026 | #iberia2026 ", id="digits"),
        pytest.param("#iberia_express", " iberia express | #iberia_express ", id="an underscore"),
        pytest.param("＃Iberia", " iberia | #iberia ", id="a full-width sign"),
        pytest.param("C# x#y a&#39; l/#z ##k", " c x y a 39 l z k ", id="no hashtags"),
        pytest.param("hola @Iberia!", " hola iberia | @iberia ", id="a mention"),
        pytest.param(
            "@Iberia@m.example", " iberia m example | @iberia@m.example @iberia ", id="a mention with its host"
        ),
        pytest.param(
            "@iberia.bsky.social.", " iberia bsky social | @iberia.bsky.social @iberia ", id="a mention by domain"
        ),
        pytest.param("ana@iberia.es /@iberia", " ana iberia es iberia ", id="no mentions"),
        pytest.param("/u/iberia y u/Ana", " u iberia y u ana | @iberia @ana ", id="mentions on Reddit"),
        pytest.param("reddit.com/u/iberia bu/ana", " reddit com u iberia bu ana ", id="no mentions on Reddit"),
    ],
)
def test_a_text_has_a_form(text, expected):
    assert folding.form(text) == expected


@given(st.text())
def test_folding_twice_changes_nothing(text):
    words, letters = folding.words(text), folding.letters(text)
    assert folding.words(words) == words
    assert folding.letters(letters) == letters


@given(st.text(alphabet=st.one_of(st.characters(max_codepoint=0x17F), st.characters(), st.sampled_from("\x01 “🔥ñ東"))))
def test_the_short_ways_give_what_the_long_way_gives(text):
    long_way = folding._composed(text).translate(folding._SPACED)
    assert folding.words(text) == " ".join(long_way.split())


@given(st.text(), st.sampled_from(["NFC", "NFD"]))
def test_however_a_text_is_composed_its_words_are_the_same(text, way):
    plain = "".join(each for each in text if each.isalnum() and ord(each) < 0x1000)
    assert folding.words(unicodedata.normalize(way, plain)) == folding.words(plain)


@given(st.text(), st.text())
def test_words_of_two_texts_are_the_words_of_each(one, other):
    assert folding.words(f"{one} . {other}") == f"{folding.words(one)} {folding.words(other)}".strip()


@given(
    st.text(alphabet=st.one_of(st.characters(max_codepoint=0x3FF), st.characters(), st.sampled_from("#@ _nN\u0303")))
)
def test_whatever_is_in_the_form_is_in_the_sieved_text(text):
    sieved = folding.sieve(text, strange=False)
    if sieved is not None:
        assert [each for each in folding.form(text).split() if (folding.grain(each) or "") not in sieved] == []


@pytest.mark.slow
def test_every_character_folds_to_itself_or_to_what_folds_to_itself():
    changed = []
    for code in range(sys.maxunicode + 1):
        words = folding.words(chr(code))
        if folding.words(words) != words or any(sign in words for sign in "#@|"):
            changed.append(hex(code))
        grain, sieved = folding.grain(words), folding.sieve(chr(code), strange=False)
        if grain and sieved is not None and grain not in sieved:
            changed.append(hex(code))
    assert changed == []


@given(st.text(alphabet=st.one_of(st.sampled_from("#@_.-/u Ab1"), st.characters()), max_size=300))
def test_no_word_holds_a_sign_that_sets_tags_and_mentions_apart(text):
    assert not set("#@|") & set(folding.words(text))
    assert folding.form(text).startswith(" ")
    assert folding.form(text).endswith(" ")


@pytest.mark.parametrize(
    "mark", ["\u0300\u0316", "\uff9e\u0316", "\u0315\u0345\u05b0"], ids=["accents", "kana", "three"]
)
def test_marks_heaped_on_one_letter_take_no_longer_than_letters(mark):
    began = time.process_time()
    for _ in range(10):
        folding.form("averi\u0301a " + "a" + mark * 50_000)
    assert time.process_time() - began < 10


def test_a_letter_keeps_the_marks_that_people_use():
    zalgo = "a" + "\u0300" * 29
    assert folding.unheaped(zalgo + "b") == zalgo + "b"
    assert folding.unheaped("a" + "\u0300" * 31 + "b") == "a" + "\u0300" * 30 + "b"
