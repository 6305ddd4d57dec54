"""How a notice is written: on the command line, on a Markdown page, or as YAML. Pure: texts in, what they say out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
_HEAD = re.compile(r"(?:([a-z0-9_-]+)[:\s]\s*)?([a-z]{2,3}(?:-[A-Za-z]{2,4})?)")  # es, or mastodon:es
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)

NUMBERED = "numbered"
Place = tuple[str, str]  # an account, a network or "" for everywhere; and a language


@dataclass(frozen=True, kw_only=True)
class Named:
    """A picture as somebody named it: the file, and what it shows, by language."""

    file: str
    alt: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Written:
    """A notice as somebody wrote it. `accounts` empty: all that can publish. `problems`: what could not be read.

    `without_images`: the accounts or networks where the pictures are left out. `threads`: a text that is too long goes
    on in further posts; `numbered`: those of a thread say which of how many they are.
    """

    title: str = ""
    accounts: tuple[str, ...] = ()
    texts: Mapping[Place, str] = field(default_factory=dict)
    images: tuple[Named, ...] = ()
    without_images: tuple[str, ...] = ()
    languages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by account; "" for every other one
    threads: bool = False
    numbered: bool = False
    problems: tuple[str, ...] = ()


def from_options(
    title: str,
    texts: Sequence[str],
    variants: Sequence[str],
    languages: Sequence[str],
    *,
    images: Sequence[str] = (),
    alts: Sequence[str] = (),
    without_images: Sequence[str] = (),
    threads: bool = False,
    numbered: bool = False,
) -> Written:
    """What stood on the command line: `es=…`, `mastodon:es=…`, and `es,en` or `care=es`.

    The first of `alts` in a language describes the first of `images`, the second the second.
    """
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
    return Written(
        title=title,
        texts=found,
        images=_described(images, alts, problems),
        without_images=tuple(without_images),
        languages=chosen,
        threads=threads,
        numbered=numbered,
        problems=tuple(problems),
    )


def _described(images: Sequence[str], alts: Sequence[str], problems: list[str]) -> tuple[Named, ...]:
    """Each file with the descriptions meant for it."""
    by_language: dict[str, list[str]] = {}
    for given in alts:
        language, equals, alt = given.partition("=")
        if not equals or not _LANGUAGE.fullmatch(language.strip()):
            problems.append(f"--alt {given[:20]!r} cannot be read; write --alt 'es=…'.")
        else:
            by_language.setdefault(language.strip(), []).append(alt)
    for language, said in by_language.items():
        if len(said) > len(images):
            problems.append(f"There are {len(said)} --alt in {language}, and {_pictures(len(images))}; leave some out.")
    return tuple(
        Named(file=file, alt={language: said[at] for language, said in by_language.items() if at < len(said)})
        for at, file in enumerate(images)
    )


def _pictures(number: int) -> str:
    return {0: "no picture", 1: "one picture"}.get(number, f"{number} pictures")


def from_markdown(text: str, name: str) -> Written:
    """A page such as `sheet` gives: a title after `#`, perhaps `on: care, brand`, and a text under each `## es`.

    Above the texts a picture may stand, `image: map.png`, with `alt es: …` below it for each language, and
    `thread: yes` or `thread: numbered`.
    """
    title = how = ""
    lists: dict[str, tuple[str, ...]] = {"on": (), "no image on": ()}
    images: list[Named] = []
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
        elif before_texts and (found := re.fullmatch(r"(on|no image on):(.*)", line.strip(), re.IGNORECASE)):
            lists[found[1].lower()] = tuple(part.strip() for part in found[2].split(",") if part.strip())
        elif before_texts and (found := re.fullmatch(r"thread:(.*)", line.strip(), re.IGNORECASE)):
            how = _how(found[1].strip(), f"{name}:{at}: thread", problems)
        elif before_texts and (found := re.fullmatch(r"image:(.*)", line.strip(), re.IGNORECASE)):
            images.append(Named(file=found[1].strip()))
        elif before_texts and (found := re.fullmatch(r"alt\s+([\w-]+):(.*)", line.strip(), re.IGNORECASE)):
            problem = _describe(images, found[1], found[2].strip())
            problems += [f"{name}:{at}: {problem}"] if problem else []
        elif before_texts and line.strip():
            problems.append(f"{name}:{at}: this line belongs to no language; put `## es` above it.")
    return Written(
        title=title,
        accounts=lists["on"],
        texts={place: text for place, text in texts.items() if text.strip()},
        images=tuple(images),
        without_images=lists["no image on"],
        threads=bool(how),
        numbered=how == NUMBERED,
        problems=tuple(problems),
    )


def _describe(images: list[Named], language: str, alt: str) -> str:
    """Gives the last picture a description; the problem where it cannot have it."""
    if not images:
        return "this describes no picture; put `image: FILE` above it."
    if not _LANGUAGE.fullmatch(language):
        return f"{language!r} is no language; write `alt es: …`."
    last = images[-1]
    if language in last.alt:
        return f"{last.file} is described in {language} twice; leave one out."
    images[-1] = Named(file=last.file, alt={**last.alt, language: alt})
    return ""


def from_yaml(text: str, name: str) -> Written:
    """The same as YAML, all taken as text: `title`, `on`, `texts`, `variants`, `images`, `no_image_on`, `languages`,
    `thread`."""
    import yaml

    class Loader(yaml.BaseLoader):
        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):  # a few lines of them can stand for gigabytes
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise yaml.MarkedYAMLError(problem="aliases are not read; write it out", problem_mark=mark)
            return super().compose_node(parent, index)

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
    known = ("title", "on", "texts", "variants", "images", "no_image_on", "languages", "thread")
    problems += [f"{name}: `{key}` is not known here; {near(key, known)}" for key in data if key not in known]
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
    how = _how(data.get("thread", ""), f"{name}: thread", problems)
    return Written(
        title=title if isinstance(title, str) else "",
        accounts=_words(data.get("on"), f"{name}: on", problems),
        texts=texts,
        images=_images(data.get("images"), f"{name}: images", problems),
        without_images=_words(data.get("no_image_on"), f"{name}: no_image_on", problems),
        threads=bool(how),
        numbered=how == NUMBERED,
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
        "heading such as `## mastodon:es` gives a network, or an account, its own; a line --- begins the next part of\n"
        "a thread, and `thread: yes` up here makes one of what is too long (`numbered`: with 1/3 behind it).\n"
        "A picture: `image: map.png` up here, and below it `alt es: …` with what it shows.\n"
        "Leave all empty to stop. -->\n\n"
        f"on: {', '.join(accounts)}\n\n{heads}\n\n"
    )


# --- small readings --------------------------------------------------------------------------------------------------


def spoken(place: Place) -> str:
    """`the text in es`, `the text for mastodon in es`."""
    where, language = place
    return f"the text for {where} in {language}" if where else f"the text in {language}"


def _place(head: str) -> Place | None:
    found = _HEAD.fullmatch(head.strip())
    return (found[1] or "", found[2]) if found else None


def _how(given: object, where: str, problems: list[str]) -> str:
    """How a text that is too long goes on: `yes`, `numbered`, or "" where it does not."""
    said = given.strip().lower() if isinstance(given, str) else "?"
    if said in ("yes", "true", NUMBERED):
        return NUMBERED if said == NUMBERED else "yes"
    if said not in ("", "no", "false"):
        problems.append(f"{where} should be yes, no or numbered.")
    return ""


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


def _images(block: object, name: str, problems: list[str]) -> tuple[Named, ...]:
    found = []
    for entry in block if isinstance(block, list) else [block] if block else []:
        if not isinstance(entry, dict) or not isinstance(entry.get("file"), str) or set(entry) - {"file", "alt"}:
            problems.append(f"{name} should hold, for each picture, `file: map.png` and `alt:` with its descriptions.")
            continue
        described = _texts(entry.get("alt"), "", f"{name}: alt", problems)
        found.append(Named(file=entry["file"], alt={language: alt for (_, language), alt in described.items()}))
    return tuple(found)


def _words(value: object, name: str, problems: list[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if value is not None:
        problems.append(f"{name} should be a list of words.")
    return ()


def near(word: str, known: Iterable[str]) -> str:
    """What was probably meant, or what there is to choose from."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"choose from: {', '.join(known) or 'none'}."
