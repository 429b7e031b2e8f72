"""Presentations (PPTX) written part by part, so that a test can make any of them odd."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

P = "http://schemas.openxmlformats.org/presentationml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SPACES = (
    f'xmlns:p="{P}" xmlns:a="{A}" xmlns:r="{R}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
INCH = 914_400
CHARTS = "http://schemas.openxmlformats.org/drawingml/2006/chart"


def paragraph(text: str, properties: str = "") -> str:
    return f"<a:p>{properties}<a:r><a:t>{text}</a:t></a:r></a:p>"


def shape(
    *paragraphs: str, at: tuple[float, float] | None = None, ph: str = "", named: str = "", style: str = ""
) -> str:
    """A text shape; ``at`` in inches, ``ph`` the attributes of its placeholder, ``named`` those of its name."""
    place = (
        f'<a:xfrm><a:off x="{round(at[0] * INCH)}" y="{round(at[1] * INCH)}"/><a:ext cx="9" cy="9"/></a:xfrm>'
        if at
        else ""
    )
    holder = f"<p:ph {ph}/>" if ph else ""
    body = "".join(text if text.startswith("<") else paragraph(text) for text in paragraphs)
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="2" name="x" {named}/><p:cNvSpPr/><p:nvPr>{holder}</p:nvPr></p:nvSpPr>'
        f"<p:spPr>{place}</p:spPr><p:txBody><a:bodyPr/><a:lstStyle>{style}</a:lstStyle>{body}</p:txBody></p:sp>"
    )


def title(text: str) -> str:
    return shape(text, ph='type="title"')


def frame(graphic: str, at: tuple[float, float] = (1, 5)) -> str:
    place = f'<p:xfrm><a:off x="{round(at[0] * INCH)}" y="{round(at[1] * INCH)}"/><a:ext cx="9" cy="9"/></p:xfrm>'
    return f"<p:graphicFrame>{place}<a:graphic><a:graphicData>{graphic}</a:graphicData></a:graphic></p:graphicFrame>"


def group(*shapes: str, at: tuple[float, float], inside: tuple[int, int, int, int] = (0, 0, 10, 10)) -> str:
    """A group of two by two inches; ``inside``: origin and size of the coordinates of what it holds."""
    x, y, width, height = inside
    return (
        f'<p:grpSp><p:nvGrpSpPr><p:cNvPr id="3" name="g"/></p:nvGrpSpPr><p:grpSpPr><a:xfrm>'
        f'<a:off x="{round(at[0] * INCH)}" y="{round(at[1] * INCH)}"/><a:ext cx="{2 * INCH}" cy="{2 * INCH}"/>'
        f'<a:chOff x="{x}" y="{y}"/><a:chExt cx="{width}" cy="{height}"/></a:xfrm></p:grpSpPr>{"".join(shapes)}</p:grpSp>'
    )


def tree(*shapes: str, root: str = "sld", attributes: str = "") -> str:
    return f"<p:{root} {SPACES} {attributes}><p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld></p:{root}>"


def relations(*pairs: tuple[str, str]) -> str:
    """A part of relationships (kind, target), with the ids rId1, rId2, ..."""
    found = "".join(
        f'<Relationship Id="rId{number}" Type="{R}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(pairs, start=1)
    )
    return f'<Relationships xmlns="{PACKAGE}">{found}</Relationships>'


def deck(
    slides: Sequence[str],
    related: Mapping[int, Sequence[tuple[str, str]]] | None = None,
    parts: Mapping[str, str] | None = None,
    listed: Sequence[int] | None = None,
) -> bytes:
    """A package with the slides; ``related`` by slide number, ``parts`` by name, ``listed`` the order of the show."""
    found = {
        f"ppt/slides/slide{number}.xml": slide if slide.startswith("<p:sld ") else tree(slide)
        for number, slide in enumerate(slides, start=1)
    }
    targets = [("slide", f"slides/slide{number}.xml") for number in range(1, len(slides) + 1)]
    numbers = listed or range(1, len(slides) + 1)
    ids = "".join(f'<p:sldId id="{255 + at}" r:id="rId{number}"/>' for at, number in enumerate(numbers, start=1))
    found["ppt/presentation.xml"] = f"<p:presentation {SPACES}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"
    found["ppt/_rels/presentation.xml.rels"] = relations(
        *targets, ("commentAuthors", "commentAuthors.xml"), ("authors", "authors.xml")
    )
    for number, pairs in (related or {}).items():
        found[f"ppt/slides/_rels/slide{number}.xml.rels"] = relations(*pairs)
    return zipped({**found, **(parts or {})})


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, body in parts.items():
            target.writestr(name, body)
    return out.getvalue()


def chart(body: str) -> str:
    return f'<c:chartSpace xmlns:c="{CHARTS}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><c:chart>{body}</c:chart></c:chartSpace>'


def points(*values: str, kind: str = "numCache", code: str = "General") -> str:
    found = "".join(f'<c:pt idx="{at}"><c:v>{value}</c:v></c:pt>' for at, value in enumerate(values))
    return f"<c:{kind}><c:formatCode>{code}</c:formatCode>{found}</c:{kind}>"


def series(name: str, categories: str, values: str) -> str:
    return f"<c:ser><c:tx><c:strRef><c:strCache><c:pt idx='0'><c:v>{name}</c:v></c:pt></c:strCache></c:strRef></c:tx><c:cat>{categories}</c:cat><c:val>{values}</c:val></c:ser>"
