"""The model's card in words, from the card in numbers, so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

LANGUAGES = {"en": "English", "es": "Spanish"}
POSTS = {
    "xlm-t en": "English, public posts",
    "xlm-t es": "Spanish, public posts",
    "xlm-t pt": "Portuguese, public posts",
}


def card_in_words(content: Mapping[str, Any]) -> str:
    """CARD.md for a card's content."""
    metrics = content["metrics"]
    parts = [
        _opening(content),
        _sources(content),
        _sentiment(metrics["full"]),
        _labels("Intents", content, "intents"),
        _labels("Signals", content, "signals"),
        _reliability(metrics["full"]),
        _profiles(metrics),
        _thresholds(content),
    ]
    return "\n\n".join(parts) + "\n"


def _opening(content: Mapping[str, Any]) -> str:
    return f"""# {content["version"]}

Made on {content["made"]} from {content["base"]}. It reads one public post and says how its author feels (negative,
neutral, positive), what they want (nine intents, any number of them), and what should make somebody look (seven
signals), in English and Spanish. It runs on the processor, in 8-bit integers, and never uses a network.

## What it is for, and what not

For sorting what people say to or about a company, before a person looks. Not for judging people, not for other
languages (it answers that it does not know), not for texts of more than a few paragraphs: it reads the first
{content["max_tokens"]} tokens. Signals are rare and were learned from some hundred examples each: they call a person,
they prove nothing, and what they miss must still be seen by other means."""


def _sources(content: Mapping[str, Any]) -> str:
    rows = [
        f"| {source['name']} | {source['licence']} | {source['examples'] or ''} | {source['use']} |"
        for source in content["sources"]
    ]
    return "\n".join(
        [
            "## What it learned from",
            "",
            "| source | licence | texts | use |",
            "|---|---|---|---|",
            *rows,
            "",
            "The corpus was divided into training, calibration and test parts by groups of near-duplicates. Its texts",
            "are invented: no person's posts are in the project. Counts include rough translations.",
        ]
    )


def _sentiment(figures: Mapping[str, Any]) -> str:
    names = {**{code: f"{name}, our test part" for code, name in LANGUAGES.items()}, **POSTS}
    rows = []
    for key, name in names.items():
        own = figures[key]["sentiment"]
        cells = [name, str(figures[key]["texts"])]
        cells += [f"{own[figure]:.3f}" for figure in ("macro_f1", "macro_recall", "accuracy")]
        rows.append(
            f"| {' | '.join(cells)} | {own['answered']:.0%} | {own['right_when_answered']:.0%} | {own['ece']:.3f} |"
        )
    return "\n".join(
        [
            "## How good it is",
            "",
            "On the test part of the corpus (never trained on, never calibrated on), and on public posts of others",
            "(XLM-T's validation part, never trained on; looked at while choosing how to train).",
            "",
            "| sentiment | texts | macro-F1 | macro-recall | right | answered | then right | calibration error |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _labels(title: str, content: Mapping[str, Any], head: str) -> str:
    columns = [
        f"{name} {figure}"
        for name in LANGUAGES.values()
        for figure in ("texts", "threshold", "precision", "recall", "F1")
    ]
    figures, scales = content["metrics"]["full"], content["calibration"]["full"]
    rows = []
    for label in figures["en"][head]["each"]:
        cells: list[str] = []
        for language in LANGUAGES:
            own = figures[language][head]["each"][label]
            threshold = scales[language][head][label]["threshold"]
            cells += [
                str(own["texts"]),
                f"{threshold:.2f}",
                *(f"{own[key]:.2f}" for key in ("precision", "recall", "f1")),
            ]
        rows.append(f"| {label} | " + " | ".join(cells) + " |")
    sums = [
        f"{name}: macro-F1 {own['macro_f1']:.3f} at the thresholds, {own['macro_f1_at_half']:.3f} at one half; the "
        f"strongest is a right one in {own['strongest_is_right']:.0%} of the texts that have any; calibration error "
        f"{own['ece']:.3f}."
        for name, own in ((name, figures[language][head]) for language, name in LANGUAGES.items())
    ]
    return "\n".join(
        [
            f"{title}, each at its threshold:",
            "",
            f"| | {' | '.join(columns)} |",
            "|---" * (1 + len(columns)) + "|",
            *rows,
            "",
            *sums,
        ]
    )


def _reliability(figures: Mapping[str, Any]) -> str:
    heads = ("sentiment", "intents", "signals")
    tables = [
        (f"{name} {head}", figures[language][head]["reliability"])
        for language, name in LANGUAGES.items()
        for head in heads
    ]
    names = " | ".join(name for name, _ in tables)
    rows = [
        f"| {low / 10:.1f}–{(low + 1) / 10:.1f} | " + " | ".join(_bin(bins, low) for _, bins in tables) + " |"
        for low in range(10)
    ]
    return "\n".join(
        [
            "Reliability on the test part: of the texts whose score lies in a range, how many were right (and how many",
            "there were). A well-calibrated head is right about as often as its score says.",
            "",
            f"| score | {names} |",
            "|---" * (1 + len(tables)) + "|",
            *rows,
        ]
    )


def _bin(bins: Iterable[Mapping[str, float]], low: int) -> str:
    for each in bins:
        if min(int(each["score"] * 10), 9) == low:
            return f"{each['right']:.2f} ({each['texts']})"
    return ""


def _profiles(metrics: Mapping[str, Any]) -> str:
    rows = []
    for name, key in (("full", "full"), ("full, before int8", "without int8"), ("fast", "fast")):
        own = metrics[key]
        cells = [f"{own[language]['sentiment']['macro_f1']:.3f}" for language in (*LANGUAGES, "xlm-t en", "xlm-t es")]
        cells += [f"{own[language][head]['macro_f1']:.3f}" for head in ("intents", "signals") for language in LANGUAGES]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    close = metrics["int8 against float"]
    return "\n".join(
        [
            "The two profiles, and what 8-bit integers cost (macro-F1):",
            "",
            "| profile | sentiment en | es | posts en | posts es | intents en | es | signals en | es |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"Vectors before and after int8 have a cosine of {close['cosine']:.3f}; {close['same_sentiment']:.1%} of "
            "texts keep their sentiment.",
        ]
    )


def _thresholds(content: Mapping[str, Any]) -> str:
    aim = content["precision_aimed_at"]
    return (
        f"The thresholds were chosen on the calibration part for a precision of {aim['intents']:.0%} for intents, "
        f"{aim['signals']:.0%} for signals\nand {aim['sentiment']:.0%} for sentiment, where one of at most 0.90 "
        "reaches it. With few test texts per label a figure\ncan be off by a tenth."
    )
