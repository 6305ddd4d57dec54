"""Public texts in rough Spanish, our own Spanish ones in rough English: python -m training.translate --help.

Needs Debian's `apertium` and `apertium-eng-spa` (GPL), which are used here only and never shipped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from listener.model.text import clean
from training import data


def main() -> int:
    """Write a line for every text: English, tab, Spanish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--corpus", type=Path, default=Path("training/corpus"))
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    options = parser.parse_args()
    english = list(dict.fromkeys(example.text for example in data.public(options.data) if example.language == "en"))
    spanish = [example.text for example in data.corpus(options.corpus) if example.language == "es"]
    pairs = [
        *zip(english, translate(english, "eng-spa"), strict=True),
        *zip(translate(spanish, "spa-eng"), spanish, strict=True),
    ]
    kept = [f"{ours}\t{theirs}\n" for ours, theirs in pairs if ours and theirs]
    options.out.write_text("".join(kept), encoding="utf-8")
    print(f"{len(kept)} texts in both languages in {options.out}")
    return 0


def translate(texts: list[str], direction: str) -> list[str]:
    """Each text in the other language; words that the dictionaries lack stay as they are."""
    told = "".join(f"{text}\n\n" for text in texts)  # an empty line ends a sentence
    run = subprocess.run(
        ["apertium", "-u", direction], input=told, capture_output=True, text=True, encoding="utf-8", check=True
    )
    lines = run.stdout.split("\n\n")[: len(texts)]
    if len(lines) != len(texts):
        raise SystemExit(f"apertium gave {len(lines)} texts for {len(texts)}")
    return [clean(line) for line in lines]


if __name__ == "__main__":
    sys.exit(main())
