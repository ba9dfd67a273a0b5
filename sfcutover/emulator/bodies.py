"""Bodies of requests: bounded, and decompressed, for the Java connector sends gzip by default."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BODY = 60 * 1024 * 1024  # bytes; the 39 MB zip limit in base64, and the envelope
_EITHER_FORMAT = zlib.MAX_WBITS | 32  # gzip or zlib, whichever its head says
_CODINGS = ("gzip", "x-gzip", "deflate")


def read_request(environ: WSGIEnvironment) -> Request:
    """A request whose body has been read: the next one comes behind it.

    Raises RequestEntityTooLarge, UnsupportedMediaType for a coding other than gzip and deflate,
    and BadRequest for a body that is not what it says.
    """
    request = Request(environ)
    request.max_content_length = MAX_BODY
    body = request.get_data()
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        return request
    if coding not in _CODINGS:
        raise UnsupportedMediaType(f"Content-Encoding {coding} is not known here")
    return _with_body(environ, _decompress(body))


def _with_body(environ: WSGIEnvironment, body: bytes) -> Request:
    kept = {
        name: value
        for name, value in environ.items()
        if name not in ("HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING", "werkzeug.request")
    }
    kept |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    request = Request(kept)
    request.max_content_length = MAX_BODY
    return request


def _decompress(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_EITHER_FORMAT)
    try:
        plain = unpacker.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise BadRequest("the body is not compressed as its Content-Encoding says") from error
    if len(plain) > MAX_BODY:
        raise RequestEntityTooLarge
    if not unpacker.eof:
        raise BadRequest("the compressed body is cut off")
    return plain
