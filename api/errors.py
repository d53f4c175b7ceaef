"""The one place where errors become `application/problem+json` (RFC 9457). It never shows a traceback."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from api.schemas import Problem
from paas.errors import OUTCOMES, InvalidError, NotFoundError, PaasError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


def install(app: FastAPI) -> None:
    """Make `app` answer every error with a problem document."""
    app.add_exception_handler(PaasError, _platform_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def problem(error: PaasError, *, request_id: str) -> Problem:
    """Return the document that shows `error`."""
    status = OUTCOMES[error.code].status
    title = error.code.replace("_", " ").capitalize()
    return Problem(title=title, status=status, detail=error.message, code=error.code, request_id=request_id)


def response(error: PaasError, *, request_id: str, status: int | None = None) -> Response:
    """Return the response that shows `error`, with a more exact HTTP status where one is given."""
    document = problem(error, request_id=request_id)
    if status is not None:
        document = document.model_copy(update={"status": status})
    return Response(document.model_dump_json(), status_code=document.status, media_type=MEDIA_TYPE)


def request_id_of(scope: Scope) -> str:
    """Return the id that `api.requests` gave to this request."""
    state: dict[str, str] = scope.get("state", {})
    return state.get("request_id", "")


async def _platform_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PaasError)  # noqa: S101 - registered for this class only
    if error.code == "internal":
        log.error("request failed", exc_info=error, extra={"path": request.url.path})
    return response(error, request_id=request_id_of(request.scope))


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "the request"
    sentence = f"The request is not valid: {where}: {first['msg']}."
    return response(InvalidError(sentence), request_id=request_id_of(request.scope))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    what = f"{request.method} {request.url.path}"
    translated: PaasError
    if error.status_code == 404:
        translated = NotFoundError(f"There is no resource {what}. The API is described at /openapi.json.")
    else:
        translated = InvalidError(f"{what}: {error.detail}.")
    answer = response(translated, request_id=request_id_of(request.scope), status=error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _unexpected(request: Request, _error: Exception) -> Response:
    # uvicorn logs the traceback, once: starlette raises the error again behind this answer.
    return response(PaasError(), request_id=request_id_of(request.scope))
