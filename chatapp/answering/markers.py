"""Read a model's output as it streams: find citation markers, drop what must not be shown.

A state machine over single characters, so that the result cannot depend on how the output was cut
into pieces. Nothing is read twice except a line that looked like ``NO_ANSWER`` or like the heading of
a source list and turned out to be neither; time is linear in the length of the output.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from chatapp.answering.grammar import HOLD_LIMIT, Marker, could_be_marker, parse_marker, unclosed_label
from chatapp.answering.leaks import LONGEST_TAG, RUN_START, HostedRun, is_leaked_tag
from chatapp.answering.lines import LINE_STARTS, Line, SourceList, read_line
from chatapp.answering.regions import SQUARE_OPENERS, Fence, InlineCode, Math, Region, Step, Tag, Url
from chatapp.answering.sentinels import is_deceptive
from chatapp.answering.writer import Anomaly, CanonicalWriter, Cite, Event, NoAnswer, SentenceEnd, Text

__all__ = ["Anomaly", "Cite", "Event", "MarkerParser", "NoAnswer", "SentenceEnd", "Text"]

_ROUND_OPENERS = "(（"
_SQUARE_CLOSERS = "]】］"
_ROUND_CLOSERS = ")）"
_ADDRESS_STARTS = ("http:", "https:", "www.", "mailto:", "#", "/")


class MarkerParser:
    """Turn raw output into events; ``labels`` are the only citations that come through.

    ``titles`` of the sources help to recognise a source list that the model appends on its own.
    """

    def __init__(self, labels: Collection[str], *, titles: Collection[str] = ()) -> None:
        self._labels = frozenset(labels)
        self._sources = SourceList(titles)
        self._out = CanonicalWriter()
        self._state: Callable[[str], None] = self._text
        self._hold = ""
        self._fresh_line = True
        self._replaying = False
        self._brackets = 0
        self._after_bracket = False  # the last character closed a bracket of text: "(" begins an address
        self._ticks = 0
        self._region: Region = Url()
        self._leak: HostedRun | None = None
        self._dropped = 0  # characters of a leaked tag
        self._beside: list[str] = []  # citations that were told beside the text and wait for a place
        self._in_private_run = False
        self._number: Marker | None = None
        self._cited = False
        self._at_fence_place = False
        self._tick_mark = "`"

    @property
    def held(self) -> int:
        """Characters taken in whose fate is open."""
        return len(self._hold) + (self._leak.held if self._leak else 0) + self._out.held

    def feed(self, delta: str) -> list[Event]:
        """Take the next piece of output."""
        for c in delta:
            self._take(c)
            if self._beside:
                self._place_beside()
        return self._out.drain()

    def cite(self, label: str) -> list[Event]:
        """Cite a source for the sentence that is open, as told beside the text and not in it.

        A passage is cited once a sentence so. The place is behind the last word, or behind the code or link around it.
        """
        if label in self._labels:
            self._beside.append(label)
            self._place_beside()
        return self._out.drain()

    def finish(self) -> list[Event]:
        """End the output."""
        leak, self._leak = self._leak, None
        self._replay(leak.rest() if leak else "")
        for _ in range(HOLD_LIMIT):  # a released line may leave a bracket open, which is then released too
            if self._state == self._text:
                break
            self._finish_state()
        self._place_beside()
        self._out.finish()
        return self._out.drain()

    # --- characters that are never text -----------------------------------------------------

    def _take(self, c: str) -> None:
        if self._leak is not None:
            instead = self._leak.take(c)
            if instead is not None:
                self._leak = None
                self._replay(instead)
        elif is_deceptive(c):
            self._private(c)
        elif c >= " " or c in "\n\t":
            self._in_private_run = False
            # Lone surrogates and DEL cannot be stored or shown.
            if not ("\ud800" <= c <= "\udfff" or "\x7f" <= c <= "\x9f"):
                self._state(c)

    def _private(self, c: str) -> None:
        if not self._in_private_run:
            self._out.anomaly("private_use", f"U+{ord(c):04X}")
        self._in_private_run = True
        if c == RUN_START:
            self._leak = HostedRun()

    def _place_beside(self) -> None:
        """Place what was cited beside the text, unless brackets, code or a held line are in the way."""
        if self._hold or self._after_bracket or self._state not in (self._text, self._after_marker):
            return
        for label in self._beside:
            placed = self._out.cite_beside(label)
            self._cited = self._cited or placed
            if not placed:
                self._out.anomaly("native_unplaced", label)
        self._beside.clear()

    def _replay(self, text: str) -> None:
        for c in text:
            self._take(c)

    # --- ordinary text ------------------------------------------------------------------------

    def _text(self, c: str) -> None:
        if c == "\n":
            self._fresh_line = True
            self._brackets = 0
            self._after_bracket = False
        elif self._fresh_line and c not in " \t":
            self._fresh_line = False
            if c in LINE_STARTS and not self._replaying:
                self._hold = ""
                self._state = self._line
                self._line(c)
                return
        self._inline(c)

    def _inline(self, c: str) -> None:
        after_bracket, self._after_bracket = self._after_bracket, False
        if c == "(" and after_bracket:
            self._enter(Url(), c)
        elif c in SQUARE_OPENERS or c in _ROUND_OPENERS:
            self._hold = c
            self._state = self._marker
        elif c == "`" or (c == "~" and self._out.in_prefix):
            self._at_fence_place = self._out.in_prefix
            self._ticks, self._tick_mark = 1, c
            self._state = self._opening_ticks
            self._out.put(c, code=True)
        elif c == "$":
            self._state = self._text if self._is_after_word() else self._dollar
            self._out.put(c)
        elif c == "\\":
            self._state = self._backslash
        elif c == "<":
            self._hold = c
            self._state = self._tag_name
        else:
            self._plain(c)

    def _plain(self, c: str) -> None:
        if c == "[":
            self._brackets += 1
        elif c == "]" and self._brackets:
            self._brackets -= 1
            self._after_bracket = True
        self._out.put(c)

    def _is_after_word(self) -> bool:
        return bool(self._out.word) and not self._out.has_space

    def _resume(self, c: str) -> None:
        """Go back to ordinary text with a character that is not yet read."""
        self._state = self._text
        self._text(c)

    def _release(self, text: str) -> None:
        for c in text:
            self._plain(c)

    # --- regions without citations --------------------------------------------------------------

    def _enter(self, region: Region, c: str) -> None:
        self._region = region
        self._state = self._in_region
        self._in_region(c)

    def _in_region(self, c: str) -> None:
        region = self._region
        step = region.step(c)
        if step is Step.OUTSIDE:
            self._resume(c)
            return
        self._out.put(c, code=True)
        if step is Step.LAST:
            self._state = self._text
        elif isinstance(region, Fence) and region.in_info and c == region.mark == "`":
            self._region = InlineCode(region.length, run=1)  # "```code```": no fence after all

    def _opening_ticks(self, c: str) -> None:
        if c == self._tick_mark:
            self._ticks += 1
            self._out.put(c, code=True)
        elif self._ticks >= 3 and self._at_fence_place:
            self._enter(Fence(self._tick_mark, self._ticks), c)
        elif self._tick_mark == "~":
            self._resume(c)
        else:
            self._enter(InlineCode(self._ticks), c)

    def _dollar(self, c: str) -> None:
        """Tell a formula from a price: no space and no digit after its dollar."""
        if c == "$":
            self._out.put(c)
            self._region = Math("$$")
            self._state = self._in_region
        elif c.isalpha() or c in "\\{(|-+":
            self._enter(Math("$"), c)
        else:
            self._resume(c)

    def _backslash(self, c: str) -> None:
        if c == "[":
            self._hold = r"\["
            self._state = self._marker
        elif c == "(":
            self._out.put("\\", code=True)
            self._out.put(c, code=True)
            self._region = Math(r"\)")
            self._state = self._in_region
        else:
            self._out.put("\\")
            self._state = self._text
            if c.isspace() or c == "\\":
                self._text(c)
            else:
                self._out.put(c)

    def _tag_name(self, c: str) -> None:
        held, self._hold = self._hold, self._hold + c
        if len(self._hold) <= HOLD_LIMIT and (c.isalnum() or c in ":-_" or (c in "/!" and held == "<")):
            if held == "<" and not (c.isalpha() or c in "/!"):
                self._leave_tag(held, c)
            return
        if is_leaked_tag(held, c):
            self._dropped = 0
            self._hold = held
            self._state = self._leaked_tag
            self._leaked_tag(c)
            return
        self._leave_tag(held, c)

    def _leave_tag(self, held: str, c: str) -> None:
        self._hold = ""
        if len(held) == 1:
            self._release(held)
            self._resume(c)
            return
        for character in held:
            self._out.put(character, code=True)
        self._enter(Tag(), c)

    def _leaked_tag(self, c: str) -> None:
        self._dropped += 1
        if c in ">\n" or self._dropped > LONGEST_TAG:
            self._out.anomaly("leaked_tag", self._hold)
            self._hold = ""
            self._state = self._text
            if c != ">":
                self._text(c)
        elif len(self._hold) < HOLD_LIMIT:
            self._hold += c

    # --- markers -----------------------------------------------------------------------------------

    def _marker(self, c: str) -> None:
        held = self._hold
        escaped = held.startswith("\\")
        if held.startswith("[[") and held.endswith("]"):
            if c == "]":
                self._decide(held[2:-1], held + c)
            else:
                self._plain("[")
                self._decide(held[2:-1], held[1:])
                self._state(c)
        elif c in (_ROUND_CLOSERS if held[0] in _ROUND_OPENERS else _SQUARE_CLOSERS):
            self._hold += c
            if not held.startswith("[["):
                self._decide(held[2 if escaped else 1 :].rstrip("\\"), held + c)
        elif len(held) < HOLD_LIMIT and (
            c == "[" == held
            or (escaped and c == "\\" and held[-1] != "\\")
            or could_be_marker(held, c, parenthesis=held[0] in _ROUND_OPENERS)
        ):
            self._hold += c
        else:
            self._give_up_marker(c)

    def _give_up_marker(self, c: str) -> None:
        held, self._hold = self._hold, ""
        opener = len(held) - len(held.lstrip(SQUARE_OPENERS))
        label = unclosed_label(held[opener:]) if opener else 0
        if c.isalnum() and len(held) == opener + label:
            label = 0  # "[S1mple": a word
        if held.startswith("\\"):
            for character in held:
                self._out.put(character, code=True)
            self._enter(Math(r"\]"), c)
            return
        if label:
            self._out.anomaly("unclosed_marker", held[: opener + label])
            self._out.cite(())
            held = held[opener + label :]
        self._release(held)
        self._resume(c)

    def _decide(self, content: str, raw: str) -> None:
        """Act on a closed bracket."""
        self._hold = ""
        self._state = self._text
        marker = parse_marker(content, parenthesis=raw[0] in _ROUND_OPENERS)
        if marker is None:
            self._reject(raw)
        elif marker.form == "number":
            self._hold, self._number = raw, marker
            self._state = self._after_number
        else:
            self._cite(marker, raw)
            self._state = self._after_marker

    def _reject(self, raw: str) -> None:
        if raw.startswith("\\"):
            for c in raw:
                self._out.put(c, code=True)
            if not raw.endswith(r"\]"):
                self._region = Math(r"\]")
                self._state = self._in_region
        else:
            self._release(raw)

    def _cite(self, marker: Marker, raw: str) -> None:
        known = [label for number in marker.numbers if (label := f"S{number}") in self._labels]
        if marker.form == "leak":
            self._out.anomaly("leaked_marker", raw)
        elif marker.too_long:
            self._out.anomaly("range_too_long", raw)
        if len(known) < len(marker.numbers):
            self._out.anomaly("out_of_range", raw)
        self._cited = self._cited or bool(known)
        self._out.cite(known)

    def _after_number(self, c: str) -> None:
        """Decide ``[1]``, which may also be an array index, a link or the definition of a note."""
        marker, raw = self._number, self._hold
        assert marker is not None
        self._hold = ""
        self._state = self._text
        identifier = self._is_after_word() and (len(self._out.word) == 1 or not self._out.word.isalpha())
        after_bracket = self._out.last in "])" and self._out.last != "" and not self._out.has_space
        in_range = bool(marker.numbers) and all(f"S{number}" in self._labels for number in marker.numbers)
        plausible = bool(marker.numbers) and 0 < marker.numbers[-1] < 100
        if (c and c in "(:") or identifier or after_bracket or not (in_range or plausible):
            self._release(raw)
        else:
            self._cite(marker, raw)
        if c:
            self._text(c)

    def _after_marker(self, c: str) -> None:
        """Drop an address behind a marker: ``[S1](http://...)`` would pass for one of our citations."""
        if not self._hold and c == "(":
            self._hold = c
            return
        held = self._hold
        if not held:
            self._resume(c)
            return
        inside = (held + c)[1:].lower()
        if inside.startswith(_ADDRESS_STARTS):
            self._out.anomaly("marker_link", inside)
            self._hold = ""
            self._region = Url()
            self._region.step("(")
            self._state = self._dropped_address
        elif any(start.startswith(inside) for start in _ADDRESS_STARTS):
            self._hold += c
        else:
            self._hold = ""
            self._state = self._text
            self._replay(held + c)

    def _dropped_address(self, c: str) -> None:
        step = self._region.step(c)
        if step is Step.OUTSIDE:
            self._resume(c)
        elif step is Step.LAST:
            self._state = self._text

    # --- whole lines: NO_ANSWER and source lists ------------------------------------------------------

    def _line(self, c: str) -> None:
        self._hold += c
        reading = read_line(self._hold)
        if reading is Line.NO_ANSWER:
            self._hold = ""
            self._note_no_answer()
            self._after_no_answer(c)
        elif reading is Line.SOURCES:
            self._sources.begin(self._hold)
            self._state = self._source_list
        elif reading is Line.TEXT:
            self._release_line()

    def _release_line(self) -> None:
        """Read what was held again as ordinary text; only a line that has just begun may be held again."""
        held, self._hold = self._hold, ""
        self._state = self._text
        self._fresh_line = False
        begun = held.rfind("\n") + 1
        self._replaying = True
        for c in held[:begun]:
            self._state(c)
        self._replaying = False
        for c in held[begun:]:
            self._state(c)

    def _note_no_answer(self) -> None:
        self._state = self._after_no_answer
        if self._cited:
            self._out.anomaly("late_no_answer", "NO_ANSWER")
        else:
            self._out.no_answer()

    def _after_no_answer(self, c: str) -> None:
        if c not in " \t\n*_`:.,-–—|":
            self._fresh_line = True
            self._resume(c)

    def _source_list(self, c: str) -> None:
        self._hold += c
        if not self._sources.take(c):
            self._release_line()

    # --- the end -----------------------------------------------------------------------------------------

    def _finish_state(self) -> None:
        state, held = self._state, self._hold
        if state == self._line and read_line(held + "\n") is Line.NO_ANSWER:
            self._hold = ""
            self._note_no_answer()
            self._state = self._text
        elif state == self._line and read_line(held + "\n") is not Line.SOURCES:
            self._release_line()
        elif state in (self._line, self._source_list):
            self._finish_sources()
        elif state == self._after_number:
            self._after_number("")
        else:
            self._finish_held(held)

    def _finish_sources(self) -> None:
        if self._state == self._line or self._sources.is_source_list():
            self._out.anomaly("source_list", self._hold)
            self._hold = ""
            self._beside.clear()
            self._state = self._text
        else:
            self._release_line()

    def _finish_held(self, held: str) -> None:
        state = self._state
        self._hold = ""
        self._state = self._text
        if state == self._marker:
            self._finish_marker(held)
        elif state == self._leaked_tag or (state == self._tag_name and is_leaked_tag(held, ">")):
            self._out.anomaly("leaked_tag", held)
        elif state == self._backslash:
            self._out.put("\\")
        else:
            self._release(held)

    def _finish_marker(self, held: str) -> None:
        if held.startswith("[[") and held.endswith("]"):
            self._plain("[")
            self._decide(held[2:-1], held[1:])
            return
        opener = len(held) - len(held.lstrip(SQUARE_OPENERS))
        if opener and (unclosed_label(held[opener:]) or held[opener:] == "S"):
            self._out.anomaly("unclosed_marker", held)
        else:
            self._release(held)
