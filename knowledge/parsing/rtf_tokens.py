"""The words of Rich Text: tokens of the file, code pages, and which groups hold no text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from knowledge.errors import DocumentDamaged

__all__ = ["CHARACTERS", "SKIPPED", "STARRED", "SYMBOLS", "Token", "charset", "code_page", "decode_bytes", "tokens"]

Token = tuple[str, str, int | None, bytes]
"""``(kind, word, number, bytes)``; kinds are word, byte, symbol, open, close, text"""

_TOKEN: Final = re.compile(
    rb"\\([A-Za-z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9A-Fa-f]{2})|\\(.)|([{}])|([^\\{}\r\n]+)|[\r\n]+", re.DOTALL
)
CHARACTERS: Final = {
    "tab": " ", "line": "\n", "page": "\n", "column": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ",
    "zwj": "\u200d", "zwnj": "\u200c", "ltrmark": "\u200e", "rtlmark": "\u200f",
}  # fmt: skip
SYMBOLS: Final = {"~": "\u00a0", "_": "-", "-": "", "|": "", ":": ""}
SKIPPED: Final = frozenset(
    "colortbl filetbl revtbl listtable listoverridetable rsidtbl pict objdata objclass objname objalias fldinst "
    "themedata colorschememapping datastore latentstyles generator xmlnstbl bkmkstart bkmkend xe tc rxe txe pn "
    "pnseclvl nonshppict sp shprslt atnid atnauthor atrfstart atrfend atndate atntime atnref atnicn docvar "
    "nonesttables nesttableprops mmathPr ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn private template userprops "
    "background panose falt formfield datafield".split(" ")
)
STARRED: Final = frozenset("shpinst do annotation ud moMath moMathPara shptxt dptxbxtext footnote".split(" "))
"""Words after ``\\*`` whose groups are read all the same."""

_CHARSETS: Final = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
_CODE_PAGES: Final = {936: "gbk", 1361: "johab", 10000: "mac_roman", 65001: "utf-8", 708: "iso8859_6"}
_SYMBOL: Final = "symbol"
_SYMBOL_CHARACTERS: Final = {0xB7: "•", 0xA7: "▪", 0xD8: "➢", 0xFC: "✓", 0xA8: "□", 0xFE: "☑", 0x6F: "o"}
_PRIVATE: Final = re.compile("[\uf020-\uf0ff]")


def tokens(data: bytes) -> Iterator[Token]:
    """Yield the tokens; ``\\bin`` and its bytes are one that tells nothing.

    :raises DocumentDamaged: the file ends within a token.
    """
    position = 0
    while position < len(data):
        match = _TOKEN.match(data, position)
        if match is None:
            raise DocumentDamaged("The file is damaged: it ends in the middle.")
        position = match.end()
        word, number, pair, symbol, brace, text = match.groups()
        if word == b"bin":
            position += max(0, int(number or 0))
            if position > len(data):
                raise DocumentDamaged("The file is damaged: it ends in the middle of a picture.")
            yield "word", "bin", None, b""
        elif word:
            yield "word", word.decode("ascii"), int(number) if number else None, b""
        elif text:
            yield "text", "", None, text
        elif pair:
            yield "byte", "", None, bytes((int(pair, 16),))
        elif brace:
            yield ("open" if brace == b"{" else "close"), "", None, b""
        elif symbol:
            yield "symbol", symbol.decode("latin-1"), None, symbol


def charset(number: int, default: str) -> str:
    """The codec of a font's ``\\fcharset``."""
    return _SYMBOL if number == 2 else _CHARSETS.get(number, default)


def code_page(number: int, default: str) -> str:
    """The codec of ``\\ansicpg`` or ``\\cpg``."""
    name = _CODE_PAGES.get(number, f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return default


def decode_bytes(raw: bytes, codec: str) -> str:
    if codec == _SYMBOL:
        return "".join(_SYMBOL_CHARACTERS.get(byte) or bytes((byte,)).decode("cp1252", "replace") for byte in raw)
    return raw.decode(codec, "replace")


def tidy(text: str) -> str:
    """Join surrogate pairs, drop what no text may hold, and show the bullets of symbol fonts."""
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    text = _PRIVATE.sub(lambda match: _SYMBOL_CHARACTERS.get(ord(match.group()) & 0xFF, match.group()), text)
    return text.replace("\0", "").replace("\r", "")
