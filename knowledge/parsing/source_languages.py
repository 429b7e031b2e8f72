"""How definitions look in programming languages: enough to cut code where people would."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Syntax", "language_of", "leading_comment", "syntax_of"]

Found = tuple[Literal["container", "definition", "section"], int]
"""What a line opens, and for a section its level from 1"""

_NAMES: Final = {
    "py": "python", "pyi": "python", "js": "javascript", "mjs": "javascript", "cjs": "javascript", "jsx": "javascript",
    "ts": "typescript", "tsx": "typescript", "kt": "kotlin", "kts": "kotlin", "h": "c", "cc": "cpp", "cxx": "cpp",
    "hh": "cpp", "hpp": "cpp", "cs": "csharp", "fs": "fsharp", "vb": "visualbasic", "rs": "rust", "m": "objectivec",
    "mm": "objectivec", "rb": "ruby", "pl": "perl", "pm": "perl", "jl": "julia", "ex": "elixir", "exs": "elixir",
    "erl": "erlang", "hs": "haskell", "ml": "ocaml", "clj": "clojure", "el": "lisp", "pas": "pascal", "s": "asm",
    "f90": "fortran", "sh": "shell", "bash": "shell", "zsh": "shell", "fish": "shell", "ps1": "powershell",
    "bat": "batch", "cmd": "batch", "tf": "hcl", "yml": "yaml", "cfg": "ini", "conf": "ini", "properties": "ini",
    "xsd": "xml", "xsl": "xml", "xslt": "xml", "mk": "makefile", "tex": "latex", "bib": "bibtex", "patch": "diff",
}  # fmt: skip
_DATA: Final = frozenset(
    "yaml css scss less xml ini toml latex bibtex diff makefile cmake graphql svelte vue".split(" ")
)
_C_LIKE: Final = frozenset("c cpp csharp java objectivec dart php javascript typescript groovy gradle shell".split(" "))

_MODIFIERS = (
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|sealed|partial|open|data|inner|async"
    r"|unsafe|const|extern|inline|virtual|override|local|declare|case|pub(?:\([a-z ]{1,20}\))?)\s+){0,6}"
)
_CONTAINER: Final = re.compile(
    _MODIFIERS + r"(?:class|interface|trait|impl|namespace|module|object|protocol|extension|mod|defmodule)"
    r"(?:<[^<>]{0,80}>)?\s+[A-Za-z_$<][^;=]*$"
)
_DEFINITION: Final = re.compile(
    _MODIFIERS
    + r"(?:def|defp|defmacro|fn|func|fun|function|sub|proc|procedure|subroutine|struct|enum|union|record|type"
    r"|typedef|macro_rules!|macro|message|service|resource|variable|output|provider)\b(?!\s*[=.,;:)])"
    r"|(?:export\s+)?(?:default\s+)?(?:const|let|var)\s+[\w$]+\s*=\s*(?:async\s*)?(?:\(|function\b|[\w$]+\s*=>)"
    r"|[\w.]+\s*(?:<-|=)\s*function\b|\(def[\w-]*\s"
)
_SQL: Final = re.compile(r"(?:create|alter|insert\s+into|with)\s", re.IGNORECASE)
_ROUTINE: Final = re.compile(r"[A-Za-z_~$][\w:<>,*&\[\]~ .?@$-]{0,200}\([^;=]*[{),]\s*$|[\w-]+\s*\(\)\s*$")
_STATEMENT: Final = re.compile(
    r"(?:if|for|foreach|while|switch|return|else|catch|throw|do|case|new|delete|assert|with|using|await|yield|elif|try"
    r"|print|echo|require|import|super|this|lock|until|match)\b"
)
_PYTHON_CLASS: Final = re.compile(r"class\s+\w+\s*[(:\[]")
_PYTHON_DEF: Final = re.compile(r"(?:async\s+)?def\s+\w+\s*[(\[]|if __name__ ==")
_LATEX: Final = re.compile(r"\\(part|chapter|section|subsection|subsubsection|paragraph)\*?\s*[\[{]")
_LATEX_LEVELS: Final = {"part": 1, "chapter": 2, "section": 3, "subsection": 4, "subsubsection": 5, "paragraph": 6}
_TABLE: Final = re.compile(r"\[{1,2}[^\[\]]{1,200}\]{1,2}\s*(?:[#;].*)?$")
_COMMENT: Final = re.compile(
    r"//|/\*|\*|#(?!include|define|if|endif|else|undef|import)|--|%|;|@\w|\[[A-Z]\w*.*\]$|\"\"\"|<!--"
)


@dataclass(frozen=True, slots=True)
class Syntax:
    language: str

    def opens(self, line: str, indent: int) -> Found | None:
        """Tell what a line, without its white space, opens."""
        language = self.language
        if language == "python":
            if _PYTHON_CLASS.match(line):
                return "container", 0
            return ("definition", 0) if _PYTHON_DEF.match(line) else None
        if language in _DATA:
            return None if indent else self._section(line)
        if language == "sql":
            return ("definition", 0) if not indent and _SQL.match(line) else None
        line = line[:400]
        if _CONTAINER.match(line) and language != "go":
            return "container", 0
        routine = language in _C_LIKE and _ROUTINE.match(line) and not _STATEMENT.match(line)
        return ("definition", 0) if routine or _DEFINITION.match(line) else None

    def _section(self, line: str) -> Found | None:
        if self.language == "latex" and (match := _LATEX.match(line)):
            return "section", _LATEX_LEVELS[match.group(1)]
        if self.language in ("ini", "toml") and len(line) < 300 and _TABLE.match(line):
            depth = line.partition("]")[0].count(".") if self.language == "toml" else 0
            return "section", min(depth + 1, 6)
        if self.language == "diff" and line.startswith(("diff --", "Index: ")):
            return "section", 1
        return ("definition", 0) if self.language == "bibtex" and line.startswith("@") else None

    def attaches(self, line: str) -> bool:
        """Whether a line belongs to the definition below it: a comment, a decorator, an attribute."""
        return _COMMENT.match(line[:200]) is not None


def language_of(filename: str) -> str:
    """The language by the extension, in the words that syntax highlighters use."""
    extension = filename.rpartition(".")[2].strip().lower()
    return _NAMES.get(extension, extension)


def syntax_of(filename: str) -> Syntax:
    return Syntax(language_of(filename))


_FENCES: Final = (('"""', '"""'), ("'''", "'''"), ("/*", "*/"), ("<!--", "-->"), ("(*", "*)"), ("{-", "-}"))
_COMMENT_LINE: Final = re.compile(r"(?:#(?=[\s#!]|$)|//|--(?!-)|%|;|REM\b|rem\b|::)")


def leading_comment(text: str) -> int:
    """Where the comment or docstring that a file begins with ends; 0 when there is none."""
    end = position = 0
    while position < len(text):
        stop = text.find("\n", position)
        stop = len(text) if stop < 0 else stop
        line = text[position:stop].strip()
        fence = next((pair for pair in _FENCES if line.startswith(pair[0])), None)
        if fence:
            closed = text.find(fence[1], text.index(fence[0], position) + len(fence[0]))
            line_end = text.find("\n", closed) if closed >= 0 else -1
            rest = text[closed + len(fence[1]) : line_end if line_end >= 0 else len(text)]
            return closed + len(fence[1]) if closed >= 0 and not rest.strip() else end
        if line and not _COMMENT_LINE.match(line[:10]):
            return end
        if line:
            end = stop
        elif end and not text.startswith("#!"):
            return end
        position = stop + 1
    return 0  # nothing but comments: no comment on anything
