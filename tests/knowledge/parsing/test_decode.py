from __future__ import annotations

import codecs

import pytest

from knowledge.parsing.decode import decode

GERMAN = "Die schöne Frau können müßig über 15,50 € für Käse sprechen."
JAPANESE = "名前,年齢,住所\n佐藤太郎,30,東京\n三木英子,25,大阪\n髙橋淳,35,名古屋"
RUSSIAN = "Договор аренды вступает в силу с момента подписания обеими сторонами и действует один год."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_western_text_is_read_in_every_usual_encoding(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding)) == GERMAN


@pytest.mark.parametrize(("text", "encoding"), [(JAPANESE, "cp932"), (RUSSIAN, "cp1251"), (RUSSIAN, "koi8_r")])
def test_other_scripts_are_guessed(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_a_declared_encoding_goes_before_guessing() -> None:
    assert decode("Zażółć".encode("cp1250"), declared="windows-1250") == "Zażółć"


@pytest.mark.parametrize("declared", ["no-such-code", "rot13", "utf-7"])
def test_a_useless_declaration_does_no_harm(declared: str) -> None:
    assert "caf" in decode("café au lait".encode("cp1252"), declared=declared)


def test_line_ends_become_lf_and_nul_goes() -> None:
    assert decode(b"a\r\nb\rc\0d") == "a\nb\ncd"


def test_lone_surrogates_go() -> None:
    assert decode(b"\xed\xa0\x80 rest") == " rest"
    assert decode(codecs.BOM_UTF16_LE + b"\x00\xd8a\x00").endswith("a")


def test_text_after_a_long_ascii_start_decides_the_encoding() -> None:
    text = "plain line\n" * 20_000 + GERMAN
    assert decode(text.encode("cp1252")).endswith(GERMAN)


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "a\0b", "base64", "", "ascii"])
def test_what_is_no_charset_of_the_text_is_not_believed(charset: str) -> None:
    assert decode("Grüße".encode("cp1252") * 9, declared=charset) == "Grüße" * 9


def test_seven_bit_charsets_are_believed_though_they_look_like_ascii() -> None:
    assert decode("漢字".encode("iso-2022-jp"), declared="ISO-2022-JP") == "漢字"
    assert decode(b"plain", declared="iso-2022-jp") == "plain"
    assert decode(b"\x1b$B broken", declared="iso-2022-jp") == "\x1b$B broken"
