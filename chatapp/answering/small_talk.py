"""Tell a greeting, thanks or a goodbye from a question: nothing is searched for them, and no source is shown."""

from __future__ import annotations

import re

__all__ = ["is_small_talk"]

_PHRASES = (
    r"(?:hello|hi|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day))(?: (?:there|all|everyone|again))?",
    r"(?:many |ok(?:ay)?,? )?thanks?(?: you)?(?: (?:very much|so much|a lot|again|for (?:your|the) help))?",
    r"(?:ok(?:ay)?|great|perfect|cool|nice|got it|that helps|you're welcome)",
    r"(?:good ?bye|bye(?: bye)?|see you(?: later| soon| tomorrow)?|good night|have a (?:nice|good) day)",
    r"how are you(?: doing)?(?: today)?|how is it going|how's it going|nice to meet you",
    r"(?:hallo|servus|moin|grüß (?:gott|dich)|guten (?:tag|morgen|abend)|gute nacht)(?: (?:zusammen|nochmal))?",
    r"(?:vielen |besten |herzlichen )?dank(?:e)?(?: (?:sehr|schön|dir|ihnen|für (?:die|deine|ihre) hilfe))?",
    r"(?:tschüss|tschüs|auf wiedersehen|bis (?:bald|später|morgen)|schönen (?:tag|abend)(?: noch)?)",
    r"wie geht(?:'s| es)(?: (?:dir|ihnen))?|freut mich",
)
_PHRASE = "(?:" + "|".join(_PHRASES) + ")"
_GAP = r"[\s,.!?;:)(-]+"
_ALL = re.compile(rf"{_PHRASE}(?:{_GAP}{_PHRASE}){{0,3}}", re.IGNORECASE)
_ALONE = frozenset("hello hi hey hiya howdy thanks bye goodbye ok okay hallo servus moin danke tschüss tschüs".split())
"""What alone is no question either. "Nice" and "Perfect" may be a place or a product that somebody looks up."""

_LONGEST = 120
"""Characters; nobody greets at greater length, and a longer text is not worth a look."""


def is_small_talk(text: str) -> bool:
    """Tell whether all of a text is small talk; English and German. "Thanks, and what does it cost?" is not."""
    words = " ".join(text.replace("’", "'").split()).strip(" .,!?;:-)(")
    if not 0 < len(words) <= _LONGEST or _ALL.fullmatch(words) is None:
        return False
    return re.search(_GAP, words) is not None or words.casefold() in _ALONE
