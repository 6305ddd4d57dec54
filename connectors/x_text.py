"""X's texts: what a post says in plain words, and its length as X counts it. Pure; takes any text without raising.

The length is twitter-text's (configuration v3): the composed form (NFC); code points 0–4351, 8192–8205, 8208–8223 and
8242–8247 weigh 1, all others 2; a whole emoji 2, however many code points it takes; a URL 23. Read August 2026 at
docs.x.com/fundamentals/counting-characters.

X knows every top-level domain and every emoji there is, and we do not. So where we cannot be sure, we take the larger
number: what is said to fit, fits.

    https://…, whose end we know and X does too                              23
    what begins like one and is not so sure                                  12 more than its own weight
    example.com, ejemplo.photo/x and the like                                23, or its own weight if that is more
    an emoji joined, coloured or flagged in one of the ways we know          2
    code points joined in any other way                                      each for itself
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

import regex

from connectors.plain import clean

LIMIT = 280
URL_LENGTH = 23

_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_LONGEST = 30_000  # characters read of one post: X's longest have 25,000
_REFUSED = {0xFEFF: None, 0xFFFE: None, 0xFFFF: None}

# --- links ----------------------------------------------------------------------------------------------------------

_COUNTRIES = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by bz "
    "ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et eu fi fj fk fm fo "
    "fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm "
    "jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq "
    "mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re "
    "ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tp "
    "tr tt tv tw tz ua ug uk um us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"
)
_SURE_ENDS = (
    f"{_COUNTRIES} com org net edu gov mil int info biz name app dev blog shop store online site tech cloud news help "
    "support cat eus gal madrid barcelona xyz club live world agency solutions email social"
).replace(" ", "|")
_IN_PATH = r"[a-z0-9_!*';:=+,.$/%\#\[\]~@|&-]"
_LABEL = r"[a-z0-9_\u00c0-\u024f]"
_LINK = regex.compile(
    rf"""(?xi)
    (?P<sure>
        (?<![a-z0-9@＠$\#＃\u202a-\u202e/])
        https?://(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{_SURE_ENDS})(?![a-z0-9@+_-]|\.[a-z0-9\u0080-\U0010ffff])
        (?::\d{{1,5}})?+
        (?:/(?:{_IN_PATH}*[a-z0-9=_\#/+-])?)?+
        (?:\?(?:{_IN_PATH}|[?()])*[a-z0-9_&=\#/-])?+
    )
    | (?P<scheme> https?://(?:(?!https?://)(?:{_IN_PATH}|\?))*(?<=[a-z0-9_=\#/+&-]) )
    | (?<!{_LABEL}|[@＠$\#＃./-])
      (?P<host> {_LABEL}(?:{_LABEL}|-)*\.(?:{_LABEL}(?:{_LABEL}|-)*\.)*
        (?:
            (?P<known>{_SURE_ENDS})(?![a-z0-9@+-]|\.{_LABEL})
            | [a-z]{{3,}}+(?!@|://) | xn--[a-z0-9-]++ | (?=[^\W\d_a-z])
        )
      )
      (?::\d+)? (?P<path> [/?](?:(?!https?://)(?:{_IN_PATH}|\?))*(?<=[a-z0-9_=\#/+&-]) )?
    """
)
_SHORTEST = len("http://a.bc")

# --- emoji ----------------------------------------------------------------------------------------------------------

_REGIONS = (
    "AC AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CP CR CU CV CW CX CY CZ DE DG DJ DK DM DO DZ EA EC EE EG EH ER ES ET EU FI FJ "
    "FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU IC ID IE IL IM IN IO IQ IR "
    "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM "
    "MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT "
    "PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TF TG TH TJ TK TL "
    "TM TN TO TR TT TV TW TZ UA UG UM UN US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)
_FLAGS = "|".join("".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in pair) for pair in _REGIONS.split())
_TONE = r"[\U0001F3FB-\U0001F3FF]"
_PERSON = rf"[\U0001F468\U0001F469\U0001F9D1]{_TONE}?"
_WORK = (  # what a person is joined with to be a farmer, a cook, a judge …
    r"(?:[\u2695\u2696\u2708]\uFE0F|[\U0001F33E\U0001F373\U0001F37C\U0001F393\U0001F3A4\U0001F3A8\U0001F3EB"
    r"\U0001F3ED\U0001F4BB\U0001F4BC\U0001F527\U0001F52C\U0001F680\U0001F692\U0001F384\U0001F9AF\U0001F9BC\U0001F9BD"
    r"\U0001F9B0-\U0001F9B3])"
)
_PAIRS = (  # the rest, each a sequence of its own
    "🏳️‍🌈 🏳️‍⚧️ 🏴‍☠️ 🐕‍🦺 🐈‍⬛ 🐻‍❄️ 🐦‍⬛ ❤️‍🔥 ❤️‍🩹 👁️‍🗨️ 😮‍💨 😵‍💫 😶‍🌫️"
).replace(" ", "|")
_EMOJI = regex.compile(
    rf"""(?x)
    (?:{_FLAGS})
    | [0-9\#*]\uFE0F?\u20E3
    | \U0001F3F4(?:\U000E0067\U000E0062(?:\U000E0065\U000E006E\U000E0067|\U000E0073\U000E0063\U000E0074
        |\U000E0077\U000E006C\U000E0073)\U000E007F)
    | {_PAIRS}
    | {_PERSON}\u200D\u2764\uFE0F\u200D(?:\U0001F48B\u200D)?{_PERSON}
    | {_PERSON}\u200D\U0001F91D\u200D{_PERSON}
    | [\U0001F468\U0001F469](?:\u200D[\U0001F468\U0001F469])?(?:\u200D[\U0001F466\U0001F467]){{1,2}}
    | {_PERSON}\u200D{_WORK}
    | \p{{Emoji_Modifier_Base}}(?:{_TONE}|\uFE0F)?\u200D[\u2640\u2642]\uFE0F
    | [\U0001F46F\U0001F93C\U0001F9DE\U0001F9DF]\u200D[\u2640\u2642]\uFE0F
    | \p{{Emoji_Modifier_Base}}{_TONE}
    | \p{{Extended_Pictographic}}\uFE0F?
    """
)


def count(text: str) -> int:
    """How long X takes the text to be, or a little more, never less."""
    composed = unicodedata.normalize("NFC", text)
    length, end = 0, 0
    for link in _LINK.finditer(composed):
        length += _weight(composed[end : link.start()]) + _link_weight(link)
        end = link.end()
    return length + _weight(composed[end:])


def has_link(text: str) -> bool:
    """Whether X finds a link in it, as far as we can tell: that makes a post dearer."""
    links = _LINK.finditer(unicodedata.normalize("NFC", text))
    return any(link["sure"] or link["scheme"] or link["known"] for link in links)


def _link_weight(link: regex.Match[str]) -> int:
    """What X counts for it at most: all as a link, none of it, or a beginning as a link and the rest as it stands."""
    if link["sure"]:
        return URL_LENGTH
    own = _weight(link.group())
    if link["scheme"]:
        return max(URL_LENGTH, own + URL_LENGTH - _SHORTEST)
    first, second, *more = link["host"].split(".")
    if link["known"] or not more:
        return max(URL_LENGTH, own)
    return max(own, URL_LENGTH + own - _weight(f"{first}.{second}"))


def _weight(text: str) -> int:
    """The weight of a text without links."""
    emoji = _EMOJI.findall(text)
    plain = _EMOJI.sub("", text) if emoji else text
    return 2 * len(emoji) + sum(1 if any(first <= ord(char) <= last for first, last in _LIGHT) else 2 for char in plain)


# --- plain text -----------------------------------------------------------------------------------------------------

_HANDLE = re.compile(r"[A-Za-z0-9_]{1,50}")
_LEADING = re.compile(r"\s*(?:@[A-Za-z0-9_]{1,50}(?![\w@])\s*)*")
_ANY_LINK = re.compile(r"(?:https?://)?(?:www\.)?(\S+)", re.IGNORECASE)
_SHORT_LINK = re.compile(r"https?://t\.co/\w+", re.IGNORECASE)


def sendable(text: str) -> str:
    """The text without what X refuses: what `clean` takes away, byte order marks and no characters at all."""
    return clean(text).translate(_REFUSED)


def to_text(text: str, links: Mapping[str, str]) -> str:
    """What a post says: its three escaped signs as they were meant, each short link as where it leads.

    `links` gives for a short link the address behind it; empty for one that only shows the post's own picture.
    """
    text = clean(text[:_LONGEST])
    for short, address in links.items():
        text = text.replace(short, address)
    for escaped, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escaped, sign)
    return text.strip()


def address(text: str, handle: str) -> str:
    """The text as a reply to `handle` is posted. X itself puts the mention before it and does not count that one."""
    text = sendable(text).strip()
    handle = handle.lstrip("@")
    if not _HANDLE.fullmatch(handle):
        return text
    while found := re.match(rf"@{handle}(?![\w@])[\s,:]*", text, re.IGNORECASE):
        text = text[found.end() :]
    return text


def same_words(ours: str, theirs: str) -> bool:
    """Whether two texts say the same once leading mentions, case, signs and spacing are set aside.

    A short link of X's in `theirs` that nobody resolved may stand for any of ours.
    """
    if _squeezed(ours) == _squeezed(theirs):
        return True
    return _SHORT_LINK.search(theirs) is not None and _squeezed(_LINK.sub(" ", ours)) == _squeezed(
        _SHORT_LINK.sub(" ", theirs)
    )


def _squeezed(text: str) -> str:
    text = sendable(text)
    text = text[_LEADING.match(text).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    text = _LINK.sub(lambda link: _ANY_LINK.sub(r"\1", link.group()), text)
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(char for char in plain if char.isalnum())
    return words or "".join(char for char in plain if not char.isspace() and char not in "\u200b\ufe0e\ufe0f")
