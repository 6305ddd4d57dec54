"""An article as a page that people write and keep in files: YAML with who may read it and a text for each language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import yaml

from listener.errors import Mistake
from listener.store.articles import ArticleText, Written
from listener.types import Audience

KEYS = ("article", "audience", "teams", "roles", "product", "review_by", "texts")
PARTS = ("title", "answer", "body")


class _Page(yaml.SafeDumper):
    """Several lines as several lines."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Page.add_representer(str, _text)


def page(written: Written, name: str = "") -> str:
    """The article as a page that `read` reads; `name`: `K12`, for an article that there is."""
    data: dict[str, Any] = {"article": name} if name else {}
    data |= {
        "audience": written.audience.value,
        "teams": list(written.teams),
        "roles": list(written.roles),
        "product": written.product,
        "review_by": written.review_by,
        "texts": {code: {part: getattr(text, part) for part in PARTS} for code, text in sorted(written.texts.items())},
    }
    dumped: str = yaml.dump(data, Dumper=_Page, allow_unicode=True, sort_keys=False, width=1000)
    return dumped


def sheet(languages: Iterable[str]) -> str:
    """An empty page to write an article on."""
    texts = "".join(f"  {code}:\n    title: \n    answer: \n    body: |\n      \n" for code in languages)
    return (
        "# The title is the question that it answers, in the words of whoever asks. The answer is what a reply made\n"
        "# from it says; the body is all that is known. Leave the titles empty to stop.\n"
        "audience: internal  # or public\nteams: []  # whose people may read it; none: everybody\n"
        f"product: \nreview_by:  # such as 2027-01-31\ntexts:\n{texts}"
    )


def read(text: str, name: str) -> tuple[Written, str]:
    """What a page says, and the article that it names, "" where none. Raises Mistake with every reason at once.

    `name`: of the file, for problems.
    """
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        what = getattr(error, "problem", None) or "it is no YAML"
        raise Mistake(f"{where}: {what}; see docs/knowledge.md for how a page looks.") from None
    if not isinstance(data, Mapping):
        raise Mistake(f"{name}: a page has `texts:` with a text for each language; see docs/knowledge.md.")
    problems = [f"{name}: there is no `{key}`; choose from {', '.join(KEYS)}." for key in data if key not in KEYS]
    audience = data.get("audience") or Audience.INTERNAL.value
    if audience not in list(Audience):
        problems.append(f"{name}: audience should be {' or '.join(Audience)}.")
        audience = Audience.INTERNAL.value
    review_by = data.get("review_by")
    if review_by is not None and type(review_by) is not date:
        problems.append(f"{name}: review_by should be a day, such as 2027-01-31.")
        review_by = None
    article = data.get("article") or ""
    if not isinstance(article, str):
        problems.append(f"{name}: article should be a name such as K12.")
        article = ""
    written = Written(
        texts=_texts(data.get("texts"), name, problems),
        audience=Audience(audience),
        teams=_names(data.get("teams"), f"{name}: teams", problems),
        roles=_names(data.get("roles"), f"{name}: roles", problems),
        product=_words(data.get("product"), f"{name}: product", problems),
        review_by=review_by,
    )
    if problems:
        raise Mistake("\n".join(problems))
    return written, article


def _texts(block: object, name: str, problems: list[str]) -> dict[str, ArticleText]:
    if not isinstance(block, Mapping):
        problems.append(f"{name}: texts should hold a text for each language, such as `es:` with title and body.")
        return {}
    found = {}
    for code, parts in block.items():
        where = f"{name}: texts.{code}"
        if not isinstance(parts, Mapping):
            problems.append(f"{where} should have a title, an answer and a body.")
            continue
        problems += [
            f"{where}: there is no `{part}`; choose from {', '.join(PARTS)}." for part in parts if part not in PARTS
        ]
        said = {part: _words(parts.get(part), f"{where}.{part}", problems) for part in PARTS}
        if any(part.strip() for part in said.values()):
            found[str(code)] = ArticleText(**said)
    return found


def _words(value: object, where: str, problems: list[str]) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        problems.append(f"{where} should be text; put it in quotes or after a `|`.")
        return ""
    return value


def _names(value: object, where: str, problems: list[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        problems.append(f"{where} should be a list of names, such as [billing, network].")
        return ()
    return tuple(dict.fromkeys(each.strip() for each in value if each.strip()))
