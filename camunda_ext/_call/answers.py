"""
Whether an answer is the one that was due, and what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import NoneType
from typing import Any, Final

from requests.structures import CaseInsensitiveDict

from camunda_ext import errors
from camunda_ext._call.request import AnyAnswer, Request
from camunda_ext._http.messages import HttpResponse
from camunda_ext._wire.dates import DateFormat
from camunda_ext._wire.decode import decode, decode_each
from camunda_ext._wire.json import loads
from camunda_ext.dto import FetchedTasks, LockedExternalTask, UnreadableTask
from camunda_ext.variables import VariableValue

#: What is longer is not searched for every secret that was sent, in bytes.
_LONGEST_SEARCHED: Final = 64 * 1024
_REPEATS: Final = "an answer that repeats what it was sent"


class NotDue(Exception):
    """
    An answer is not the one that the operation returns; the text is empty if the status says it
    all.
    """


def check(returns: Any, response: HttpResponse) -> None:
    """
    Refuse an answer that is not the one that the operation returns: 200 alone proves nothing.

    Raises:
        NotDue: It is another one.
    """
    status, content, headers = response.status, response.content, response.headers
    if not 200 <= status < 300:
        raise NotDue
    if status == 204 and not content and returns in (NoneType, str, AnyAnswer):
        return
    if returns is NoneType or (status != 200 and returns is not AnyAnswer):
        raise NotDue(f"{204 if returns is NoneType else 200} was due")
    media_type = headers.get("content-type", "")
    if not content and "content-length" not in headers and "transfer-encoding" not in headers:
        raise NotDue("an empty answer that does not say that it is")  # its head was cut off
    if returns is str:
        if not media_type.startswith("text/plain"):
            raise NotDue(f"text/plain was due, not {media_type or 'nothing'}")
    elif returns is bytes:
        return
    elif media_type.startswith("text/html") or not (content or returns is AnyAnswer):
        raise NotDue(f"JSON was due, not {'a page' if content else 'nothing'}")


def read(returns: Any, response: HttpResponse, dates: DateFormat) -> Any:
    """
    What an answer says that has passed `check()`.

    Raises:
        NotDue: It is not JSON, or not of the shape that is due.
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
        if returns is FetchedTasks:
            tasks, odd = decode_each(content, LockedExternalTask, dates)
            if odd:  # What is said of them shows parts of the answer.
                odd = _without_secrets(odd, response)
            unreadable = [UnreadableTask(id=id_, reason=reason) for id_, reason in odd]
            return FetchedTasks(tasks, unreadable=unreadable)
        return decode(content, returns, dates)
    except ValueError as error:
        raise NotDue(str(error)) from None


def _read_any(response: HttpResponse) -> Any:
    media_type = _media_type(response.headers.get("content-type"))
    if media_type.endswith(("/json", "+json")):
        return loads(response.content)
    if media_type.startswith("text/"):
        return response.content.decode("utf-8", "replace")
    return response.content


def is_file(response: HttpResponse) -> bool:
    """
    Whether an answer is surely the contents of a variable, and no page.
    """
    headers = response.headers
    media_type = headers.get("content-type", "")
    return media_type.startswith("application/octet-stream") or "content-disposition" in headers


def is_contents_of(variable: VariableValue, response: HttpResponse) -> bool:
    """
    Whether an answer without a file's name is the contents of a *variable*.

    Tomcat leaves the name out if it is beyond Latin-1.
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
    A media type without its parameters.
    """
    return str(text).partition(";")[0].strip().lower()


# ---------------------------------------------------------------------------- what is wrong with it


def to_error(
    request: Request[Any], url: str, response: HttpResponse, problem: NotDue, dates: DateFormat
) -> errors.CamundaError:
    """
    The error that an answer stands for which is not the one that was due.

    It holds no secret that was sent, which a server may repeat.
    """
    from camunda_ext._secrets import masks  # only now: few answers are odd

    secrets = response.secrets()
    clean = partial(masks.without, secrets=secrets)
    reason = str(problem)
    if len(response.content) > _LONGEST_SEARCHED:
        if reason and masks.may_be_in(response.content, secrets):
            reason = _REPEATS
    elif reason:
        reason = _reason_without_secrets(request.returns, response, reason, clean, dates)
    return errors.from_response(
        request, url, response.status, response.content, reason=reason, clean=clean
    )


def _reason_without_secrets(
    returns: Any,
    response: HttpResponse,
    reason: str,
    clean: Callable[[str], str],
    dates: DateFormat,
) -> str:
    """
    What is wrong with an answer, said of the answer without the secrets that it repeats.

    A reason shows parts of the answer that may be cut, so that no secret could be found in it.
    """
    text = response.content.decode("utf-8", "surrogateescape")
    headers = {name: clean(value) for name, value in response.headers.items()}
    cleaned = clean(text)
    if cleaned == text and headers == dict(response.headers.items()):
        return reason
    without_secrets = HttpResponse(
        status=response.status,
        headers=CaseInsensitiveDict(headers),
        content=cleaned.encode("utf-8", "surrogateescape"),
    )
    try:
        check(returns, without_secrets)
        read(returns, without_secrets, dates)
    except NotDue as problem:
        return str(problem)
    # What a file should have been is told whole.
    return clean(reason) if returns is bytes else _REPEATS


def _without_secrets(
    odd: Sequence[tuple[str, str]], response: HttpResponse
) -> list[tuple[str, str]]:
    from camunda_ext._secrets import masks  # only now: few answers are odd

    if masks.may_be_in(response.content, response.secrets()):
        return [(id_, _REPEATS) for id_, _ in odd]
    return list(odd)
