"""
Dates, as a server of Camunda 7.24 in the zone UTC took them and wrote them.
"""

import pytest

from camunda_ext.testing.values import dates


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2013-01-23T14:42:45.000+0200", 1358944965000),
        ("2013-01-01T00:00:00.000-0200", 1357005600000),
        ("2013-01-01T00:00:00.000+2359", 1356912060000),
        ("1969-12-31T23:59:59.999+0000", -1),
        ("1582-10-15T00:00:00.000+0000", -12219292800000),
        ("9999-12-31T23:59:59.999+0000", 253402300799999),
        ("10000-01-01T00:00:00.000+0000", 253402300800000),
        ("33658-09-27T01:46:40.000+0000", 1000000000000000),
    ],
)
def test_a_date_is_a_moment(text: str, millis: int) -> None:
    """
    Of any year that a lock can end in.
    """
    assert dates.parse(text) == millis


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2013-01-01T00:00:00.1+0000", 1356998400001),
        ("2013-01-01T00:00:00.123456+0000", 1356998523456),
    ],
)
def test_a_fraction_is_a_number_of_milliseconds(text: str, millis: int) -> None:
    """
    However many digits it has: six of them move the time by minutes.
    """
    assert dates.parse(text) == millis


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2013-01-01",
        "2013-01-01T00:00:00",
        "2013-01-01T00:00:00+0000",
        "2013-01-01T00:00:00.000",
        "2013-01-01T00:00:00.000Z",
        "2013-01-01T00:00:00.000+02:00",
        "2013-01-01T00:00:00.000 0200",
        "2013-01-01T00:00:00.000+02",
        "2013-01-01T00:00:00.000+2400",
        "2013-01-01T00:00:00.000+2360",
        "2013-01-01t00:00:00.000+0000",
        "2013-01-01T00:00:00,000+0000",
        "+2013-01-01T00:00:00.000+0000",
        "1358952165000",
    ],
)
def test_other_text_is_no_date(text: str) -> None:
    """
    What the engine answers 400 to is a `ValueError`.
    """
    with pytest.raises(ValueError, match="Unparseable date"):
        dates.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "2013-01-01T00:00:00.000UTC",
        "2013-01-01T00:00:00.000GMT+2:00",
        "2013-02-30T00:00:00.000+0000",
        "2013-13-01T00:00:00.000+0000",
        "2013-01-01T24:00:00.000+0000",
        "13-1-1T0:0:0.0+0000",
        "\u0662013-01-01T00:00:00.000+0000",
        " 2013-01-01T00:00:00.000+0000",
        "1582-10-10T00:00:00.000+0000",
    ],
)
def test_what_java_makes_a_date_of_is_refused(text: str) -> None:
    """
    The client would not send it, and another that does hardly means what the engine reads.
    """
    with pytest.raises(ValueError, match=r"Unparseable|must be in|out of range|no such day"):
        dates.parse(text)


@pytest.mark.parametrize(
    ("millis", "text"),
    [
        (1795306530250, "2026-11-22T00:15:30.250+0000"),
        (0, "1970-01-01T00:00:00.000+0000"),
        (-1, "1969-12-31T23:59:59.999+0000"),
        (253402300799999, "9999-12-31T23:59:59.999+0000"),
        (253402300800000, "10000-01-01T00:00:00.000+0000"),
        (9223372036854775807, "292278994-08-17T07:12:55.807+0000"),
        (-12219292800000, "1582-10-15T00:00:00.000+0000"),
        (-62135596800000, "0001-01-01T00:00:00.000+0000"),
    ],
)
def test_dates_are_written_in_utc(millis: int, text: str) -> None:
    """
    Of any year that a lock can end in.
    """
    assert dates.format(millis) == text


def test_a_date_before_christ_has_a_form() -> None:
    """
    A lock of more than all time ends there; the year counts backwards, as in Java.
    """
    assert dates.format(-62135596800001) == "0001-12-31T23:59:59.999+0000"
