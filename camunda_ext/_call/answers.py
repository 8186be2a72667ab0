"""
Check and decode answers, and turn unexpected ones into errors.
"""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message
from types import NoneType
from typing import Any, Final

import attrs

import camunda_ext
from camunda_ext._call.backoff import to_date
from camunda_ext._call.request import AnyAnswer
from camunda_ext._http.messages import HttpResponse
from camunda_ext._wire.dates import DateFormat
from camunda_ext._wire.decode import decode, decode_each
from camunda_ext._wire.json import loads

#: Longest answer that is cleaned of secrets, in bytes.
_LONGEST_CLEANED: Final = 64 * 1024
_REPEATS: Final = "an answer that repeats what it was sent"


class UnexpectedAnswer(Exception):
    """
    An answer is not what the operation expects; the message is empty if the status explains it.
    """


class UnreadableAnswer(UnexpectedAnswer):
    """
    An answer is not JSON, or does not have the expected types; the message quotes it.
    """


def check(returns: Any, response: HttpResponse) -> None:
    """
    Check status and headers of an answer: a status of 200 alone proves nothing.

    Args:
        returns: The expected type, see `Request.returns`.

    Raises:
        UnexpectedAnswer: The operation does not answer like that.
    """
    status, content, headers = response.status, response.content, response.headers
    if not 200 <= status < 300:
        raise UnexpectedAnswer
    if status == 204 and not content and returns in (NoneType, str, AnyAnswer):
        return
    if returns is NoneType or (status != 200 and returns is not AnyAnswer):
        raise UnexpectedAnswer(f"expected {204 if returns is NoneType else 200}")
    media_type = headers.get("content-type", "")
    if not content and "content-length" not in headers and "transfer-encoding" not in headers:
        raise UnexpectedAnswer(
            "an empty answer without headers for its length"
        )  # the headers were cut off
    if returns is str:
        if not media_type.startswith("text/plain"):
            raise UnexpectedAnswer(f"expected text/plain, not {media_type or 'nothing'}")
    elif returns is bytes:
        return
    elif _is_page(response) or not (content or returns is AnyAnswer):
        raise UnexpectedAnswer(f"expected JSON, not {'a page' if content else 'nothing'}")


def read(returns: Any, response: HttpResponse, dates: DateFormat) -> Any:
    """
    The decoded content of an answer that has passed `check()`.

    Args:
        returns: The expected type, see `Request.returns`.

        dates: The engine's format of dates.

    Raises:
        UnreadableAnswer: The content is not JSON, or does not have the expected types.
    """
    content = response.content
    if response.status == 204:
        return None
    if returns is str:
        return content.decode("utf-8", "replace")
    if returns is bytes:
        return content
    try:
        if returns is AnyAnswer:
            return _read_any(response)
        if returns is camunda_ext.FetchedTasks:
            tasks, failures = decode_each(content, camunda_ext.LockedExternalTask, dates)
            # The reasons quote the answer.
            hidden = _REPEATS if failures and _repeats_secrets(response) else None
            unreadable = [
                camunda_ext.UnreadableTask(id=id_, reason=hidden or why) for id_, why in failures
            ]
            date = to_date(response.headers.get("date"))
            return camunda_ext.FetchedTasks(tasks, unreadable=unreadable, answered_at=date)
        return decode(content, returns, dates)
    except ValueError as error:
        raise UnreadableAnswer(str(error)) from None


def _read_any(response: HttpResponse) -> Any:
    if not response.content:
        return None
    media_type = _media_type(response.headers.get("content-type"))
    if media_type.endswith(("/json", "+json")):
        return loads(response.content)
    if media_type.startswith("text/"):
        return _decode_text(response)
    return response.content


def _decode_text(response: HttpResponse) -> str:
    """
    A text by the encoding that its media type names, or else by UTF-8.
    """
    message = Message()
    message["Content-Type"] = response.headers.get("content-type", "")
    try:
        return response.content.decode(message.get_content_charset("utf-8"), "replace")
    except LookupError:  # no encoding that Python knows
        return response.content.decode("utf-8", "replace")


def _is_page(response: HttpResponse) -> bool:
    """
    Whether an answer is a web page, such as that of a login.
    """
    media_type = _media_type(response.headers.get("content-type", ""))
    if media_type:
        return media_type in ("text/html", "application/xhtml+xml")
    return response.content[:256].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def is_file(response: HttpResponse) -> bool:
    """
    Whether the headers prove that an answer is the contents of a variable, and not a web page.
    """
    headers = response.headers
    media_type = headers.get("content-type", "")
    return media_type.startswith("application/octet-stream") or "content-disposition" in headers


def is_contents_of(variable: camunda_ext.VariableValue, response: HttpResponse) -> bool:
    """
    Whether an answer without a file name is the contents of a *variable*.

    Tomcat omits the file name if it has characters beyond Latin-1.
    """
    info = variable.value_info or {}
    return (
        variable.type == "File"
        and _is_beyond_latin_1(info.get("filename"))
        and _media_type(response.headers.get("content-type")) == _media_type(info.get("mimeType"))
    )


def _is_beyond_latin_1(text: object) -> bool:
    return isinstance(text, str) and any(character > "\xff" for character in text)


def _media_type(text: object) -> str:
    """
    The media type in a header, without parameters, in lower case.
    """
    return str(text).partition(";")[0].strip().lower()


def reason_without_secrets(
    returns: Any,
    response: HttpResponse,
    problem: UnexpectedAnswer,
    clean: Callable[[str], str],
    dates: DateFormat,
) -> str:
    """
    The reason why an answer is unexpected, without the secrets that the answer repeats.

    Args:
        clean: Removes secrets from a text.
    """
    if not isinstance(problem, UnreadableAnswer):
        return clean(str(problem))
    if len(response.content) > _LONGEST_CLEANED:
        return _REPEATS if _repeats_secrets(response) else str(problem)
    # The reason quotes cut parts of the answer, in which half of a secret would not be recognized.
    # So the answer is cleaned, and read again.
    text = clean(response.content.decode("utf-8", "surrogateescape"))
    cleaned = attrs.evolve(response, content=text.encode("utf-8", "surrogateescape"))
    try:
        read(returns, cleaned, dates)
    except UnreadableAnswer as same_problem:
        return str(same_problem)
    return _REPEATS


def _repeats_secrets(response: HttpResponse) -> bool:
    from camunda_ext._secrets import masks  # only now: few answers are unexpected

    return masks.may_be_in(response.content, response.secrets())
