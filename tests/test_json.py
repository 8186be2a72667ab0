"""
Bytes to Python, strictly, and dates in every form that servers write.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from camunda_ext import ExternalTask
from camunda_ext._wire import json as own_json
from camunda_ext._wire.dates import MODERN, DateFormat
from camunda_ext._wire.decode import decode
from camunda_ext._wire.json import dumps, fast_reader, loads

UTC = timezone.utc


@pytest.fixture(params=["orjson", "the standard library"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """
    Read with orjson and without.
    """
    if request.param == "orjson":
        assert fast_reader() is not None, "the extra for tests brings orjson"
    else:
        monkeypatch.setattr(own_json, "fast_reader", lambda: None)
    return str(request.param)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": [1, 2.5, true, null, "\xc3\xa9"]}', {"a": [1, 2.5, True, None, "é"]}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'["a\\ud83d"]', ["a\ud83d"]),
        (b"[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
        (b"[123456789012345678901234567890]", [123456789012345678901234567890]),
        (b"[18446744073709551616]", [2**64]),
        (b"[-9223372036854775809]", [-(2**63) - 1]),
        (b' "x" ', "x"),
    ],
)
def test_both_readers_read_the_same(content: bytes, value: object) -> None:
    """
    Whether orjson is there changes no value: not a large integer, not half of an emoji.
    """
    assert loads(content) == value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1,]",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e400]",
        b'["\xff"]',
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"<html></html>",
        b"[" * 100_000,
        b"[" + b"1" * 5000 + b"]",
        "[1]".encode("utf-16"),
    ],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_not_json_is_refused(content: bytes) -> None:
    """
    Half a document, NaN, a number without end: each is one kind of error.
    """
    with pytest.raises(ValueError):  # noqa: PT011  # the text is the reader's own
        loads(content)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 1025 + b"]" * 1025,
        b'{"a":' * 1025 + b"1" + b"}" * 1025,
        b"[[]," * 1025 + b"1" + b"]" * 1025,
        b'{"}":' * 1025 + b"1" + b"}" * 1025,
        b'["]\\"]\\\\",' * 1025 + b"1" + b"]" * 1025,
        b"[" * 1025,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_document_has_1024_levels_at_most(
    content: bytes, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Brackets within texts do not count, and how deep this Python could follow does not matter.
    """
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was read"))

    with pytest.raises(ValueError, match="JSON nested too deeply"):
        loads(content)


@pytest.mark.parametrize(
    "value",
    [
        [[1]] * 3000,
        [{"a": "["}] * 3000,
        [{'"[': "]["}] * 3000,
        ["[" * 3000, "{\\", '{\\"' * 3000],
    ],
    ids=["lists", "brackets in texts", "and in keys", "and escapes"],
)
def test_a_long_document_is_not_a_deep_one(value: object) -> None:
    """
    A page of thousands of objects is two levels deep.
    """
    assert loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_nan_is_not_written(value: Any) -> None:
    """
    The engine would refuse a bare NaN; variables have a form for it.
    """
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps(value)


def test_what_is_written_is_ascii() -> None:
    """
    So a lone surrogate arrives as it was, and no proxy has to know about encodings.
    """
    assert dumps({"é": "a\ud83d"}) == '{"\\u00e9":"a\\ud83d"}'


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T00:15:30.250+0000", datetime(2026, 11, 22, 0, 15, 30, 250000, UTC)),
        ("2026-11-22T00:15:30.250Z", datetime(2026, 11, 22, 0, 15, 30, 250000, UTC)),
        ("2026-11-22T00:15:30Z", datetime(2026, 11, 22, 0, 15, 30, 0, UTC)),
        (
            "2026-11-22T00:15:30.250-03:30",
            datetime(2026, 11, 22, 0, 15, 30, 250000, timezone(-timedelta(hours=3, minutes=30))),
        ),
        (
            "2026-11-22T00:15:30+0100",
            datetime(2026, 11, 22, 0, 15, 30, 0, timezone(timedelta(hours=1))),
        ),
        (
            "2026-11-22T00:15:30.250-0330",
            datetime(2026, 11, 22, 0, 15, 30, 250000, timezone(-timedelta(hours=3, minutes=30))),
        ),
        ("2026-11-22T00:15:30.250-0000", datetime(2026, 11, 22, 0, 15, 30, 250000, UTC)),
        ("2026-11-22T00:15:30,250+0000", datetime(2026, 11, 22, 0, 15, 30, 250000, UTC)),
        ("0001-01-01T00:00:00.000+0000", datetime(1, 1, 1, tzinfo=UTC)),
        ("33715-08-19T00:00:00.000+0000", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_dates_are_read_in_every_form(text: str, moment: datetime) -> None:
    """
    With or without milliseconds, colon and ``Z``; a year beyond Python's is the last moment.
    """
    read = MODERN.parse(text)

    assert (read, read.utcoffset()) == (moment, moment.utcoffset())


def test_a_zone_need_not_be_hashable() -> None:
    """
    Such as those of dateutil.
    """

    class Zone(tzinfo):
        __hash__ = None  # type: ignore[assignment]

        def utcoffset(self, _: datetime | None) -> timedelta:
            return timedelta(hours=1)

        def dst(self, _: datetime | None) -> timedelta:
            return timedelta(0)

        def tzname(self, _: datetime | None) -> str:
            return "CET"

    dates = DateFormat("%Y-%m-%dT%H:%M:%S", Zone())
    task = decode(b'{"id":"a","createTime":"2026-11-22T13:14:15"}', ExternalTask, dates)

    assert task.create_time == datetime(2026, 11, 22, 12, 14, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "22.11.2026",
        "2026-13-01T00:00:00Z",
        "now",
        # As long as most dates are, and some of them dates to Python.
        "2026-11-22 13:14:15.000+0000",
        "2026+11-22T13:14:15.000+0000",
        "2026-11+22T13:14:15.000+0000",
        "2026+11+22T13:14:15.000+0000",
        "2026-W47-7T13:14:15.000+0000",
        "2026-11-22T13:14:15.000+00.0",
        "2026-11-22T13:14:15.000+00:0",
        "2026-11-22T13:14:15.0000+000",
        pytest.param(
            "2026-11-22T24:00:00.000+0000",
            marks=pytest.mark.skipif(
                sys.version_info >= (3, 14), reason="Python knows the end of a day by ISO 8601"
            ),
        ),
        "2026-11-31T13:14:15.000+0000",
        "2026-11-22T13:14:15.000+2400",
        "0000-11-22T13:14:15.000+0000",
        "2026-11-22T13:14:15.000+\u0660\u0660\u0660\u0660",
        "2026-11-22T13:14:1\u0665.000+0000",
        "20261122-0T13:14:15.000+0000",
        "2026-11-22T131415:0.000+0000",
        "2026-11-22T13:14:15.000+23.5",
        "2026-11-22T13:14:Z\x00.000+0000",
        "2026-11-22T13:14:15.Z\x000+0000",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    """
    Nothing is guessed.
    """
    with pytest.raises(ValueError):  # noqa: PT011  # the text is partly Python's own
        MODERN.parse(text)


def test_a_date_without_a_zone_is_read_with_a_warning() -> None:
    """
    A server before 7.8 breaks no page, but its user is told what to configure.
    """
    with pytest.warns(UserWarning, match="date_zone"):
        read = MODERN.parse("2015-10-06T16:34:42")

    assert read == datetime(2015, 10, 6, 16, 34, 42, tzinfo=UTC)


OLD = DateFormat("%Y-%m-%dT%H:%M:%S", ZoneInfo("Europe/Berlin"))


def test_an_old_server_is_spoken_to_in_its_own_zone() -> None:
    """
    It ignores the zone that it is sent, and sends none.
    """
    moment = datetime(2015, 10, 6, 14, 34, 42, 999999, UTC)

    assert OLD.format(moment) == "2015-10-06T16:34:42"
    assert OLD.parse("2015-10-06T16:34:42") == moment.replace(microsecond=0)
    assert OLD.parse("2015-10-06T16:34:42.000+0000") == datetime(2015, 10, 6, 16, 34, 42, 0, UTC)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("%d.%m.%Y %H:%M:%S,%f %z", "02.01.0026 03:04:05,006 +0000"),
        ("%Y%%%m%d%H%M%S%f%z", "0026%0102030405006+0000"),
    ],
)
def test_a_pattern_counts_milliseconds(pattern: str, text: str) -> None:
    """
    ``%f`` means milliseconds, and a year has four digits.
    """
    assert DateFormat(pattern).format(datetime(26, 1, 2, 3, 4, 5, 6789, UTC)) == text


def test_a_configured_pattern_is_read() -> None:
    """
    A server may be set to any format.
    """
    dates = DateFormat("%d.%m.%Y %H:%M:%S,%f %z")

    assert dates.parse("02.01.2026 03:04:05,006 +0100") == datetime(
        2026, 1, 2, 3, 4, 5, 6000, timezone(timedelta(hours=1))
    )


def test_a_pattern_without_a_zone_needs_one() -> None:
    """
    Otherwise every date would be off by the server's offset, without a word.
    """
    with pytest.raises(ValueError, match="date_zone="):
        DateFormat("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(("day", "missing"), [(4, False), (5, True), (14, True), (15, False)])
def test_days_that_the_engines_calendar_lacks_are_refused(day: int, missing: bool) -> None:
    """
    Java's calendar would move them by ten days.
    """
    moment = datetime(1582, 10, day, tzinfo=UTC)

    if missing:
        with pytest.raises(ValueError, match="calendar"):
            MODERN.format(moment)
    else:
        assert MODERN.format(moment) == f"1582-10-{day:02}T00:00:00.000+0000"
