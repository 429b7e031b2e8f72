"""The stored bytes of a version: always as a file to save, in pieces, or in the ranges a PDF view asks for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from knowledge.documents import files
from knowledge.documents.models import DocumentVersion
from knowledge.errors import DocumentNotFound
from knowledge.parsing.formats import BY_MEDIA_TYPE

PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


def file_response(request: HttpRequest, version: DocumentVersion) -> HttpResponseBase:
    """Answer with the whole file, or with the one range that was asked for (206), or refuse the range (416).

    Whoever navigates there gets a file to save: what was uploaded never becomes a page of this site.

    :raises DocumentNotFound: the bytes are gone.
    """
    if not files.exists(version, files.ORIGINAL):
        raise DocumentNotFound
    size = version.size
    etag = f'"{version.sha256}"'
    whole = request.headers.get("If-Range", etag) != etag  # ranges of another file were asked for
    asked = (0, size) if whole else _range(request.headers.get("Range", ""), size)
    if asked is None or request.method == "HEAD":
        response: HttpResponseBase = HttpResponse()
        response["Content-Length"] = "0" if asked is None else str(asked[1] - asked[0])
    else:
        response = StreamingHttpResponse(_pieces(version, *asked))
        response["Content-Length"] = str(asked[1] - asked[0])
    if asked is None:
        response.status_code = 416
        response["Content-Range"] = f"bytes */{size}"
    elif asked != (0, size):
        response.status_code = 206
        response["Content-Range"] = f"bytes {asked[0]}-{asked[1] - 1}/{size}"
    known = version.media_type in BY_MEDIA_TYPE
    response["Content-Type"] = version.media_type if known else "application/octet-stream"
    response["Content-Disposition"] = content_disposition_header(True, version.filename) or "attachment"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = etag
    return response


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Return start and end, exclusive; None for a range outside the file. What is no single range asks for all."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        return 0, size
    first, last = match.groups()
    if not first:  # the last bytes
        start, end = max(0, size - int(last)), size
    elif last and int(last) < int(first):
        return 0, size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


async def _pieces(version: DocumentVersion, start: int, end: int) -> AsyncIterator[bytes]:
    """Read off the event loop, a piece at a time: a slow reader holds one piece, not the file."""
    handle = await asyncio.to_thread(files.open_original, version)
    try:
        await asyncio.to_thread(handle.seek, start)
        while start < end:
            piece = await asyncio.to_thread(handle.read, min(PIECE, end - start))
            if not piece:
                return  # shorter than it was: the client sees that bytes are missing
            start += len(piece)
            yield piece
    finally:
        handle.close()
