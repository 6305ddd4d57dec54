"""How a notice is written, and what goes where. Pure: texts in, texts and problems out.

A notice has one text for each language, and others for the accounts or networks that need their own. Every account gets
every language, unless `languages` says which; each account and language is one delivery.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from listener.errors import Mistake
from listener.store.notices import Variant
from listener.types import Facts

MAX_TITLE = 200

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_HEAD = re.compile(r"(?:([a-z0-9_-]+)[:\s]\s*)?([a-z]{2,3}(?:-[A-Za-z]{2,4})?)")  # es, or mastodon:es
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LINK = re.compile(r"https?://[^\s<>\"“”«»]+")
_NAMED = re.compile(r"(?<![\w@/.])@\w[\w.-]*(?:@[\w.-]+\w)?")

Place = tuple[str, str]  # an account, a network or "" for everywhere; and a language


@dataclass(frozen=True, kw_only=True)
class Written:
    """A notice as somebody wrote it. `accounts` empty: all that can publish. `problems`: what could not be read."""

    title: str = ""
    accounts: tuple[str, ...] = ()
    texts: Mapping[Place, str] = field(default_factory=dict)
    languages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by account; "" for every other one
    problems: tuple[str, ...] = ()


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


def links(text: str) -> list[str]:
    """Every link in the text, in order, each once."""
    return list(dict.fromkeys(found.rstrip(".,;:!?)]}'…") for found in _LINK.findall(text)))


def named(text: str) -> list[str]:
    """Every handle in the text: who would be told that we named them."""
    return list(dict.fromkeys(found.rstrip(".-") for found in _NAMED.findall(_LINK.sub(" ", text))))


# --- reading what was written ----------------------------------------------------------------------------------------


def from_options(title: str, texts: Sequence[str], variants: Sequence[str], languages: Sequence[str]) -> Written:
    """What stood on the command line: `es=…`, `mastodon:es=…`, and `es,en` or `care=es`."""
    found: dict[Place, str] = {}
    problems: list[str] = []
    for option, given in [*(("--text", each) for each in texts), *(("--variant", each) for each in variants)]:
        head, equals, text = given.partition("=")
        place = _place(head) if equals else None
        if place is None or bool(place[0]) is not (option == "--variant"):
            example = "es=…" if option == "--text" else "mastodon:es=…"
            problems.append(f"{option} {head!r} cannot be read; write {option} '{example}'.")
        elif place in found:
            problems.append(f"{option} gives {spoken(place)} twice; leave one out.")
        else:
            found[place] = text
    chosen: dict[str, tuple[str, ...]] = {}
    for given in languages:
        account, equals, codes = given.rpartition("=")
        chosen[account.strip()] = _codes(codes, "--languages", problems)
    return Written(title=title, texts=found, languages=chosen, problems=tuple(problems))


def from_markdown(text: str, name: str) -> Written:
    """A page such as `sheet` gives: a title after `#`, perhaps `on: care, brand`, and a text under each `## es`."""
    title = ""
    accounts: tuple[str, ...] = ()
    texts: dict[Place, str] = {}
    problems: list[str] = []
    place: Place | None = None
    before_texts = True
    blank = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text.lstrip("\ufeff").replace("\r\n", "\n"))
    for at, line in enumerate(blank.split("\n"), 1):
        if re.match(r"##\s", line):
            before_texts, place = False, _place(line[2:])
            if place is None:
                problems.append(
                    f"{name}:{at}: {line[2:].strip()!r} is no language; write `## es`, or `## mastodon:es`."
                )
            elif place in texts:
                problems.append(f"{name}:{at}: {spoken(place)} stands here twice; leave one out.")
            else:
                texts[place] = ""
        elif place is not None:
            texts[place] += line + "\n"
        elif before_texts and re.match(r"#(\s|$)", line) and not title:
            title = line[1:].strip()
        elif before_texts and (found := re.fullmatch(r"on:(.*)", line.strip(), re.IGNORECASE)):
            accounts = tuple(part.strip() for part in found[1].split(",") if part.strip())
        elif before_texts and line.strip():
            problems.append(f"{name}:{at}: this line belongs to no language; put `## es` above it.")
    filled = {place: text for place, text in texts.items() if text.strip()}
    return Written(title=title, accounts=accounts, texts=filled, problems=tuple(problems))


def from_yaml(text: str, name: str) -> Written:
    """The same as YAML: `title`, `on`, `texts`, `variants` and `languages`. Every value is taken as text."""
    import yaml

    class Loader(yaml.BaseLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    problems.append(
                        f"{name}:{key.start_mark.line + 1}: `{key.value}` stands here twice; leave one out."
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    problems: list[str] = []
    try:
        data = yaml.load(text, Loader=Loader)  # noqa: S506  # makes nothing but text, lists, mappings
    except (yaml.YAMLError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        what = getattr(error, "problem", None) or "it cannot be read"
        return Written(problems=(f"{name}:{line}: this is not YAML ({what}); check indentation and quotes.",))
    if not isinstance(data, dict):
        return Written(problems=(f"{name}: a notice is a mapping that starts with `title:`; see docs/notices.md.",))
    known = ("title", "on", "texts", "variants", "languages")
    problems += [f"{name}: `{key}` is not known here; {_near(key, known)}" for key in data if key not in known]
    texts = _texts(data.get("texts"), "", f"{name}: texts", problems)
    variants = data.get("variants") or {}
    if not isinstance(variants, dict):
        problems.append(f"{name}: variants should hold a block for each account or network.")
        variants = {}
    for where, block in variants.items():
        texts |= _texts(block, where, f"{name}: variants.{where}", problems)
    title = data.get("title", "")
    if not isinstance(title, str):
        problems.append(f"{name}: title should be one line of text.")
    languages = data.get("languages") or {}
    by_account = languages if isinstance(languages, dict) else {"": languages}
    return Written(
        title=title if isinstance(title, str) else "",
        accounts=_words(data.get("on"), f"{name}: on", problems),
        texts=texts,
        languages={
            account: _codes(",".join(_words(codes, f"{name}: languages", problems)), f"{name}: languages", problems)
            for account, codes in by_account.items()
        },
        problems=tuple(problems),
    )


def sheet(title: str, languages: Iterable[str], accounts: Iterable[str]) -> str:
    """An empty page to write a notice on; `from_markdown` reads it."""
    heads = "\n\n\n".join(f"## {language}" for language in languages)
    return (
        f"# {title}\n\n"
        "<!-- The title stands above, after the #; it is for yourselves. Write one text under each language; a\n"
        "heading such as `## mastodon:es` gives a network, or an account, its own. Leave all empty to stop. -->\n\n"
        f"on: {', '.join(accounts)}\n\n{heads}\n\n"
    )


# --- what goes where -------------------------------------------------------------------------------------------------


def plan(written: Written, outlets: Sequence[Outlet], problems: Sequence[str] = ()) -> list[Variant]:
    """One text for each account and language, each counted as its network counts.

    Raises Mistake with every problem at once, those handed in among them, one sentence a line.
    """
    found = [*problems, *written.problems, *_title_problems(written.title)]
    texts = {place: text.replace("\r\n", "\n").strip() for place, text in written.texts.items()}
    found += _text_problems(texts, outlets)
    chosen = {account: codes for account, codes in written.languages.items() if codes}
    accounts = {outlet.account for outlet in outlets}
    for account in chosen:
        if account and account not in accounts:
            found.append(f"languages: {account!r} is none of the accounts it goes to; {_near(account, accounts)}")
    variants: list[Variant] = []
    for outlet in outlets:
        variants += _for_outlet(outlet, texts, chosen.get(outlet.account, chosen.get("")), found)
    if found:
        raise Mistake("\n".join(dict.fromkeys(found)))
    return variants


def _for_outlet(
    outlet: Outlet, texts: Mapping[Place, str], wanted: tuple[str, ...] | None, problems: list[str]
) -> list[Variant]:
    account, network = outlet.account, outlet.facts.network
    variants: list[Variant] = []
    offered = {language: "" for where, language in texts if where in ("", network, account)}
    for language in wanted or offered:
        found = [texts[where, language] for where in (account, network, "") if (where, language) in texts]
        if not found:
            problems.append(f"{account}: there is no text in {language}; add --text '{language}=…'.")
            continue
        length, limit = outlet.facts.count(found[0]), outlet.facts.limit
        if length > limit:
            problems.append(
                f"{account} ({network}, {language}): {length - limit} too long ({length} of {limit}); shorten it, or "
                f"give {network} its own text with --variant '{network}:{language}=…'."
            )
        twin = next((each.language for each in variants if each.text == found[0]), None)
        if twin:
            problems.append(f"{account}: the texts in {twin} and {language} are the same; one of them is enough.")
        variants.append(
            Variant(account=account, network=network, language=language, text=found[0], length=length, limit=limit)
        )
    if not variants and texts and not wanted:
        problems.append(f"{account}: none of the texts is for it; add one for everywhere, such as --text 'es=…'.")
    return variants


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
            near = _near(where, places - {""})
            found.append(f"{where!r} is no account it goes to, nor the network of one; {near}")
        if not text:
            found.append(f"{spoken((where, language)).capitalize()} is empty; write it, or leave it out.")
        elif bad := _UNSENDABLE.search(text):
            found.append(
                f"{spoken((where, language)).capitalize()} holds {bad[0]!r}, which nobody can read; remove it."
            )
    return found


# --- small readings --------------------------------------------------------------------------------------------------


def spoken(place: Place) -> str:
    """`the text in es`, `the text for mastodon in es`."""
    where, language = place
    return f"the text for {where} in {language}" if where else f"the text in {language}"


def _place(head: str) -> Place | None:
    found = _HEAD.fullmatch(head.strip())
    return (found[1] or "", found[2]) if found else None


def _codes(given: str, where: str, problems: list[str]) -> tuple[str, ...]:
    codes = tuple(dict.fromkeys(code.strip() for code in given.split(",") if code.strip()))
    problems += [
        f"{where}: {code!r} is no language; write es or en." for code in codes if not _LANGUAGE.fullmatch(code)
    ]
    return tuple(code for code in codes if _LANGUAGE.fullmatch(code))


def _texts(block: object, where: str, name: str, problems: list[str]) -> dict[Place, str]:
    if not isinstance(block, dict):
        if block:
            problems.append(f"{name} should hold a text for each language, such as `es: …`.")
        return {}
    found: dict[Place, str] = {}
    for language, text in block.items():
        if not _LANGUAGE.fullmatch(str(language)):
            problems.append(f"{name}: {language!r} is no language; write es or en.")
        elif not isinstance(text, str):
            problems.append(f"{name}.{language} should be text; put it in quotes or after a `|`.")
        else:
            found[where, str(language)] = text
    return found


def _words(value: object, name: str, problems: list[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if value is not None:
        problems.append(f"{name} should be a list of words.")
    return ()


def _near(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"choose from: {', '.join(known) or 'none'}."
