"""The model's card in words, from the card in numbers, so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LANGUAGES = {"en": "English", "es": "Spanish"}


def card_in_words(content: Mapping[str, Any]) -> str:
    """CARD.md for a card's content."""
    metrics = content["metrics"]
    lines = [
        f"# {content['version']}",
        "",
        f"Made on {content['made']} from {content['base']}. It reads one public post and says how its author feels",
        "(negative, neutral, positive) and what they want (nine intents, any number of them), in English and Spanish.",
        "It runs on the processor, in 8-bit integers, and never uses a network.",
        "",
        "## What it is for, and what not",
        "",
        "For sorting what people say to or about a company, before a person looks. Not for judging people, not for",
        "other languages (it answers that it does not know), not for texts of more than a few paragraphs: it reads the",
        f"first {content['max_tokens']} tokens. Irony misleads it, and so do quarrels that are not about the company.",
        "",
        "## What it learned from",
        "",
        "| source | licence | texts | use |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {source['name']} | {source['licence']} | {source['examples'] or ''} | {source['use']} |"
        for source in content["sources"]
    ]
    lines += [
        "",
        "The corpus was divided into training, calibration and test parts by groups of near-duplicates. The texts are",
        "invented: no person's posts are in the project.",
        "",
        "## How good it is",
        "",
        "On the test part of the corpus (never trained on, never calibrated on), and on public posts from elsewhere",
        "(XLM-T, validation part):",
        "",
        "| texts | count | sentiment macro-F1 | accuracy | answered | right when answered | calibration error |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in ("en", "es", "xlm-t en", "xlm-t es"):
        figures, sentiment = metrics[name], metrics[name]["sentiment"]
        label = f"{LANGUAGES[name[-2:]]}, {'public posts' if name.startswith('xlm') else 'care messages'}"
        lines.append(
            f"| {label} | {figures['texts']} | {sentiment['macro_f1']:.2f} | {sentiment['accuracy']:.2f} "
            f"| {sentiment['answered']:.0%} | {sentiment['right_when_answered']:.0%} | {sentiment['ece']:.3f} |"
        )
    lines += ["", "Intents, each at its threshold:", "", "| intent | threshold | " + " | ".join(_columns()) + " |"]
    lines.append("|---" * (2 + len(_columns())) + "|")
    for intent, scale in content["calibration"]["intents"].items():
        cells = [
            f"{metrics[language]['intents']['each'][intent][figure]:.2f}"
            for language in LANGUAGES
            for figure in ("precision", "recall")
        ]
        lines.append(f"| {intent} | {scale['threshold']:.2f} | " + " | ".join(cells) + " |")
    lines += [""]
    for language, name in LANGUAGES.items():
        intents = metrics[language]["intents"]
        lines.append(
            f"{name}: macro-F1 {intents['macro_f1']:.2f} at the thresholds, {intents['macro_f1_at_half']:.2f} at one "
            f"half; the strongest intent is a right one in {intents['strongest_is_right']:.0%} of the texts that have "
            f"any; calibration error {intents['ece']:.3f}.\n"
        )
    aim = content["calibration"]["precision_aimed_at"]
    lines += [
        f"The thresholds were chosen on the calibration part for a precision of {aim['intents']:.0%} for intents and",
        f"{aim['sentiment']:.0%} for sentiment, where a threshold of at most 0.90 reaches it. With 15 to 70 texts per",
        "intent in each part, a figure for one intent can be off by a tenth.",
        "",
    ]
    return "\n".join(lines)


def _columns() -> list[str]:
    return [f"{name} {figure}" for name in LANGUAGES.values() for figure in ("precision", "recall")]
