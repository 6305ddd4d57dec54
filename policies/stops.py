"""Hard stops of whom, when and how often. Each takes a `Case` and gives a `Stop`; `guard.py` says in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from listener.types import NOBODY, Answerable, PostKind, ReplyPlan, Situation
from policies.amounts import spoken
from policies.colleagues import is_colleague, who_answered
from policies.incidents import holding
from policies.optouts import asks_to_be_left_alone, may_ask_to_be_left_alone
from policies.risks import Risk
from policies.schema_guard import Guard

# What a machine does and a person hardly ever. Any of it only holds: somebody looks, and no loop goes on by itself.
SAME_TEXT = 3  # times the same words within a day
QUICK_REPLIES = 2  # answers to us within a day, each within seconds
BURST = 12  # posts within ten minutes
CAMPAIGN = 5  # other accounts that wrote the very same within an hour


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the stops look at for one mention. `tone`: the guidelines with `hold` that the reply does not keep."""

    situation: Situation
    reply: ReplyPlan | None
    settings: Guard
    contacts: tuple[str, ...]
    risks: tuple[Risk, ...]
    tone: tuple[str, ...] = ()


Stop = tuple[str, str] | None  # ("holds" or "forbids", the reason in a sentence), None: pass


def own_post(about: Case) -> Stop:
    """Our own words."""
    return ("forbids", "this is our own post") if about.situation.author.is_us else None


def colleague(about: Case) -> Stop:
    """A colleague's words."""
    handle = about.situation.author.handle
    if is_colleague(handle, about.situation.network, about.settings.colleagues):
        return "forbids", f"{handle} is a colleague; `guard: colleagues:` in the policy says who is"
    return None


def author(about: Case) -> Stop:
    """Automatic accounts, and who asks them to keep away."""
    who = about.situation.author
    if who.bot:
        return "forbids", "the account is automatic, and answering it can start a loop"
    if who.opted_out:
        return "forbids", "the author asks automatic accounts to keep away"
    return None


def opted_out(about: Case) -> Stop:
    """Who asks, or asked before, not to be answered."""
    if words := opt_out(about.situation):
        return "forbids", f"it asks to be left alone (“{words}”)"
    if about.situation.author.left_alone:
        return "forbids", "the author asked to be left alone; `escucha leave-alone --lift` takes that back"
    if words := _spoken_to_us(about.situation, may_ask_to_be_left_alone):
        return "holds", f"it may ask to be left alone (“{words}”), and a person should see"
    return None


def opt_out(situation: Situation) -> str:
    """The words by which its author, speaking to us, asks to be left alone, be it in the content warning."""
    return _spoken_to_us(situation, asks_to_be_left_alone)


def _spoken_to_us(situation: Situation, asks: Callable[[str], str]) -> str:
    if situation.kind is PostKind.FOUND or situation.author.is_us or situation.author.bot:
        return ""
    warning = situation.content_warning
    return asks(situation.text) or (asks(f"{warning}\n{situation.text}") if warning else "")


def answerable(about: Case) -> Stop:
    """Whom, and what, the network does not let us answer."""
    facts, kind = about.situation.facts, about.situation.kind
    if about.situation.unanswerable:
        return "forbids", f"{facts.network} takes no answer here: {about.situation.unanswerable}"
    if facts.answerable is Answerable.NOBODY:
        return "forbids", f"{facts.network} lets us answer nobody"
    if facts.answerable is Answerable.ADDRESSED and kind is PostKind.FOUND:
        return "forbids", f"{facts.network} lets us answer only those who addressed us, and this was found by a search"
    return None


def answered(about: Case) -> Stop:
    """What was answered already, by us."""
    return ("forbids", "it was answered already") if about.situation.thread.answered else None


def colleague_answered(about: Case) -> Stop:
    """What a colleague answered from an account of their own: whether that settles it, a person sees."""
    handle = who_answered(about.situation, about.settings.colleagues)
    return ("holds", f"{handle}, a colleague, answered it already") if handle else None


def stranger(about: Case) -> Stop:
    """Who got into somebody's case by a reference, which can be guessed: an answer would confirm it."""
    if about.situation.stranger:
        return "holds", "the account is not known to be that of the case's person; a person sees what it may be told"
    return None


def paused(about: Case) -> Stop:
    """Somebody stopped everything."""
    return ("holds", "sending is paused") if about.situation.paused else None


def over_budget(about: Case) -> Stop:
    """No money to send anything with."""
    return ("holds", about.situation.broke) if about.situation.broke else None


def incident(about: Case) -> Stop:
    """Something hits many, and what is said meanwhile is its own answer, or a person's."""
    found = holding(about.situation.incidents, but=about.reply.incident if about.reply else 0)
    if not found:
        return None
    named = " and ".join(each.reference for each in found)
    return "holds", f"{named} last{'s' if len(found) == 1 else ''}, and meanwhile nothing but its answer goes out alone"


# --- how often -------------------------------------------------------------------------------------------------------


def per_author_per_day(about: Case) -> Stop:
    """Replies to one author within 24 hours."""
    sent, cap = about.situation.sends.to_author_last_day, about.settings.per_author_per_day
    return ("holds", f"this author had {sent} replies in a day, and {cap} is the limit") if sent >= cap else None


def per_thread(about: Case) -> Stop:
    """Replies in one conversation."""
    sent = max(about.situation.sends.in_thread, about.situation.thread.our_replies)
    cap = about.settings.per_thread
    return ("holds", f"we spoke {sent} times in this conversation, and {cap} is the limit") if sent >= cap else None


def per_rule_per_day(about: Case) -> Stop:
    """Replies that one rule asked for within 24 hours."""
    if about.reply is None:
        return None
    sent, cap = about.situation.sends.by_rule_last_day.get(about.reply.rule, 0), about.settings.per_rule_per_day
    if sent < cap:
        return None
    return "holds", f"the rule `{about.reply.rule}` gave {sent} replies in a day, and {cap} is the limit"


def per_hour(about: Case) -> Stop:
    """Replies on one network within an hour."""
    sent, cap = about.situation.sends.last_hour, about.settings.per_hour
    return ("holds", f"{sent} replies went out in the last hour, and {cap} is the limit") if sent >= cap else None


def per_day(about: Case) -> Stop:
    """Replies on one network within 24 hours."""
    sent, cap = about.situation.sends.last_day, about.settings.per_day
    return ("holds", f"{sent} replies went out in a day, and {cap} is the limit") if sent >= cap else None


def duplicate(about: Case) -> Stop:
    """The same wording to many people: what networks take for spam."""
    if about.reply is None:
        return None
    told, cap = (
        about.situation.sends.by_wording_last_day.get(about.reply.wording, 0),
        about.settings.per_wording_per_day,
    )
    if told < cap:
        return None
    number = about.reply.incident
    more = f"give I{number} more answers" if number else f"give the template `{about.reply.template}` more wordings"
    return "holds", (
        f"{told} others were told the same on {about.situation.network} within a day, and {cap} is the limit; {more}"
    )


def automatic_once(about: Case) -> Stop:
    """A second automatic reply to one author within a day."""
    if about.situation.sends.automatic_to_author_last_day >= 1:
        return "holds", "this author had an automatic reply within a day; a second one could be a loop"
    return None


def loop(about: Case) -> Stop:
    """Who behaves like a machine, whatever the account says of itself."""
    who = about.situation.author
    if who.quick_replies_last_day >= QUICK_REPLIES:
        return "holds", f"the author answered us {who.quick_replies_last_day} times within seconds, as machines do"
    if who.same_text_last_day >= SAME_TEXT:
        return "holds", f"the author wrote the same {who.same_text_last_day} times within a day, as machines do"
    if who.mentions_last_10_minutes >= BURST:
        return "holds", f"the author wrote {who.mentions_last_10_minutes} times in ten minutes, as machines do"
    return None


def campaign(about: Case) -> Stop:
    """A text that many accounts write: copied for a campaign, or by machines."""
    others = about.situation.same_text_by_others
    return ("holds", f"{others} other accounts wrote the same within an hour") if others >= CAMPAIGN else None


def unread(about: Case) -> Stop:
    """What no model could read."""
    if about.situation.understanding.model_version != NOBODY:
        return None
    return "holds", "the model is away, so nobody has read it"


def age(about: Case) -> Stop:
    """Old posts."""
    old, limit = about.situation.now - about.situation.posted_at, about.settings.max_age
    return ("holds", f"it is {spoken(old)} old, and {spoken(limit)} is the limit") if old > limit else None
