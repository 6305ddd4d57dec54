"""A post's text made fit for the model. Pure: the same text gives the same words, here and in training.

What a person typed for the eye becomes what the vocabulary knows: emoji become words, handles and links become
placeholders, hashtags lose their sign and are split at capitals, invisible characters go.
"""

from __future__ import annotations

import html
import re
import unicodedata

from listener.terms.folding import unheaped

MAX_RAW = 20_000  # characters looked at; nothing a model of 128 tokens reads lies beyond
MAX_CLEAN = 2_000

_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_HANDLE = re.compile(r"(?<![\w@/.+-])(?:@[\w.-]{1,64}(?:@[\w.-]{1,128})?|/?u/[\w-]{3,32})")
_HASHTAG = re.compile(r"[#＃](?=\w)([\w]{1,100})")
_HUMP = re.compile(r"(?<=[a-záéíóúñü0-9])(?=[A-ZÁÉÍÓÚÑÜ])")
_LONG_LETTER = re.compile(r"([^\W\d_])\1{2,}")
_LONG_SIGN = re.compile(r"([^\w\s])\1{2,}")
_LAUGHTER = re.compile(r"\b[aei]?([hj][aei])\1+[hj]?\b", re.IGNORECASE)
# Whole entities of a sane length only: `?a=1&region=2` is no registered sign, and a number has no 5,000 digits.
_ENTITY = re.compile(r"&(?:#0{0,8}(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});|[A-Za-z][A-Za-z0-9]{1,31};)")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_NO_LETTER = re.compile(r"[^\w'’\-¿¡.,!?]|[\d_]")
_SPACES = re.compile(r"\s+")

# The emoji people use at companies, each by the word the vocabulary has for it. Others say too little to guess.
EMOJI_WORDS = {
    "angry": "😠😡🤬👿😤💢🖕",
    "sad": "😢😭😞😔😟🙁☹😿💔😥😓🥺😩😫😣😖",
    "disgusted": "🤢🤮💩🤦🙄😒😑",
    "bad": "👎",
    "worried": "😰😨😱😬",
    "clown": "🤡",
    "happy": "😊😀😃😄😁🙂☺😇🤗😺😎",
    "laughing": "😂🤣😆😅😹",
    "love": "❤♥😍🥰😘💕💖💗💙💚💛🧡💜🤍🖤💞😻🫶💓💘💝",
    "good": "👍👌💪🤝💯✅✔",
    "bravo": "👏🙌🎉🥳🎊🏆⭐🌟✨🥇🔝",
    "thanks": "🙏",
    "thinking": "🤔🤨❓❔⁉🧐",
    "fire": "🔥",
    "warning": "⚠🚨🆘❗‼❌🚫⛔",
    "wink": "😉😏😜😝🤪😋",
    "dead": "💀☠",
    "light": "💡🔌",
    "money": "💸💰💵🤑",
}
_FIRST_PICTURE = "\u2010"  # no picture stands before it in Unicode
_EMOJI = {emoji: f" {word} " for word, all_of_it in EMOJI_WORDS.items() for emoji in all_of_it}
_SMILEYS = re.compile(r"(?<![\w:;=])(?:(?P<happy>[:;=]-?[)D]|<3)|(?P<sad>:'?-?\(|=\())(?!\w)")


def clean(text: str) -> str:
    """The words of `text` as the model reads them, at most `MAX_CLEAN` characters; "" when nothing is left."""
    text = _URL.sub(" http ", visible(unescaped(text[:MAX_RAW])))
    text = _MAIL.sub(" email ", _HANDLE.sub(" @user ", text))
    text = _HASHTAG.sub(_split_hashtag, text)
    text = _SMILEYS.sub(lambda found: " happy " if found["happy"] else " sad ", text)
    if max(text, default="") >= _FIRST_PICTURE:
        text = "".join(_word_for(character) for character in text)
    text = _LONG_LETTER.sub(r"\1\1", text)
    text = _LAUGHTER.sub(r"\1\1", text)
    text = _LONG_SIGN.sub(r"\1\1", text)
    return _SPACES.sub(" ", text).strip()[:MAX_CLEAN].rstrip()


def unescaped(text: str) -> str:
    """The text with the characters that a careless feed or export left escaped: `&amp;`, `\\u2019`."""
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    if "\\u" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")  # halves of an emoji together
    return text


def prose(text: str) -> str:
    """Only words and their punctuation, for naming the language: no links, handles, hashtags, emoji or digits."""
    text = _URL.sub(" ", visible(unescaped(text[:MAX_RAW])))
    text = _MAIL.sub(" ", _HANDLE.sub(" ", text))
    text = _HASHTAG.sub(" ", text)
    return _SPACES.sub(" ", _NO_LETTER.sub(" ", text)).strip()[:MAX_CLEAN]


def visible(text: str) -> str:
    """The first `MAX_RAW` characters in NFC, without lone surrogates, control and invisible characters."""
    text = text[:MAX_RAW].encode("utf-8", "ignore").decode("utf-8")
    text = unicodedata.normalize("NFC", unheaped(text))
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category in {"Cf", "Co", "Cs", "Cn"} else character


def _split_hashtag(found: re.Match[str]) -> str:
    return f" {_HUMP.sub(' ', found[1]).replace('_', ' ')} "


def _word_for(character: str) -> str:
    """An emoji's word; nothing for other pictures, joiners and skin tones; any other character as it is."""
    if character < _FIRST_PICTURE:
        return character
    word = _EMOJI.get(character)
    if word is not None:
        return word
    if unicodedata.category(character) in {"So", "Sk", "Mn"}:
        return " "
    return character
