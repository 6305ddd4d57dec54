"""What of a notice goes where, and whether it can. Pure: texts in, texts and problems out.

A notice has one text for each language, and others for the accounts or networks that need their own. Every account gets
every language, unless `languages` says which; each account and language is one delivery. Where a line `---` divides a
text, its parts follow each other as a thread, each a delivery of its own; with `threads` one is made of what is too
long (`threads.py`). Pictures go with the first part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from listener.desk import pictures as desk_pictures
from listener.desk import threads
from listener.desk.notice_pages import Named, Place, Written, near, spoken
from listener.desk.pictures import Picture
from listener.errors import Mistake
from listener.store.notices import Variant
from listener.types import Facts

MAX_TITLE = 200
MOST_PARTS = 25  # of a thread that is made of one text

_UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NEXT_PART = re.compile(r"^[ \t]*---[ \t]*$", re.MULTILINE)
_LINK = re.compile(r"https?://[^\s<>\"“”«»]+")
_NAMED = re.compile(r"(?<![\w@/.])@\w[\w.-]*(?:@[\w.-]+\w)?")


@dataclass(frozen=True, kw_only=True)
class Outlet:
    """An account that can speak to everybody, and what its network allows."""

    account: str
    facts: Facts


def number(text: str) -> int:
    """The number in `N3`, `n3` or `3`. Raises Mistake."""
    found = re.fullmatch(r"[Nn]?(\d{1,18})", text.strip())
    if not found:
        raise Mistake(f"{text!r} is no notice; they look like N3, see `escucha notice status`.")
    return int(found[1])


def parts_of(text: str) -> list[str]:
    """The parts of a thread, which a line `---` divides; one where there is none."""
    return [part.strip() for part in _NEXT_PART.split(text)]


def links(text: str) -> list[str]:
    """Every link in the text, in order, each once."""
    return list(dict.fromkeys(found.rstrip(".,;:!?)]}'…") for found in _LINK.findall(text)))


def named(text: str) -> list[str]:
    """Every handle in the text: who would be told that we named them."""
    return list(dict.fromkeys(found.rstrip(".-") for found in _NAMED.findall(_LINK.sub(" ", text))))


# --- what goes where -------------------------------------------------------------------------------------------------


def plan(
    written: Written, outlets: Sequence[Outlet], problems: Sequence[str] = (), pictures: Sequence[Picture] = ()
) -> list[Variant]:
    """One text for each account and language, or each of its parts, counted as its network counts.

    `pictures` are those that `written` names, in its order. Raises Mistake with every problem at once, those handed in
    among them, one sentence a line.
    """
    found = [*problems, *written.problems, *_title_problems(written.title)]
    texts = {place: text.replace("\r\n", "\n").strip() for place, text in written.texts.items()}
    found += _text_problems(texts, outlets)
    chosen = {account: codes for account, codes in written.languages.items() if codes}
    accounts = {outlet.account for outlet in outlets}
    for account in chosen:
        if account and account not in accounts:
            found.append(f"languages: {account!r} is none of the accounts it goes to; {near(account, accounts)}")
    places = accounts | {outlet.facts.network for outlet in outlets}
    for where in written.without_images:
        if where not in places and outlets:
            found.append(f"no image on: {where!r} is no account it goes to, nor its network; {near(where, places)}")
    variants: list[Variant] = []
    for outlet in outlets:
        mine = _for_outlet(outlet, written, texts, chosen.get(outlet.account, chosen.get("")), found)
        if written.images and not {outlet.account, outlet.facts.network} & set(written.without_images):
            found += _picture_problems(written.images, pictures, outlet, [each.language for each in mine])
            mine = [replace(each, images=each.part == 1) for each in mine]
        variants += mine
    if found:
        raise Mistake("\n".join(dict.fromkeys(found)))
    return variants


def _for_outlet(
    outlet: Outlet,
    written: Written,
    texts: Mapping[Place, str],
    wanted: tuple[str, ...] | None,
    problems: list[str],
) -> list[Variant]:
    account, network = outlet.account, outlet.facts.network
    variants: list[Variant] = []
    offered = {language: "" for where, language in texts if where in ("", network, account)}
    for language in wanted or offered:
        found = [texts[where, language] for where in (account, network, "") if (where, language) in texts]
        if not found:
            problems.append(f"{account}: there is no text in {language}; add --text '{language}=…'.")
            continue
        parts = parts_of(found[0])
        if len(parts) > 1 and not outlet.facts.threads:
            problems.append(
                f"{account} ({network}, {language}): {network} knows no threads, and this text has {len(parts)} parts; "
                f"give {network} its own text with --variant '{network}:{language}=…'."
            )
            continue
        if written.threads and outlet.facts.threads and not _too_much(parts, outlet.facts):
            count, limit = outlet.facts.count, outlet.facts.limit
            parts = threads.thread(parts, count=count, limit=limit, numbered=written.numbered)
        for part, text in enumerate(parts, 1):
            length, limit = outlet.facts.count(text), outlet.facts.limit
            where = f"{account} ({network}, {language}{f', part {part}' if len(parts) > 1 else ''})"
            if length > limit:
                several = "" if written.threads else _as_thread(parts, outlet.facts)
                problems.append(
                    f"{where}: {length - limit} too long ({length} of {limit}); shorten it, "
                    f"{several}or "
                    f"give {network} its own text with --variant '{network}:{language}=…'."
                )
            if twin := next((each for each in variants if each.text == text), None):
                problems.append(_twins(account, twin, language, part, len(parts)))
            variants.append(
                Variant(
                    account=account,
                    network=network,
                    language=language,
                    text=text,
                    length=length,
                    limit=limit,
                    part=part,
                )
            )
    if not offered and texts and not wanted:
        problems.append(f"{account}: none of the texts is for it; add one for everywhere, such as --text 'es=…'.")
    return variants


def _as_thread(parts: Sequence[str], facts: Facts) -> str:
    """What to say of letting it go on as a thread; empty where it cannot."""
    if not facts.threads or _too_much(parts, facts):
        return ""
    made = threads.thread(parts, count=facts.count, limit=facts.limit)
    return f"say --thread to make {len(made)} posts of it, " if all(facts.count(x) <= facts.limit for x in made) else ""


def _too_much(parts: Sequence[str], facts: Facts) -> bool:
    """Whether it would be a thread that nobody reads to its end."""
    return sum(facts.count(part) for part in parts) > MOST_PARTS * facts.limit


def _twins(account: str, twin: Variant, language: str, part: int, parts: int) -> str:
    """Two messages with the same words could not be told apart when one of them has to be looked for."""
    if parts == 1 and twin.part == 1:
        return f"{account}: the texts in {twin.language} and {language} are the same; one of them is enough."
    return (
        f"{account}: part {twin.part} in {twin.language} and part {part} in {language} are the same; say it once, or "
        "in other words."
    )


def _picture_problems(
    files: Sequence[Named], pictures: Sequence[Picture], outlet: Outlet, languages: Iterable[str]
) -> list[str]:
    """Why the pictures cannot go out there as they are."""
    account, images = outlet.account, outlet.facts.images
    where = f"{account} ({outlet.facts.network})"
    if images is None:
        return [f"{where} takes no pictures; leave them out there with --no-image-on {account}."]
    found = desk_pictures.misfits(pictures, images, where)
    for each in files:
        for language in dict.fromkeys(languages):
            if not each.alt.get(language, "").strip():
                found.append(
                    f"{each.file} has no description in {language}, for those who cannot see it; say what it shows "
                    f"with --alt '{language}=…'."
                )
            else:
                found += desk_pictures.misdescribed(each.file, each.alt[language], images, where)
    return found


def _title_problems(title: str) -> list[str]:
    if not title.strip():
        return ["It has no title; give it one with --title, for yourselves to find it by."]
    if len(title) > MAX_TITLE or _UNSENDABLE.search(title) or "\n" in title:
        return [f"The title should be one line of at most {MAX_TITLE} characters; shorten it."]
    return []


def _text_problems(texts: Mapping[Place, str], outlets: Sequence[Outlet]) -> list[str]:
    if not texts:
        return ["It says nothing yet; add --text 'es=…'."]
    places = {"", *(outlet.account for outlet in outlets), *(outlet.facts.network for outlet in outlets)}
    found = []
    for (where, language), text in texts.items():
        if where not in places and outlets:
            hint = near(where, places - {""})
            found.append(f"{where!r} is no account it goes to, nor the network of one; {hint}")
        if not text:
            found.append(f"{spoken((where, language)).capitalize()} is empty; write it, or leave it out.")
        elif not all(parts_of(text)):
            found.append(
                f"{spoken((where, language)).capitalize()} has an empty part; write it, or take a line `---` out."
            )
        elif bad := _UNSENDABLE.search(text):
            found.append(
                f"{spoken((where, language)).capitalize()} holds {bad[0]!r}, which nobody can read; remove it."
            )
    return found
