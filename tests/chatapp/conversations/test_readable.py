"""An exported answer as a page, and what a check says of one that was touched."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chatapp.answering.sentinels import sentinel, strip_sentinels
from chatapp.conversations.exports import NOT_PROVEN, checked_export
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.readable import FORM, checked_page, page_of_export
from chatapp.conversations.records import FIRST_FORMAT, FORMAT, digest_of
from chatapp.conversations.sealing import TEXTS, Sealer, canonical, source_part

QUESTION = "Who may <b>park</b>?\r\nAnd when?"
ANSWER = f"Guests may park in the yard{sentinel(1)}."
PASSAGE = "Guests may park in the yard\u2028for 90 minutes. </pre><script>alert(1)</script>"


def sha(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def exported(form: str = FORMAT, **more: Any) -> dict[str, Any]:
    """An export as ``exports.export`` returns it, of an answer that nobody gave."""
    sentences = [
        {"index": 0, "start": 0, "end": len(ANSWER), "kind": "statement", "verdict": "supported", "score": 1.0,
         "reasons": ["word for word"], "citations": [1]},
    ]  # fmt: skip
    texts = {
        "question": QUESTION, "answer": ANSWER, "query": "park", "raw_output": "Guests may park [S1].",
        "prompt": [{"role": "user", "content": "<<<SOURCE\n\nx"}], "retrieval": {},
    }  # fmt: skip
    salts = dict.fromkeys((*TEXTS, "sentences", source_part("d")), "5a" * 16)
    seal = Sealer(None if form == FIRST_FORMAT else salts)
    place = {"label": "S1", "document": "d", "version": 1, "page": None, "start": 0, "end": len(PASSAGE)}
    record = {
        "format": form, "tenant": "t", "sequence": 1, "run": "r", "status": "done", "started": "2026-11-01",
        "finished": "2026-11-01", "model": "m", "knowledge_bases": ["b"], "citation_mode": "mark",
        "prompt_version": "1", "no_answer": False, "anomalies": {}, "usage": {"prompt_tokens": 7}, "timings": {},
        "error": "",
        **{name: seal(name, text if isinstance(text, str) else canonical(text)) for name, text in texts.items()},
        "sentences": [{**sentences[0], "reasons": seal("sentences", canonical(["word for word"]))}],
        "passages": [{**place, "title": seal(source_part("d"), "Rules"), "text": seal(source_part("d"), PASSAGE),
                      "used": True}],
        "citations": [{"number": 1, "label": "S1", "sentence": 0, "page": None, "start": 0, "end": 6,
                       "quote": seal(source_part("d"), "Guests")}],
    }  # fmt: skip
    text = canonical(record)
    return {
        "format": form,
        "entry": {"sequence": 1, "previous": "", "digest": digest_of("", text), "record": text, "created": ""},
        "salts": salts, "erased": {}, "withheld": [],
        "texts": texts,
        "passages": [{**place, "title": "Rules", "text": PASSAGE}],
        "citations": [{"number": 1, "label": "S1", "sentence": 0, "quote": "Guests"}],
        "sentences": sentences,
        "readable": strip_sentinels(ANSWER),
        **more,
    }  # fmt: skip


def told(page: str) -> list[str]:
    findings = checked_page(page)
    assert all(finding.broken for finding in findings)
    return [finding.words for finding in findings]


def test_a_page_shows_the_answer_and_proves_itself() -> None:
    data = exported()
    assert checked_export(data) == []
    page = page_of_export(data)
    assert told(page) == []
    for part in ("Guests may park in the yard[1].", "word for word", "supported", data["entry"]["digest"], "Rules"):
        assert part in page, part


def test_a_page_runs_nothing_and_loads_nothing() -> None:
    page = page_of_export(exported())
    assert "<script" not in page
    assert "<b>park" not in page
    assert not re.search(r"\s(?:src|href|on\w+)=", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("for 90 minutes", "for 60 minutes", "The page shows something else than the record that it holds."),
        ("<strong>supported</strong>", "<strong>weak</strong>", "The page shows something else than the record that it holds."),
        ("</body>", "<p>And nobody else.</p></body>", "The page shows something else than the record that it holds."),
        ("\r\n", "\n", "The page shows something else than the record that it holds."),
        ("&quot;quote&quot;: &quot;Guests&quot;", "&quot;quote&quot;: &quot;Cars&quot;", "Citation S1 is not as it was recorded."),
        ("&quot;word for word&quot;", "&quot;hardly&quot;", "The verdicts of sentences is not as it was recorded."),
        (FORM, "footnote-answer-page-0", "The page has the form “footnote-answer-page-0” of another release: what it shows was not compared. What it holds is as it was recorded."),
        ('id="export"', 'id="other"', "This is no exported answer."),
        ("&quot;texts&quot;", "&quot;others&quot;", "This is no exported answer."),
    ],
)  # fmt: skip
def test_whatever_is_changed_in_a_page_is_found(old: str, new: str, words: str) -> None:
    page = page_of_export(exported())
    assert old in page
    assert told(page.replace(old, new, 1)) == [words]


@pytest.mark.parametrize("page", ["", "<html>", "<pre id='export'>[]</pre>", "<pre id='export'>7</pre>"])
def test_what_is_no_page_of_ours_is_said(page: str) -> None:
    assert told(page) == ["This is no exported answer."]


def test_an_export_of_an_earlier_release_is_still_good() -> None:
    data = exported(FIRST_FORMAT)
    for name in ("sentences", "salts", "erased", "withheld"):
        del data[name]
    assert checked_export(data) == []
    assert told(page_of_export(data)) == []


def test_a_page_of_an_answer_that_was_partly_erased_says_so_and_is_compared_all_the_same() -> None:
    erased = {"prompt": "1 November 2026"}
    data = exported(erased=erased)
    data["texts"] = {**data["texts"], "prompt": []}
    page = page_of_export(data)
    found, not_proven = checked_page(page)
    assert not found.broken
    assert found.words.startswith("Erased, as the file says:")
    assert not_proven.words == NOT_PROVEN
    assert "<p>Erased, as the file says: prompt.</p>" in page
    assert f"<p>{NOT_PROVEN}</p>" in page
    assert told(page.replace("for 90 minutes", "for 60 minutes", 1)) == [
        "The page shows something else than the record that it holds."
    ]


def test_the_form_is_raised_when_the_page_changes() -> None:
    """Pages made before would else be called forged: raise ``FORM`` and put the new digest here."""
    assert (FORM, sha(page_of_export(exported()))) == (
        "footnote-answer-page-1",
        "5665a71b6160466a1d929d655cbeac90a7ff62acc47cb425df9f1c7a04e45474",
    )


@pytest.fixture
def run_command(rows: Any) -> Callable[..., Any]:
    def run(*arguments: object) -> str:
        out = StringIO()
        call_command("audit", *map(str, arguments), stdout=out)
        return out.getvalue()

    async def wait(*arguments: object) -> str:
        return str(await rows(run, *arguments))

    return wait


@pytest.mark.django_db(transaction=True)
@pytest.mark.asyncio(loop_scope="session")
async def test_an_answer_is_exported_as_a_page_and_checked(
    library: Any,
    use_model: Any,
    scripted_model: Any,
    owner: Any,
    open_chat: Any,
    rows: Any,
    run_command: Any,
    tmp_path: Path,
) -> None:
    scripted_model.script(["Visitors register before 18:00 [S1].\r\n\r\nThey wear a badge [S2]."])
    await rows(lambda: use_model(library.tenant, "scripted-custom", bases=[library.base]))
    events = await (await open_chat(owner)).ask("When must visitors register?\r\nAnd where?")
    run, page, data = events[0]["run"], tmp_path / "a.html", tmp_path / "a.json"
    assert (await run_command("--export", run, data, "--html", page)).count("digest") == 2
    for file in (page, data):
        assert await run_command("--check", file) == f"{file}: what it holds is as it was recorded.\n"
    page.write_bytes(page.read_bytes().replace(b"18:00", b"19:00", 1))
    with pytest.raises(CommandError) as error:
        await run_command("--check", page)
    assert error.value.returncode == 1
    only = tmp_path / "only.html"
    await run_command("--export", run, "--html", only)
    assert "as it was recorded" in await run_command("--check", only)
    assert await rows(AnswerRun.objects.count) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.asyncio(loop_scope="session")
async def test_a_command_that_makes_no_sense_is_refused_in_words(run_command: Any, tenant: Any, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for arguments, words in (
        (("--html", tmp_path / "a.html"), "--html goes with --export"),
        (("--export", "a"), "an answer and a file"),
        (("--export", "a", "b", "c"), "an answer and a file"),
        (("--export", "a", "b"), "no recorded answer a"),
        (("--check", tmp_path / "bytes"), "neither JSON nor a page"),
    ):
        with pytest.raises(CommandError, match=words):
            await run_command(*arguments)
