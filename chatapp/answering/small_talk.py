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
_ALL = re.compile(rf"{_PHRASE}(?:[\s,.!?;:)(-]+{_PHRASE}){{0,3}}", re.IGNORECASE)
_LONGEST = 120
"""Characters; nobody greets at greater length, and a longer text is not worth a look."""


def is_small_talk(text: str) -> bool:
    """Tell whether all of a text is small talk; English and German. "Thanks, and what does it cost?" is not."""
    words = " ".join(text.replace("’", "'").split()).strip(" .,!?;:-)(")
    return 0 < len(words) <= _LONGEST and _ALL.fullmatch(words) is not None
