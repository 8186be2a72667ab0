"""
Two engines that are asked the same, and must say the same.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import attrs
import requests

_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_REFERENCE: Final = re.compile(r"<([a-z ]+) (\d+)>")
_SOON: Final = "<in 5 minutes>"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
_EPOCH: Final = re.compile(r"\b1[6-9]\d{11}\b")
_PATTERN: Final = "%Y-%m-%dT%H:%M:%S.%f%z"

#: The embedded engine does not know when an instance ended.
_NOT_COMPARED: Final = frozenset({"removalTime"})

#: How far the same moment may lie apart in two engines, and from now, in seconds.
_TOLERANCE: Final = 60.0
_TODAY: Final = 3600.0

#: How long an engine may take for what happens by itself, in seconds.
_PATIENCE: Final = 30.0


#: How an object that Java serialized begins, in base64.
_JAVA: Final = "rO0AB"


class Difference(AssertionError):
    """
    Says what the engines were asked, and where their answers part.
    """


@attrs.frozen
class Answer:
    """
    One engine's answer.
    """

    status: int
    #: The media type, without parameters.
    content_type: str | None
    #: What the JSON says, or the text.
    content: Any


#: Sorts a list that comes in no order, so that both engines' lists are comparable.
Sorter = Callable[[list[Any]], list[Any]]


def by_id(rows: list[Any]) -> list[Any]:
    """
    Sort by the ids, which both engines give in the order of time.
    """
    return sorted(rows, key=lambda row: str(row["id"]))


def by_task(incidents: list[Any]) -> list[Any]:
    """
    Sort incidents by the tasks that they are about.
    """
    return sorted(incidents, key=lambda incident: str(incident["configuration"]))


@attrs.define
class Side:
    """
    One of two engines.
    """

    url: str
    session: requests.Session

    def ask(self, method: str, path: str, **kwargs: Any) -> Answer:
        """
        The answer to a request; *kwargs* are what else `requests` takes.
        """
        response = self.session.request(
            method, self.url + path, allow_redirects=False, timeout=60, **kwargs
        )
        kind = response.headers.get("Content-Type")
        kind = None if kind is None else kind.partition(";")[0]
        # Links lead to the engine that was asked.
        text = response.content.decode("utf-8", "replace").replace(self.url, "<engine>")
        content = json.loads(text) if kind == "application/json" else text
        return Answer(response.status_code, kind, content)


@attrs.define
class Twins:
    """
    A real engine and the embedded one, and which ids of theirs mean the same.

    In what they are asked, ``<task 2>`` stands for the id that the third task has in each of
    them; the number wraps around, and with no task at all the text stays as it is. The same goes
    for other kinds of ids. ``<in 5 minutes>`` is a date.
    """

    real: Side
    embedded: Side
    #: How many requests were compared.
    compared: int = attrs.field(default=0, init=False)
    #: Whether any answers did not say the same.
    differ: bool = attrs.field(default=False, init=False)
    _known: dict[str, list[tuple[str, str]]] = attrs.field(init=False, factory=dict)
    #: The other engine's id, for an id of the real one and of the embedded one.
    _same: tuple[dict[str, str], dict[str, str]] = attrs.field(init=False, factory=lambda: ({}, {}))

    # -------------------------------------------------------------------------------- what is asked

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        sorter: Sorter | None = None,
        **kwargs: Any,
    ) -> tuple[Answer, Answer]:
        """
        The answers of both to one request, which say the same.

        Args:
            sorter: Sorts a list that was answered.

            kwargs: What else `requests` takes.

        Raises:
            Difference: They do not.
        """
        if body is not None:
            kwargs["json"] = body
        if params is not None:
            kwargs["params"] = dict(params)
        real, embedded = self.ask_apart(method, path, **kwargs)
        self.compare(real, embedded, sorter, f"{method} {path} {params or ''} {body!r}")
        return real, embedded

    def ask_apart(self, method: str, path: str, **kwargs: Any) -> tuple[Answer, Answer]:
        """
        The answers of both to one request, whatever they say.
        """
        return self._ask(0, method, path, **kwargs), self._ask(1, method, path, **kwargs)

    def _ask(self, which: int, method: str, path: str, **kwargs: Any) -> Answer:
        filled = {
            name: self._filled(value, which) if name in ("json", "params") else value
            for name, value in kwargs.items()
        }
        side = (self.real, self.embedded)[which]
        return side.ask(method, str(self._filled(path, which)), **filled)

    def compare(
        self, real: Answer, embedded: Answer, sorter: Sorter | None = None, asked: str = ""
    ) -> None:
        """
        Ensure that two answers say the same.

        Raises:
            Difference: They do not.
        """
        self.compared += 1
        sides = _comparable(real, sorter), _comparable(embedded, sorter)
        differences = list(self._differences(*sides))
        if differences:
            self.differ = True
            answers = f"real engine: {real}", f"embedded:    {embedded}"
            raise Difference("\n".join((asked, *differences, *answers)))

    def do(self, method: str, path: str, **kwargs: Any) -> tuple[Any, Any]:
        """
        What is in the answers of both to one request, which must succeed.
        """
        real, embedded = self.ask(method, path, **kwargs)
        assert real.status < 300, f"{method} {path}: {real}"
        return real.content, embedded.content

    def wait_until(self, path: str, seen: Callable[[Any], bool], **params: str) -> None:
        """
        Let both come to where what is at *path* is as it should be.
        """
        for which in (0, 1):
            deadline = time.monotonic() + _PATIENCE
            while not seen((answer := self._ask(which, "GET", path, params=params)).content):
                assert time.monotonic() < deadline, f"{path} {params} stays at {answer}"
                time.sleep(0.002)

    def _filled(self, value: Any, which: int) -> Any:
        if isinstance(value, str):
            value = value.replace(_SOON, _in_5_minutes()) if _SOON in value else value
            return _REFERENCE.sub(lambda reference: self._id(reference, which), value)
        if isinstance(value, dict):
            return {name: self._filled(each, which) for name, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each, which) for each in value]
        return value

    def _id(self, reference: re.Match[str], which: int) -> str:
        known = self._known.get(reference[1])
        return known[int(reference[2]) % len(known)][which] if known else reference[0]

    # ----------------------------------------------------------------------------- what is the same

    def learn(self, kind: str, real: str, embedded: str) -> str:
        """
        Let two ids be the same, and give the name that they have from now on.
        """
        known = self._known.setdefault(kind, [])
        if (real, embedded) not in known:
            known.append((real, embedded))
        return f"<{kind} {known.index((real, embedded))}>"

    def known(self, kind: str) -> Sequence[tuple[str, str]]:
        """
        The ids that have a name of a kind.
        """
        return self._known.get(kind, ())

    def _differences(self, real: Any, embedded: Any, where: str = "") -> Iterator[str]:
        if isinstance(real, dict) and isinstance(embedded, dict):
            for name in (real.keys() | embedded.keys()) - _NOT_COMPARED:
                inside = f"{where}.{name}"
                if name not in embedded:
                    yield f"{inside}: only the real engine has it: {real[name]!r}"
                elif name not in real:
                    yield f"{inside}: only the embedded engine has it: {embedded[name]!r}"
                else:
                    yield from self._differences(real[name], embedded[name], inside)
        elif isinstance(real, list) and isinstance(embedded, list):
            if len(real) != len(embedded):
                yield f"{where}: {len(real)} elements, but the embedded engine has {len(embedded)}"
            for index, pair in enumerate(zip(real, embedded, strict=False)):
                yield from self._differences(*pair, f"{where}[{index}]")
        elif isinstance(real, str) and isinstance(embedded, str):
            if not self._same_text(real, embedded):
                yield f"{where}: {real!r}, but the embedded engine says {embedded!r}"
        elif (type(real), real) != (type(embedded), embedded):
            yield f"{where}: {real!r}, but the embedded engine says {embedded!r}"

    def _same_text(self, real: str, embedded: str) -> bool:
        if real.startswith(_JAVA) and embedded.startswith(_JAVA):
            return True  # What is in it, only Java can tell.
        if _ID.split(real) == _ID.split(embedded):
            pairs = zip(_ID.findall(real), _ID.findall(embedded), strict=True)
            same = [self._same_id(*pair) for pair in pairs]
            return all(same)
        for pattern, read in ((_DATE, read_date), (_EPOCH, _read_epoch)):
            moments = [pattern.findall(text) for text in (real, embedded)]
            if moments[0] and pattern.split(real) == pattern.split(embedded):
                seconds = [[read(moment) for moment in each] for each in moments]
                return all(_about_the_same(*pair) for pair in zip(*seconds, strict=True))
        return False

    def _same_id(self, real: str, embedded: str) -> bool:
        known = self._same[0].setdefault(real, embedded), self._same[1].setdefault(embedded, real)
        return known == (embedded, real)


def _in_5_minutes() -> str:
    moment = datetime.now(timezone.utc) + timedelta(minutes=5)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def read_date(text: str) -> float:
    """
    The seconds since 1970; 0 for a date that Python does not know.
    """
    try:
        return datetime.strptime(text, _PATTERN).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _read_epoch(text: str) -> float:
    return int(text) / 1000


def _about_the_same(real: float, embedded: float) -> bool:
    now = time.time()
    near = all(abs(moment - now) < _TODAY for moment in (real, embedded))
    return near and abs(real - embedded) < _TOLERANCE


def _comparable(answer: Answer, sorter: Sorter | None) -> Any:
    """
    The parts of an answer that do not depend on the machine, or on the moment.
    """
    content = answer.content
    if isinstance(content, list) and sorter is not None and answer.status == 200:
        content = sorter(content)
    if isinstance(content, dict) and _is_worded_by_chance(content):
        content = {**content, "message": None}
    if answer.status == 400 and _is_from_the_reader(answer):
        # How it is worded differs from start to start.
        return {"status": 400, "content": "unreadable"}
    return {"status": answer.status, "type": answer.content_type, "content": content}


def _is_worded_by_chance(error: Mapping[str, Any]) -> bool:
    if error.get("type") == "NullPointerException":
        return True  # The virtual machine words it.
    # Which of several is missed first depends on the hashes of the ids.
    return str(error.get("message")).startswith("Cannot find external task with id")


def _is_from_the_reader(answer: Answer) -> bool:
    if answer.content_type == "text/plain":
        return True
    if not isinstance(answer.content, dict):
        return False
    message = answer.content.get("message")
    if not isinstance(message, str):
        return False
    return answer.content.get("type") == "InvalidRequestException" and (
        message == "" or "at [Source" in message or "through reference chain" in message
    )


def in_order(*columns: str) -> Sorter:
    """
    A sorter that keeps the columns by which a list is sorted, row by row, and nothing else.
    """

    def keep(rows: list[Any]) -> list[Any]:
        return [{column: row[column] for column in columns} for row in rows]

    return keep


def rows_of(answer: Answer) -> Sequence[Mapping[str, Any]]:
    """
    The rows of a list.
    """
    assert isinstance(answer.content, list), answer
    return answer.content
