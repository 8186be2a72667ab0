"""
An answer whose body is read and decompressed within limits of size and time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any, Final

import attrs
import requests
from requests.exceptions import ContentDecodingError
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse, HTTPHeaderDict

#: How many bytes are read, or decompressed from, at a time.
_PIECE: Final = 64 * 1024
#: Most bytes that a piece is decompressed to at a time.
_UNPACKED_PIECE: Final = 1024 * 1024
#: Argument ``wbits`` of zlib: a stream with the header of gzip, of any window size.
_GZIP: Final = 31
#: The first bytes of a gzip stream.
_GZIP_MAGIC: Final = b"\x1f\x8b"
#: How many members a gzip stream may have; one with more is malicious.
_MOST_MEMBERS: Final = 100
_NO_RESPONSE: Final = "the session returned no Response of requests"


class TooLarge(requests.RequestException):
    """
    An answer has more bytes than allowed.
    """

    def __init__(self, most: int) -> None:
        super().__init__(f"the answer has more than {most} bytes: see max_answer=")


@attrs.frozen(eq=False, repr=False)
class Incoming:
    """
    An answer, its body still to be read.
    """

    status: int
    headers: Mapping[str, str]
    #: The stream of the body; ``None`` if the body was read already.
    raw: BaseHTTPResponse | None
    #: The request as it was sent; ``None`` if unknown.
    sent: requests.PreparedRequest | None
    #: The response of requests; ``None`` if the request was sent by the quick way.
    response: Any = None

    @classmethod
    def of(cls, response: Any) -> Incoming:
        """
        The answer in a response of requests, or in the object that a mock returned instead.
        """
        status = response.status_code
        if not isinstance(status, int):
            raise TypeError(f"{_NO_RESPONSE}: its status_code is {type(status).__name__}")
        headers: Mapping[str, str] = response.headers
        if not isinstance(headers, (HTTPHeaderDict, CaseInsensitiveDict)):
            headers = CaseInsensitiveDict(headers)  # of a mock, such as one of unittest
        is_unread = isinstance(response.raw, BaseHTTPResponse) and not response._content_consumed
        raw = response.raw if is_unread else None
        return cls(status, headers, raw, getattr(response, "request", None), response)

    def read(self, most: int, deadline: float, *, any_encoding: bool) -> bytes:
        """
        The body, decompressed.

        Args:
            most: How many bytes it may have.

            deadline: When the call must be over, by the monotonic clock.

            any_encoding: Whether the request may have accepted encodings other than gzip.
        """
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if self.raw is None:
            return self._read_before(encoding, most, deadline)
        if self.status < 200 and self.raw.connection is not None:
            # The final answer is still to come, and would be read as that to the next request.
            self.raw.connection.close()
        # urllib3 decodes all but gzip: of that, it would accept a truncated stream.
        decode = any_encoding and encoding not in ("identity", "gzip")
        content = b"".join(_pieces(self.raw, most, deadline, decode=decode))
        if self.response is not None:
            # For hooks and libraries for tests that use the response later.
            self.response._content, self.response._content_consumed = content, True
        if decode or encoding == "identity":
            return content
        if encoding != "gzip":
            raise ContentDecodingError(f"{encoding} was not asked for")
        return gunzip(content, most, deadline)

    def _read_before(self, encoding: str, most: int, deadline: float) -> bytes:
        """
        The body that an adapter, a hook or a library for tests has read, and mostly decompressed.
        """
        content = self.response.content
        if not isinstance(content, bytes):
            raise TypeError(f"{_NO_RESPONSE}: its content is {type(content).__name__}")
        if len(content) > most:
            raise TooLarge(most)
        is_packed = encoding == "gzip" and content.startswith(_GZIP_MAGIC)
        return gunzip(content, most, deadline) if is_packed else content

    def close(self) -> None:
        """
        Give the connection back; close it if the answer has not been read to its end.
        """
        if self.response is not None:
            self.response.close()
        elif self.raw is not None:
            self.raw.close()
            self.raw.release_conn()


def _pieces(raw: Any, most: int, deadline: float, *, decode: bool) -> Iterator[bytes]:
    """
    The pieces of the body. The deadline is checked after each: the read time-out alone would not
    end an answer that comes byte by byte.
    """
    size = 0
    while piece := raw.read1(_PIECE, decode_content=decode):
        size += len(piece)
        if size > most:
            raise TooLarge(most)
        yield piece
        if not decode and raw.length_remaining == 0:
            return
        _refuse_late(deadline)


def gunzip(content: bytes, most: int, deadline: float) -> bytes:
    """
    A decompressed body; the size is checked on the way, as it may be a thousand times that of the
    compressed body.

    Raises:
        TooLarge: The decompressed body has more than *most* bytes.

        requests.RequestException: The body is malformed, or the deadline has passed.
    """
    broken = ContentDecodingError("broken gzip")
    unpacked, size = [], 0
    unpacker, members = zlib.decompressobj(wbits=_GZIP), 1
    for start in range(0, len(content), _PIECE):
        packed = content[start : start + _PIECE]
        while packed:
            _refuse_late(deadline)
            if unpacker.eof:
                unpacker, members = zlib.decompressobj(wbits=_GZIP), members + 1
            if members > _MOST_MEMBERS:
                raise broken
            try:
                piece = unpacker.decompress(packed, _UNPACKED_PIECE)
            except zlib.error:
                raise broken from None
            size += len(piece)
            if size > most:
                raise TooLarge(most)
            unpacked.append(piece)
            packed = unpacker.unused_data or unpacker.unconsumed_tail
    if content and not unpacker.eof:  # the body of a 204 is empty, whatever its headers say
        raise broken
    return b"".join(unpacked)


def _refuse_late(deadline: float) -> None:
    if monotonic() > deadline:
        raise requests.ReadTimeout("the answer took longer than the whole call may take")
