"""`escucha kb draft`: an article from a solved case, in the words of the case, without the person."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import click

from listener.commands import kb_plain, looking
from listener.commands.app import App, pass_app
from listener.commands.output import block, heading, json_option, print_json, say
from listener.errors import Mistake
from listener.types import CaseState, DraftState, MentionState

if TYPE_CHECKING:
    from listener.desk.extracting import Piece
    from listener.store import Transaction
    from listener.store.cases import Case
    from listener.store.inbox import Draft
    from listener.store.mentions import Mention

SOLVED = (CaseState.RESOLVED, CaseState.CLOSED)


@click.command()
@click.option("--case", "reference", required=True, metavar="REF", help="The solved case, by its reference.")
@click.option("--language", metavar="CODE", help="The language of the article; the one spoken most in the case.")
@click.option("--hide", multiple=True, metavar="WORDS", help="Words that must not stand in it; may be repeated.")
@json_option
@pass_app
def draft(app: App, reference: str, *, language: str | None, hide: tuple[str, ...], as_json: bool) -> None:
    """Draft an internal article from a solved case: the problem in their words, the solution in those sent and noted.

    Names, handles, addresses, numbers, links and references of the people in the case are taken out. Names of others
    inside the text cannot be told from words: read it, and take them out with `escucha kb edit` or --hide.
    """
    from listener.desk import cases as desk
    from listener.desk import extracting, knowledge
    from listener.store import quotes
    from listener.store.articles import Written
    from listener.store.quotes import Quote

    with app.store.read() as tx:
        case = desk.find(tx, reference, app.config.cases.pattern)
    if case.state not in SOLVED:
        raise Mistake(f"{case.reference} is {case.state}; an article is drafted from a case that is solved.")
    if case.customer_reference:
        looking.at(app, [f"customer {case.customer_reference}"], reason=f"article from {case.reference}")
    with app.store.read() as tx:
        pieces, spoken, names = _gathered(tx, case)
    code = language or (spoken.most_common(1)[0][0] if spoken else kb_plain.languages(app)[0])
    offered = cast(Any, app.policies)
    extract = extracting.extract(
        pieces,
        code,
        anonymous=lambda text: str(offered.anonymous(text, names=names, hide=hide, language=code, places=True)),
    )
    if extract is None:
        raise Mistake(
            f"{case.reference} does not say enough: it takes what they wrote, and what helped: an answer that was "
            "sent, or the note of `escucha case resolve`. Write it yourself: escucha kb add"
        )
    with app.store.write() as tx:
        version = knowledge.write(
            tx,
            Written(texts={code: extract.text}),
            why=f"drafted from {case.reference}",
            case_id=case.id,
            by=app.actor,
            now=app.now(),
        )
        taken = [
            Quote(
                article_id=version.article_id,
                case_id=case.id,
                mention_id=each.mention_id,
                draft_id=each.draft_id,
                words=each.words,
            )
            for each in extract.taken
            if not each.ours or each.draft_id is not None
        ]
        quotes.keep(tx, taken)
    whole = f"{extract.text.title}\n{extract.text.answer}\n{extract.text.body}"
    still = offered.still_personal(whole, names=names, places=True)
    if as_json:
        print_json({**kb_plain.version_keys(version), "still_personal": list(still)})
        return
    heading(f"{version.name}  {code}  {extract.text.title}")
    say("  answer")
    block(extract.text.answer, indent=4)
    say()
    block(extract.text.body)
    say()
    if still:
        say(f"• There is still {', '.join(still)} in it; take it out: escucha kb edit K{version.article_id}")
    say(f"It is internal until you say otherwise. Read it, and mend it: escucha kb edit K{version.article_id}")


def _gathered(tx: Transaction, case: Case) -> tuple[list[Piece], Counter[str], set[str]]:
    """What was said in the case, the languages in which they spoke, and the names of those who did."""
    from listener.desk.extracting import Piece
    from listener.store import cases, decisions, inbox, mentions

    pieces: list[Piece] = []
    answers: list[Draft] = []
    spoken: Counter[str] = Counter()
    names = {case.customer_name or "", case.handle or ""}
    for number, _, _ in cases.mentions_in(tx, case):
        mention = mentions.get(tx, number)
        if mention.state is MentionState.GONE:
            continue
        names |= _names(mention)
        understanding = decisions.understanding_of(tx, number)
        if understanding is not None:
            spoken[understanding.language.partition("-")[0]] += 1
        pieces.append(Piece(text=mention.text, mention_id=number))
        answers += [each for each in inbox.of_mention(tx, number) if each.state is DraftState.SENT and each.text]
    last = pieces[-1].mention_id if pieces else 0
    for reply in sorted(answers, key=lambda each: (each.sent_at or each.proposed_at, each.id)):
        pieces.append(Piece(text=reply.text, mention_id=reply.mention_id, ours=True, draft_id=reply.id))
    for each in (*cases.merged_in(tx, case), case) if pieces else ():
        solved = cases.last_event(tx, each, "resolved")
        if solved is not None and (note := str(solved.detail.get("text") or solved.detail.get("note") or "")):
            pieces.append(Piece(text=note, mention_id=last, ours=True))
    return pieces, Counter({code: many for code, many in spoken.items() if code.isalpha() and len(code) <= 3}), names


def _names(mention: Mention) -> set[str]:
    return {mention.author.display_name, mention.author.handle}
