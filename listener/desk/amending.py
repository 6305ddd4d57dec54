"""What a correction or a follow-up of a notice comes to, place by place. Pure: what is out and new texts in.

A *place* is an account and a language. Where the network can change a post, a correction is an edit of it, part by
part; elsewhere what changed goes out once more, as a follow-up. A follow-up goes below the last part of what is out
where the network knows threads; elsewhere it stands by itself and ends with the first one's address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from listener.desk import notices as desk
from listener.desk.notice_pages import Place, Written
from listener.desk.notices import Outlet
from listener.errors import Mistake
from listener.store.amendments import Amendment, Change
from listener.store.notices import Delivery, Notice, Variant
from listener.types import AmendmentKind, AmendmentState, DeliveryState, Facts

SAYS_SO = {"es": "Corrección: ", "en": "Correction: "}  # before what goes out once more
RESOLVED = {
    "es": "Resuelto: ya vuelve a funcionar todo. Gracias por la paciencia.",
    "en": "Resolved: everything works again. Thank you for your patience.",
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one message that is out stands. `versions`: what it said until when; `waiting`: what is yet to be done."""

    deleted: Amendment | None = None
    pinned: Amendment | None = None
    versions: tuple[Amendment, ...] = ()
    waiting: tuple[Amendment, ...] = ()
    failed: tuple[Amendment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What goes out below a message instead of a change of it, and why that is so."""

    first: Delivery
    variant: Variant
    why: str


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What becomes of each message that a correction is about; `same` say it already."""

    edits: tuple[Change, ...]
    followed: tuple[Followed, ...]
    same: tuple[Delivery, ...]


def standing(amendments: Iterable[Amendment]) -> dict[int, Standing]:
    """How each delivery stands that something was done to, by its number."""
    found: dict[int, Standing] = {}
    for each in amendments:
        now = found.get(each.delivery_id, Standing())
        match each.state, each.kind:
            case AmendmentState.DONE, AmendmentKind.DELETE:
                now = replace(now, deleted=each, pinned=None)
            case AmendmentState.DONE, AmendmentKind.EDIT:
                now = replace(now, versions=(*now.versions, each))
            case AmendmentState.DONE, AmendmentKind.PIN:
                now = replace(now, pinned=each)
            case AmendmentState.DONE, AmendmentKind.UNPIN:
                now = replace(now, pinned=None)
            case AmendmentState.FAILED, _:
                now = replace(now, failed=(*now.failed, each))
            case AmendmentState.DROPPED, _:
                continue
            case _:
                now = replace(now, waiting=(*now.waiting, each))
        found[each.delivery_id] = now
    return found


def out(notice: Notice, amendments: Iterable[Amendment]) -> list[Delivery]:
    """What of the notice is on its networks now, as far as we know where: sent, and not deleted since."""
    stands = standing(amendments)
    gone = {number for number, each in stands.items() if each.deleted}
    return [
        each
        for each in notice.deliveries
        if each.state is DeliveryState.SENT and each.posted_id and each.id not in gone
    ]


def unaddressed(notice: Notice, where: str | None = None) -> list[Delivery]:
    """What of the notice a person says is out, without anybody knowing where."""
    account, _, language = (where or "").partition("/")
    lost = [each for each in notice.deliveries if each.state is DeliveryState.SENT and not each.posted_id]
    return [each for each in lost if account in ("", each.account) and language in ("", each.language)]


def meant(there: Sequence[Delivery], where: str | None, notice: Notice) -> list[Delivery]:
    """Those that `ACCOUNT` or `ACCOUNT/LANGUAGE` names, all where it names nothing. Raises Mistake for none."""
    account, _, language = (where or "").partition("/")
    found = [each for each in there if account in ("", each.account) and language in ("", each.language)]
    if found:
        return found
    if not there:
        raise Mistake(f"Nothing of N{notice.id} is out; see `escucha notice status N{notice.id}`.")
    places = ", ".join(dict.fromkeys(f"{each.account}/{each.language}" for each in there))
    raise Mistake(f"N{notice.id} is not out on {where}; it is out on {places}.")


# --- correcting ------------------------------------------------------------------------------------------------------


def correct(notice: Notice, there: Sequence[Delivery], written: Written, outlets: Sequence[Outlet]) -> Correction:
    """What the new texts come to on the accounts of `outlets`; languages without a new text stay as they are.

    Raises Mistake with every problem at once, one sentence a line.
    """
    places = _places(there)
    texts: dict[Place, str] = {}
    for outlet in outlets:
        for account, language in places:
            text = _text_for(written, outlet, language) if account == outlet.account else None
            if text is not None:
                texts[account, language] = text
    wrong = _misaddressed(written, there, texts)
    if not texts and not wrong:
        wrong = [f"No text is for what is out of N{notice.id}; give it in {_languages(there)}, as in --text 'es=…'."]
    planned = _planned(notice, texts, outlets, [*written.problems, *wrong])
    edits: list[Change] = []
    followed: list[Followed] = []
    same: list[Delivery] = []
    problems: list[str] = []
    facts = {outlet.account: outlet.facts for outlet in outlets}
    for place in texts:
        old, new = places[place], [each for each in planned if (each.account, each.language) == place]
        allowed = facts[place[0]]
        if len(old) != len(new) and allowed.edits is not None:
            problems.append(
                f"{place[0]} ({old[0].network}, {place[1]}): {len(old)} parts are out and the new text has {len(new)}; "
                "make them as many, with a line `---` between two parts."
            )
            continue
        pairs = list(zip(old, new, strict=True)) if len(old) == len(new) else [(None, each) for each in new]
        changed: list[tuple[Variant, str]] = []
        for was, becomes in pairs:
            if was is not None and was.text == becomes.text:
                same.append(was)
                continue
            why = _no_edit(allowed, was, becomes)
            if was is not None and not why:
                change = Change(delivery=was, kind=AmendmentKind.EDIT, text=becomes.text, length=becomes.length)
                edits.append(change)
            else:
                changed.append((becomes, why))
        followed += _followed(old, changed, allowed, problems, prefix=SAYS_SO.get(place[1], ""))
    if problems:
        raise Mistake("\n".join(dict.fromkeys(problems)))
    return Correction(edits=tuple(edits), followed=tuple(followed), same=tuple(same))


def _no_edit(facts: Facts, was: Delivery | None, becomes: Variant) -> str:
    if facts.edits is None:
        return f"{facts.network} lets us change no post"
    return facts.edits(was.text, becomes.text) if was else ""


# --- following -------------------------------------------------------------------------------------------------------


def follow(notice: Notice, there: Sequence[Delivery], written: Written, outlets: Sequence[Outlet]) -> list[Followed]:
    """One follow-up for each place of `outlets` where the notice is out. Raises Mistake with every problem at once."""
    places = {place: parts for place, parts in _places(there).items() if place[0] in {each.account for each in outlets}}
    texts: dict[Place, str] = {}
    lacking: list[str] = []
    by_account = {outlet.account: outlet for outlet in outlets}
    for account, language in places:
        text = _text_for(written, by_account[account], language)
        if text is None:
            lacking.append(f"{account}: there is no text in {language}; add --text '{language}=…'.")
        else:
            texts[account, language] = text
    wrong = [*lacking, *_misaddressed(written, there, texts)]
    planned = _planned(notice, texts, outlets, [*written.problems, *wrong])
    problems: list[str] = []
    found: list[Followed] = []
    for place, old in places.items():
        new = [(each, "") for each in planned if (each.account, each.language) == place]
        found += _followed(old, new, by_account[place[0]].facts, problems)
    if problems:
        raise Mistake("\n".join(dict.fromkeys(problems)))
    return found


def _followed(
    old: Sequence[Delivery],
    new: Sequence[tuple[Variant, str]],
    facts: Facts,
    problems: list[str],
    *,
    prefix: str = "",
) -> list[Followed]:
    """Those texts as a thread of their own below the last part that is out, or with the first one's address."""
    found = []
    for part, (variant, why) in enumerate(new, 1):
        text = variant.text
        if part == 1 and facts.count(prefix + text) <= facts.limit:
            text = text if text.startswith(prefix.strip()) else prefix + text
        if not facts.threads and old[0].posted_url:
            text = f"{text}\n\n{old[0].posted_url}"
        length = facts.count(text)
        if length > facts.limit:
            problems.append(
                f"{variant.account} ({variant.network}, {variant.language}): {length - facts.limit} too long with the "
                f"address of the first one ({length} of {facts.limit}); shorten it."
            )
        below = old[-1].id if facts.threads and part == 1 else None
        made = replace(variant, text=text, length=length, part=part, below_id=below)
        found.append(Followed(first=old[-1], variant=made, why=why))
    return found


# --- what both share -------------------------------------------------------------------------------------------------


def _places(there: Iterable[Delivery]) -> dict[Place, list[Delivery]]:
    """What is out by account and language, each the parts of one thread in order."""
    found: dict[Place, list[Delivery]] = {}
    for each in sorted(there, key=lambda delivery: (delivery.id, delivery.part)):
        found.setdefault((each.account, each.language), []).append(each)
    return found


def _text_for(written: Written, outlet: Outlet, language: str) -> str | None:
    places = ((outlet.account, language), (outlet.facts.network, language), ("", language))
    return next((written.texts[place] for place in places if place in written.texts), None)


def _misaddressed(written: Written, there: Sequence[Delivery], texts: Mapping[Place, str]) -> list[str]:
    """Texts that are for nothing that is out."""
    used = {language for _, language in texts}
    names = {"", *(each.account for each in there), *(each.network for each in there)}
    found = [
        f"It is not out in {language}; it is in {_languages(there)}."
        for where, language in written.texts
        if language not in used and where in names
    ]
    return found + [
        f"{where!r} is no account it is out on, nor the network of one."
        for where, _ in written.texts
        if where not in names
    ]


def _languages(there: Iterable[Delivery]) -> str:
    return ", ".join(dict.fromkeys(each.language for each in there))


def _planned(
    notice: Notice, texts: Mapping[Place, str], outlets: Sequence[Outlet], problems: Sequence[str]
) -> list[Variant]:
    """Those texts as their networks count them. Raises Mistake with every problem at once."""
    languages: dict[str, list[str]] = {}
    for account, language in texts:
        languages.setdefault(account, []).append(language)
    speaking = [outlet for outlet in outlets if outlet.account in languages]
    if problems or not speaking:
        raise Mistake("\n".join(dict.fromkeys(problems)))
    whole = Written(
        title=notice.title, texts=texts, languages={account: tuple(codes) for account, codes in languages.items()}
    )
    return desk.plan(whole, speaking)
