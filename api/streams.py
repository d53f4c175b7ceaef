"""Streams: NDJSON, or server-sent events where the request asks for them. One line or event a document."""

import json
from collections.abc import AsyncIterator

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import StreamingResponse

from api import errors
from paas.errors import PaasError

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"


def stream(request: Request, documents: AsyncIterator[BaseModel]) -> StreamingResponse:
    """Return a response that sends each document as it comes; an error on the way ends it with a problem document."""
    as_events = SSE in request.headers.get("accept", "")
    encoded = _events(request, documents) if as_events else _lines(request, documents)
    kind = SSE if as_events else NDJSON
    return StreamingResponse(encoded, media_type=kind, headers={"Cache-Control": "no-store"})


async def _lines(request: Request, documents: AsyncIterator[BaseModel]) -> AsyncIterator[str]:
    try:
        async for document in documents:
            yield document.model_dump_json() + "\n"
    except PaasError as error:
        yield json.dumps({"problem": _problem(request, error)}) + "\n"


async def _events(request: Request, documents: AsyncIterator[BaseModel]) -> AsyncIterator[str]:
    try:
        async for document in documents:
            cursor = getattr(document, "sequence", None) or getattr(document, "id", None)
            name = f"id: {cursor}\n" if cursor is not None else ""
            yield f"{name}data: {document.model_dump_json()}\n\n"
    except PaasError as error:
        yield f"event: problem\ndata: {json.dumps(_problem(request, error))}\n\n"


def _problem(request: Request, error: PaasError) -> dict[str, object]:
    document = errors.problem(error, request_id=errors.request_id_of(request.scope))
    return document.model_dump()
