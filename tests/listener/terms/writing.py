"""Terms and posts out of few words, so that they often meet."""

from __future__ import annotations

from hypothesis import strategies as st

from listener.terms import And, Expression, From, Handle, Language, Not, Or, Phrase, Tag, Word

NAMES = ("iberia", "vuelo", "Express", "año", "ano", "avería", "o2", "5G", "东京", "🔥", "wi-fi", "iberia_express")
HANDLES = ("iberia", "iberia@mastodon.example", "ana.bsky.example", "express")
LANGUAGES = ("es", "en", "pt-br")

names = st.sampled_from(NAMES)
leaves: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Word, names),
    st.builds(Phrase, st.lists(names, min_size=1, max_size=3).map(" ".join)),
    st.builds(Tag, st.sampled_from([name for name in NAMES if name not in ("wi-fi", "🔥")])),
    st.builds(Handle, st.sampled_from(HANDLES)),
    st.builds(From, st.sampled_from(HANDLES)),
    st.builds(Language, st.sampled_from(LANGUAGES)),
)


def _joined(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, parts))


expressions = st.recursive(leaves, _joined, max_leaves=10)

posts = st.lists(
    st.one_of(
        names,
        st.sampled_from(("IBERIA", "averia", "#IberiaExpress", "#iberia2026", "@Iberia", "@iberia@mastodon.example")),
        st.sampled_from(
            ("@ana.bsky.example", "https://iberia.example/#vuelo", "ana@iberia.example", ",", "—", "u/express")
        ),
        st.text(max_size=5),
    ),
    max_size=12,
).map(" ".join)
languages = st.sampled_from((None, "", "es", "ES-mx", "en", "pt-BR", "pt"))
authors = st.sampled_from(("", "iberia", "Iberia@mastodon.example", "ana.bsky.example", "luis"))
