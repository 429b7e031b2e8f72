from __future__ import annotations

from pathlib import Path

import pytest
from growth import assert_linear
from hypothesis import given, settings
from hypothesis import strategies as st

import knowledge.parsing.source as this
from knowledge.errors import DocumentError, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.source import LONG, SourceParser
from knowledge.types import BlockKind, ParsedDocument

PYTHON = '''#!/usr/bin/env python
"""What the module does.

At length.
"""

import os


# Adds.
def add(a, b):
    def inner():
        return 1

    return a + b


@dataclass(frozen=True)
class Sum:
    """Of two."""

    def value(self):
        return 1

    # The sign.
    @property
    def sign(self):
        return -1


def after():
    return 2
'''


def pieces(document: ParsedDocument) -> list[tuple[str, str, tuple[str, ...]]]:
    """``(kind, first line, path)`` of each block."""
    return [
        (b.kind.value, document.text[b.start : b.end].splitlines()[0].strip(), b.heading_path) for b in document.blocks
    ]


def test_definitions_are_blocks_with_the_class_they_stand_in(parse) -> None:
    document = parse(PYTHON, "a.py")
    assert document.text == PYTHON
    assert pieces(document) == [
        ("paragraph", "#!/usr/bin/env python", ()),
        ("code", "import os", ()),
        ("code", "# Adds.", ()),
        ("heading", "@dataclass(frozen=True)", ()),
        ("code", '"""Of two."""', ("class Sum",)),
        ("code", "def value(self):", ("class Sum",)),
        ("code", "# The sign.", ("class Sum",)),
        ("heading", "def after():", ()),
        ("code", "return 2", ("def after()",)),
    ]
    assert dict(document.blocks[2].attrs) == {"lines": [10, 15], "language": "python"}
    assert document.text[document.blocks[5].start :].startswith("    def value")


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("a.go", "package main\n\n// Add adds.\nfunc Add(a int) int {\n\treturn a\n}\n\ntype T struct {\n}\n",
         [("code", "package main", ()), ("code", "// Add adds.", ()), ("code", "type T struct {", ())]),
        ("a.rs", "use x;\n\nimpl<T> Foo<T> {\n    /// Doc.\n    pub fn go(&self) {\n    }\n}\n\nfn main() {\n}\n",
         [("code", "use x;", ()), ("heading", "impl<T> Foo<T> {", ()), ("code", "/// Doc.", ("impl<T> Foo<T>",)),
          ("heading", "fn main() {", ()), ("code", "}", ("fn main()",))]),
        ("A.java", "package a.b;\n\npublic class A extends B {\n    private int x;\n\n    /** Doc. */\n    public int get() {\n        if (x) {\n        }\n    }\n}\n",
         [("code", "package a.b;", ()), ("heading", "public class A extends B {", ()),
          ("code", "private int x;", ("public class A extends B",)), ("code", "/** Doc. */", ("public class A extends B",))]),
        ("a.js", "import x from 'y';\n\nexport const f = (a) => {\n};\n\nmodule.exports = f;\n",
         [("code", "import x from 'y';", ()), ("code", "export const f = (a) => {", ())]),
        ("a.c", "#include <a.h>\n\nint main(int argc,\n         char **argv)\n{\n    while (1) {\n    }\n}\n",
         [("code", "#include <a.h>", ()), ("code", "int main(int argc,", ())]),
        ("a.toml", "name = 1\n\n[tool.ruff]\nx = 1\n[tool.ruff.lint]\ny = 2\n",
         [("code", "name = 1", ()), ("heading", "[tool.ruff]", ()), ("code", "x = 1", ("[tool.ruff]",)),
          ("heading", "[tool.ruff.lint]", ("[tool.ruff]",)), ("code", "y = 2", ("[tool.ruff]", "[tool.ruff.lint]"))]),
        ("a.tex", "\\section{One}\nwords\n\\subsection{Two}\nmore\n",
         [("heading", "\\section{One}", ()), ("code", "words", ("\\section{One}",)),
          ("heading", "\\subsection{Two}", ("\\section{One}",)), ("code", "more", ("\\section{One}", "\\subsection{Two}"))]),
        ("a.sql", "-- Tables.\n\ncreate table a (\n  x int\n);\nCREATE VIEW b AS select 1;\n",
         [("paragraph", "-- Tables.", ()), ("code", "create table a (", ()), ("code", "CREATE VIEW b AS select 1;", ())]),
        ("a.yaml", "a: 1\nclass: x\n\nb:\n  - module y\n", [("code", "a: 1", ())]),
    ],
)  # fmt: skip
def test_other_languages(parse, name: str, source: str, expected: list[object]) -> None:
    document = parse(source, name)
    assert pieces(document) == expected
    assert document.text == source


def test_long_blocks_are_cut_and_know_their_lines(parse) -> None:
    source = "".join(f"line {n}\n" + ("\n" if n % 50 == 0 else "") for n in range(1, 400))
    document = parse(source, "a.yaml")
    lines = source.split("\n")
    for block in document.blocks:
        first, last = block.attrs["lines"]
        assert last - first < LONG
        assert document.text[block.start : block.end] == "\n".join(lines[first - 1 : last])


def test_a_license_is_a_paragraph_and_comments_alone_are_code(parse, shown) -> None:
    document = parse("/*\n * Licence.\n */\nint x;\n", "a.c")
    assert shown(document) == [("paragraph", "/*\n * Licence.\n */"), ("code", "int x;")]
    assert shown(parse("# one\n# two\n", "a.sh")) == [("code", "# one\n# two")]
    assert shown(parse("#include <a.h>\nint x;\n", "a.h"))[0][0] == "code"


def test_a_very_long_line_and_an_empty_file(parse) -> None:
    assert len(parse("a=1;" * 500_000, "a.js").blocks) == 1
    with pytest.raises(DocumentWithoutText):
        parse("\n \n", "a.py")


def test_more_definitions_than_any_file_has_are_refused(monkeypatch: pytest.MonkeyPatch, parse) -> None:
    monkeypatch.setattr(this, "MAX_BLOCKS", 50)
    assert len(parse("def f():\n    return 1\n" * 50, "a.py").blocks) == 50
    with pytest.raises(DocumentTooLarge, match="more than 50 definitions"):
        parse("def f():\n    return 1\n" * 60, "a.py")


def test_our_own_source_keeps_every_line(parse) -> None:
    for path in sorted(Path(this.__file__).parent.glob("*.py")):
        source = path.read_text()
        document = parse(source, path.name)
        assert document.text == source
        inside = "".join(document.text[b.start : b.end] for b in document.blocks)
        assert "".join(inside.split()) == "".join(source.split())


PIECES = ["class A:\n", "class A {\n", "def f():\n", "    def g():\n", "}\n", "# c\n", "// c\n", '"""', "/*", "*/", "\n", "\n\n", "    ", "x = 1\n", "@d\n", "[a.b]\n",
          "\t", "fn f() {\n", "\x0c", "\u2028", "漢 "]  # fmt: skip


@given(
    source=st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    name=st.sampled_from(["a.py", "a.rs", "a.c", "a.toml", "a.sql", "a"]),
)
@settings(max_examples=300, deadline=None)
def test_blocks_hold_everything_in_order(source: str, name: str) -> None:
    try:
        document = SourceParser().parse(source.encode(), ParseContext(filename=name))
    except DocumentError:
        assert not source.strip()
        return
    position = 0
    for block in document.blocks:
        assert document.text[position : block.start].strip() == ""
        assert position <= block.start < block.end
        assert (block.level is not None) == (block.kind is BlockKind.HEADING)
        position = block.end
    assert document.text[position:].strip() == ""


@pytest.mark.parametrize(
    "piece", ["a\n", "\n", " ", "class A:\n", "# c\n\n", '"""\n', "/*", "def f(", "@d\n", "x(", "[a.", "a a a\n"]
)
def test_time_grows_with_the_size_and_no_faster(piece: str) -> None:
    for name in ("a.py", "a.java", "a.toml"):

        class Named(SourceParser):
            def parse(self, data: bytes, context: ParseContext, name: str = name) -> ParsedDocument:
                return super().parse(data, ParseContext(filename=name))

        assert_linear(Named(), piece)
