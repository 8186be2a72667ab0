"""
Tasks and queries as a person sees them, at a prompt, in a terminal and in a notebook.
"""

from __future__ import annotations

import json
import rlcompleter
import shlex
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import attrs
import pytest
from rich.console import Console

from camunda_ext import (
    ExternalTask,
    ExternalTaskClient,
    ExternalTaskQuery,
    HistoricExternalTaskLog,
    HistoricExternalTaskLogQuery,
    LockedExternalTask,
    SortBy,
    Variables,
)
from camunda_ext._display.shown import TableDisplay
from camunda_ext._display.tables import LOG, TASKS, Table, age
from camunda_ext.errors import NotSent
from tests.stub import Stub, json_answer, raw_answer

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=timezone.utc)
STUCK = ExternalTask(
    id="9d2c2a1c-c7c5-11f0-9e3c-0242ac110002",
    topic_name="invoice",
    worker_id="worker-1",
    lock_expiration_time=NOW - timedelta(hours=3),
    retries=0,
    create_time=NOW - timedelta(days=5),
    business_key="order-17",
    error_message="The bank does not answer",
)
HELD = ExternalTask(
    id="9d2c2a1f-c7c5-11f0-9e3c-0242ac110002",
    topic_name="shipment",
    worker_id="worker-2",
    lock_expiration_time=NOW + timedelta(minutes=4),
    create_time=NOW - timedelta(seconds=40),
    business_key="注文-18",
)

# ------------------------------------------------------------------------------------- what attacks

STARTED = [f"\x1b[{arguments}" for arguments in ("2", "31;1", "?1049", "6", "20;5", ">0", "!")]
STARTED += [one.replace("\x1b[", "\x9b") for one in STARTED]
HOSTILE = [
    *map(chr, (*range(32), *range(0x7F, 0xA0))),  # C0, DEL, C1
    *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",  # bidi
    *"\xad\u200b\u200c\u200d\u2060\ufeff\u2028\u2029\ue000\uffff\U000e0001\U0010ffff",
    *(f"{start}{final}" for start in STARTED for final in "JHmhlnqt"),
    *(
        f"{start}{command}{end}"
        for start in ("\x1b]", "\x9d")
        for command in ("52;c;cm0gLXJmIC8=", "0;title", "8;;http://evil.example", "1337;File=:YQ==")
        for end in ("\x07", "\x1b\\", "\x9c")
    ),
    *("\x1bc", "\x1b#8", '\x1bP$q"p\x1b\\', "\x1b_x\x1b\\", "\x1b^x\x1b\\", "\x90x\x9c", "\x1b(0"),
    *("a\r\nb", "a\rforged", "a\x08\x08b", "\x00a", "user\u202egpj.exe", "\u2066a\u2069b"),
    *("\ud83d", "\udc00", "a\ud800b", "\udfff\ud800"),
]


def raw(text: str) -> set[str]:
    """
    The characters that should have been escaped, except line breaks.
    """
    dangerous = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return {one for one in text if unicodedata.category(one) in dangerous} - {"\n"}


def task_of(text: str) -> LockedExternalTask:
    """
    A task that has *text* in each field of text.
    """
    texts: dict[str, Any] = {
        field.name: f"a{text}b" for field in attrs.fields(ExternalTask) if "str" in str(field.type)
    }
    return LockedExternalTask(
        **texts,
        error_details=text,
        variables=Variables.of({text: text}),
        extension_properties={text: text},
    )


def rendered(rows: list[ExternalTask], total: int, width: int) -> str:
    """
    The text that rich prints on a terminal without colours.
    """
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(Table(TASKS, rows, total, now=NOW).rich(width))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]  # it is a StringIO


def test_there_are_enough_hostile_texts() -> None:
    """
    Each is another one.
    """
    assert len(set(HOSTILE)) == len(HOSTILE) >= 200


@pytest.mark.parametrize("width", [40, 80, 1000])
def test_nothing_hostile_is_shown_as_it_is(width: int) -> None:
    """
    Neither to a terminal, nor to a notebook, nor to a log; and each task stays on its line.
    """
    shown = {
        text: (
            repr(task_of(text)),
            Table(TASKS, [task_of(text)], 1, now=NOW).text(width),
            rendered([task_of(text)], 1, width),
            Table(TASKS, [task_of(text)], 1, now=NOW).html(),
            repr(Some([], 0, ExternalTaskQuery().topic(text))),
            str(ExternalTaskQuery().topic(text).explain()),
        )
        for text in HOSTILE
    }

    assert {text: set().union(*map(raw, texts)) for text, texts in shown.items()} == {
        text: set() for text in HOSTILE
    }
    assert {tuple(one.count("\n") for one in texts) for texts in shown.values()} == {
        (0, 3, 2, 0, 0, 11)
    }


class Tags(HTMLParser):
    """
    Keeps the tags, their attributes, and the text between them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "</bdi></td></table><img src=x onerror=alert(1)>",
        "\"'><b>",
        "&lt;&amp;&#60;",
        "$x^2$ \\(y\\)",
        "<!-- ",
    ],
)
def test_html_in_a_task_is_text(text: str) -> None:
    """
    A notebook shows it as it is, and nothing comes from elsewhere.
    """
    tags = Tags()

    tags.feed(Table(TASKS, [ExternalTask(id=text)], 1, now=NOW).html())
    tags.close()

    assert tags.tags == {"table", "caption", "thead", "tr", "th", "tbody", "td", "bdi"}
    assert tags.attributes == {
        ("class", "tex2jax_ignore mathjax_ignore"),
        ("style", "text-align: left"),
    }
    assert tags.texts == ["1 task", "id", text]


def test_markup_of_rich_in_a_task_is_text() -> None:
    """
    No colour, no link, no emoji by name.
    """
    text = "[red]a[/red] [link=http://evil.example]b[/link] :bomb: [/] http://c"

    assert rendered([ExternalTask(id=text)], 1, 80).splitlines()[1] == text


# ------------------------------------------------------------------------------------------- tables

WIDE = """\
id                                    topic     worker    lock ends  retries  created   business key  error
------------------------------------  --------  --------  ---------  -------  --------  ------------  ------------------------
9d2c2a1c-c7c5-11f0-9e3c-0242ac110002  invoice   worker-1  3 h ago          0  5 d ago   order-17      The bank does not answer
9d2c2a1f-c7c5-11f0-9e3c-0242ac110002  shipment  worker-2  in 4 min            40 s ago  注文-18
2 of 1,234 tasks"""  # noqa: E501

NARROW = """\
id         topic     worker    lock ends  retries  created   error
---------  --------  --------  ---------  -------  --------  -------------------
9d2c2a1c…  invoice   worker-1  3 h ago          0  5 d ago   The bank does not …
9d2c2a1f…  shipment  worker-2  in 4 min            40 s ago
2 of 1,234 tasks"""

NARROWEST = """\
id          topic
----------  --------
9d2c2a1c-…  invoice
9d2c2a1f-…  shipment
2 of 1,234 tasks"""


@pytest.mark.parametrize(
    ("width", "table"), [(140, WIDE), (80, NARROW), (20, NARROWEST)], ids=["140", "80", "20"]
)
def test_a_table_has_the_columns_that_fit(width: int, table: str) -> None:
    """
    Ids and messages are cut first; what has no room at all is left out.
    """
    assert Table(TASKS, [STUCK, HELD], 1234, now=NOW).text(width) == table


@pytest.mark.parametrize("width", [140, 80, 20])
def test_rich_shows_the_same(width: int) -> None:
    """
    But for the line of dashes.
    """
    plain = Table(TASKS, [STUCK, HELD], 1234, now=NOW).text(width).splitlines()

    assert rendered([STUCK, HELD], 1234, width).splitlines() == [plain[0], *plain[2:]]


def test_the_first_line_is_bold_in_colour() -> None:
    """
    What is coloured is ours; the text of the tasks brings no colour of its own.
    """
    console = Console(file=StringIO(), width=80, force_terminal=True, color_system="standard")
    rows = [ExternalTask(id="\x1b[31ma", error_message="b")]
    console.print(Table(TASKS, rows, 1, now=NOW).rich(80))

    assert console.file.getvalue() == (  # type: ignore[attr-defined]  # it is a StringIO
        "\x1b[1mid       \x1b[0m\x1b[1m  \x1b[0m\x1b[1merror\x1b[0m\n"
        "\\x1b[31ma  \x1b[31mb    \x1b[0m\n"
        "\x1b[2m1 task\x1b[0m\n"
    )


def test_a_notebook_shows_all_columns_that_say_something() -> None:
    """
    Ids are whole there, for it can be scrolled.
    """
    odd = ExternalTask(id="a&b", priority=50, suspended=True, create_time=NOW)

    assert Table(TASKS, [odd], 2, now=NOW).html() == (
        '<table class="tex2jax_ignore mathjax_ignore"><caption>1 of 2 tasks</caption>'
        "<thead><tr><th>id</th><th>priority</th><th>suspended</th><th>created</th></tr></thead>"
        '<tbody><tr><td style="text-align: left"><bdi>a&amp;b</bdi></td>'
        '<td style="text-align: right"><bdi>50</bdi></td>'
        '<td style="text-align: left"><bdi>yes</bdi></td>'
        '<td style="text-align: left"><bdi>now</bdi></td></tr></tbody></table>'
    )


def test_an_empty_table_says_so() -> None:
    """
    There are no columns then.
    """
    assert Table(TASKS, [], 0, now=NOW).text(80) == "0 tasks"
    assert rendered([], 0, 80) == "0 tasks"
    assert "<caption>0 tasks</caption>" in Table(TASKS, [], 0, now=NOW).html()


def test_there_are_never_fewer_than_are_shown() -> None:
    """
    Tasks may come and go between the two requests.
    """
    assert Table(TASKS, [STUCK, HELD], 1, now=NOW).text(20).splitlines()[-1] == "2 tasks"


def test_wide_and_piled_up_characters_keep_their_line() -> None:
    """
    Columns stand below each other; an accent takes no room, and a thousand of them are cut.
    """
    rows = [
        ExternalTask(id="1", topic_name="請求書", retries=1),
        ExternalTask(id="2", topic_name="e\u0301te\u0301", retries=2),
        ExternalTask(id="3", topic_name="x" + "\u0301" * 1000, retries=3),
        ExternalTask(id="4", topic_name="請求書を送る", retries=4),
    ]

    assert Table(TASKS, rows, 4, now=NOW).text(21) == (
        "id  topic     retries\n"
        "--  --------  -------\n"
        "1   請求書          1\n"
        "2   e\u0301te\u0301             2\n"
        f"3   x{chr(0x301) * 31}…              3\n"
        "4   請求書…         4\n"
        "4 tasks"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "now"),
        (-0.4, "now"),
        (0.4, "now"),
        (-1, "1 s ago"),
        (-119, "119 s ago"),
        (-120, "2 min ago"),
        (-7199, "119 min ago"),
        (-7200, "2 h ago"),
        (-2 * 86400 + 1, "47 h ago"),
        (-2 * 86400, "2 d ago"),
        (-700 * 86400, "700 d ago"),
        (-800 * 86400, "2 y ago"),
        (59, "in 59 s"),
        (180, "in 3 min"),
        (5 * 86400, "in 5 d"),
    ],
)
def test_an_age_is_said_as_people_say_it(seconds: float, said: str) -> None:
    """
    One number and one unit.
    """
    assert age(NOW + timedelta(seconds=seconds), NOW) == said


def test_a_lock_for_ever_has_an_age() -> None:
    """
    A date beyond the year 9999 reads as the last one that there is.
    """
    assert age(datetime.max.replace(tzinfo=timezone.utc), NOW) == "in 7973 y"


# --------------------------------------------------------------------------- what shows its tasks


class Some(TableDisplay):
    """
    Shows some tasks, and keeps what it was asked for.
    """

    def __init__(
        self, tasks: Iterable[ExternalTask], total: int, query: ExternalTaskQuery | None = None
    ) -> None:
        self.tasks = [*tasks]
        self.total = total
        self.query = query or ExternalTaskQuery().topic("invoice")
        self.looks: list[int] = []

    def _line(self) -> str:
        return f"<Some of {self.query!r}>"

    def _first_and_total(self, first: int) -> tuple[list[ExternalTask], int]:
        self.looks.append(first)
        return self.tasks[:first], self.total


class Unreachable(Some):
    """
    Cannot ask.
    """

    def _first_and_total(self, first: int) -> tuple[list[ExternalTask], int]:
        raise NotSent("\x1b[31mno route", operation="list", method="POST", url="http://a")


class Terminal(StringIO):
    """
    Says that it is a terminal.
    """

    def isatty(self) -> bool:
        return True


MANY = [ExternalTask(id=str(number)) for number in range(20)]
TEN = "\n".join(["id", "--", *map(str, range(10)), "10 of 20 tasks"])
LINE = "<Some of ExternalTaskQuery().topic('invoice')>"


def test_repr_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In a log, a debugger, a traceback or an f-string; nor at Python's own prompt.
    """
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    some = Some(MANY, 20)
    displayed = StringIO()
    monkeypatch.setattr(sys, "stdout", displayed)
    sys.__displayhook__(some)

    assert (repr(some), f"{some}", [some].__repr__(), some.looks) == (LINE, LINE, f"[{LINE}]", [])
    assert displayed.getvalue() == f"{LINE}\n"


def test_a_query_of_any_length_has_a_short_line() -> None:
    """
    It may name a thousand ids.
    """
    some = Some([], 0, ExternalTaskQuery().external_task_id_in(*map(str, range(1000))))

    assert len(repr(some)) == 666 + len("...")


def test_a_table_can_be_asked_for() -> None:
    """
    In a script or a debugger, by name.
    """
    some = Some(MANY, 20)

    assert (some.table(2, width=80), some.looks) == ("id\n--\n0\n1\n2 of 20 tasks", [2])


def test_a_table_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Ten tasks, or as many as one likes.
    """
    some = Some(MANY, 20)
    some.show()
    some.show(first=2)

    assert capsys.readouterr().out == f"{TEN}\nid\n--\n0\n1\n2 of 20 tasks\n"
    assert some.looks == [10, 2]


def test_whoever_asks_for_a_table_learns_why_there_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    As from any other call.
    """
    for call in (Unreachable([], 0).table, Unreachable([], 0).show):
        with pytest.raises(NotSent):
            call()

    assert capsys.readouterr().out == ""


def test_the_first_few_tasks_need_no_count() -> None:
    """
    Whoever gets fewer than asked for has them all.
    """
    page = json_answer(200, [{"id": "1"}, {"id": "2"}])
    with Stub(page, page, json_answer(200, {"count": 7})) as stub:
        client = ExternalTaskClient(stub.url)
        tables = [client.select().table(first, width=80) for first in (3, 2)]
        targets = [one.target.removeprefix("/engine-rest/external-task") for one in stub.seen]

    assert tables == ["id\n--\n1\n2\n2 tasks", "id\n--\n1\n2\n2 of 7 tasks"]
    assert targets == [
        "?firstResult=0&maxResults=3",
        "?firstResult=0&maxResults=2",
        "/count",
    ]


def test_a_notebook_asks_once_for_both_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It takes the HTML, a terminal of IPython the text.
    """
    monkeypatch.setattr(sys, "stdout", StringIO())
    some = Some(MANY, 20)

    bundle = some._repr_mimebundle_()

    assert some.looks == [10]
    assert bundle == {"text/plain": TEN, "text/html": some._repr_html_()}
    assert bundle["text/html"].count("<tr>") == 11


def test_rich_prints_the_table() -> None:
    """
    And so does the prompt that it can be installed in.
    """
    console = Console(file=StringIO(), width=80, color_system=None)

    console.print(Some(MANY[:1], 1))

    printed = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert [line.rstrip() for line in printed.splitlines()] == ["id", "0", "1 task"]


def test_no_answer_is_one_line() -> None:
    """
    To look at something raises nothing.
    """
    line = f"{LINE} (no tasks to show: NotSent: \\x1b[31mno route)"
    some = Unreachable([], 0)
    console = Console(file=StringIO(), width=200, color_system=None)

    console.print(some)

    assert some._repr_mimebundle_() == {
        "text/plain": line,
        "text/html": (
            "<code>&lt;Some of ExternalTaskQuery().topic(&#x27;invoice&#x27;)&gt; "
            "(no tasks to show: NotSent: \\x1b[31mno route)</code>"
        ),
    }
    assert console.file.getvalue() == f"{line}\n"  # type: ignore[attr-defined]  # it is a StringIO


def test_a_terminal_gets_the_table_of_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With colours, unless the user wants none.
    """
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    some = Some([ExternalTask(id="0", error_message="b")], 1)

    coloured = some._repr_mimebundle_()["text/plain"]
    monkeypatch.setenv("NO_COLOR", "1")
    without = some._repr_mimebundle_()["text/plain"]

    assert coloured == (
        "\x1b[1mid\x1b[0m\x1b[1m  \x1b[0m\x1b[1merror\x1b[0m\n"
        "0   \x1b[31mb    \x1b[0m\n"
        "\x1b[2m1 task\x1b[0m"
    )
    assert without == (
        "\x1b[1mid\x1b[0m\x1b[1m  \x1b[0m\x1b[1merror\x1b[0m\n0   b    \n\x1b[2m1 task\x1b[0m"
    )


def test_a_terminal_without_rich_gets_a_plain_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is an optional extra.
    """
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(sys, "stdout", Terminal())

    assert Some(MANY, 20)._repr_mimebundle_()["text/plain"] == TEN


ENTRY = HistoricExternalTaskLog(
    id="9d2c2a30-c7c5-11f0-9e3c-0242ac110002",
    timestamp=NOW - timedelta(minutes=5),
    external_task_id=STUCK.id,
    topic_name="invoice",
    worker_id="worker-1",
    retries=1,
    error_message="The bank\ndoes not answer",
    failure_log=True,
)


def test_the_log_is_a_table_too() -> None:
    """
    It says what happened, when, and to which task.
    """
    rows = [ENTRY, HistoricExternalTaskLog(id="b", success_log=True)]

    assert Table(LOG, rows, 12, now=NOW).text(80) == (
        "id         time       event    task       topic    worker    retries  error\n"
        "---------  ---------  -------  ---------  -------  --------  -------  ----------\n"
        "9d2c2a30…  5 min ago  failure  9d2c2a1c…  invoice  worker-1        1  The bank …\n"
        "b                     success\n"
        "2 of 12 entries"
    )
    assert Table(LOG, rows[:1], 1, now=NOW).text(20).splitlines()[2:] == [
        "failure  9d2c2a1c-c…",
        "1 entry",
    ]
    assert "<caption>2 of 12 entries</caption>" in Table(LOG, rows, 12, now=NOW).html()


def test_a_selection_of_the_log_is_shown_so() -> None:
    """
    Also where the engine has none.
    """
    page = json_answer(200, [{"id": "1", "creationLog": True}])
    with Stub(page, raw_answer("404 Not Found")) as stub:
        client = ExternalTaskClient(stub.url)
        shown = [
            client.select(HistoricExternalTaskLogQuery())._repr_mimebundle_()["text/plain"]
            for _ in range(2)
        ]

    assert shown[0].splitlines()[2:] == ["1   creation", "1 entry"]
    assert shown[1].startswith(
        "<LogSelection of HistoricExternalTaskLogQuery()> (no entries to show: "
    )


# ---------------------------------------------------------------------------------------- a request


def test_a_query_explains_itself() -> None:
    """
    What would be sent, by POST, by GET and by curl, and what old engines make of it.
    """
    query = ExternalTaskQuery().topic("invoice").process_definition_key_in("a", "b")

    assert repr(query.explain()) == str(query.explain())
    assert str(query.explain()) == (
        "POST http://localhost:8080/engine-rest/external-task\n"
        "Content-Type: application/json\n"
        "\n"
        "{\n"
        '  "topicName": "invoice",\n'
        '  "processDefinitionKeyIn": [\n'
        '    "a",\n'
        '    "b"\n'
        "  ]\n"
        "}\n"
        "\n"
        "GET http://localhost:8080/engine-rest/external-task"
        "?topicName=invoice&processDefinitionKeyIn=a%2Cb\n"
        "\n"
        "curl -X POST http://localhost:8080/engine-rest/external-task \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        """  --data-raw '{"topicName": "invoice", "processDefinitionKeyIn": ["a", "b"]}'\n"""
        "\n"
        "Ignored by older engines: processDefinitionKeyIn (since 7.24)"
    )


def test_an_explanation_has_parts() -> None:
    """
    Each can be taken alone, such as the command.
    """
    explained = ExternalTaskQuery().sort_by("id").sort_by("createTime").explain("https://a/b/")

    assert attrs.asdict(explained) == {
        "url": "https://a/b/external-task",
        "body": (
            '{\n  "sorting": [\n    {\n      "sortBy": "id",\n      "sortOrder": "asc"\n    },\n'
            '    {\n      "sortBy": "createTime",\n      "sortOrder": "asc"\n    }\n  ]\n}'
        ),
        "get_url": None,
        "why_no_get": "GET has room for one criterion of sorting, not 2: send it with POST",
        "curl": (
            "curl -X POST https://a/b/external-task \\\n"
            "  -H 'Content-Type: application/json' \\\n"
            """  --data-raw '{"sorting": [{"sortBy": "id", "sortOrder": "asc"}, """
            """{"sortBy": "createTime", "sortOrder": "asc"}]}'"""
        ),
        "newer_filters": {},
    }
    assert "No GET: GET has room" in str(explained)


@pytest.mark.parametrize("text", [*HOSTILE, 'it\'s $(rm -rf /) `x` \\ "y" !1', "注文 é 😀"])
def test_a_shell_and_json_read_the_command_as_it_was_meant(text: str) -> None:
    """
    Escapes stand for what they hide, and quotes hold.
    """
    explained = ExternalTaskQuery().topic(text).explain()

    *command, said = shlex.split(explained.curl.replace("\\\n", ""))
    assert command == [
        "curl",
        "-X",
        "POST",
        "http://localhost:8080/engine-rest/external-task",
        "-H",
        "Content-Type: application/json",
        "--data-raw",
    ]
    assert json.loads(said) == json.loads(explained.body) == {"topicName": text}


@pytest.mark.parametrize(
    "url",
    [
        "http://demo:secret@localhost/engine-rest",
        "localhost:8080",
        "ftp://localhost",
        "http://localhost/?token=secret",
        "http://localhost/\x1b[2J",
        "http://a b/",
        "http://[",
        "",
    ],
)
def test_a_url_that_is_none_or_holds_secrets_is_refused(url: str) -> None:
    """
    And not repeated.
    """
    with pytest.raises(ValueError, match=r"^base_url ") as refused:
        ExternalTaskQuery().explain(url)

    assert "secret" not in str(refused.value)
    assert raw(str(refused.value)) == set()


# -------------------------------------------------------------------------------------- completion


def completions(text: str) -> Iterator[str]:
    """
    The words that the tab key offers at Python's prompt.
    """
    offers = rlcompleter.Completer({"q": ExternalTaskQuery(), "SortBy": SortBy})
    number = 0
    while (offered := offers.complete(text, number)) is not None:
        yield offered.removeprefix(text).rstrip("()")
        number += 1


OFFERED = [
    "active",
    "activity_id",
    "activity_id_in",
    "body",
    "execution_id",
    "explain",
    "external_task_id",
    "external_task_id_in",
    "filters",
    "from_body",
    "has_filter",
    "lock_expiration_after",
    "lock_expiration_before",
    "locked",
    "no_retries_left",
    "not_locked",
    "params",
    "priority_higher_than_or_equals",
    "priority_lower_than_or_equals",
    "process_definition_id",
    "process_definition_key",
    "process_definition_key_in",
    "process_definition_name",
    "process_definition_name_like",
    "process_instance_id",
    "process_instance_id_in",
    "process_variable",
    "sort_by",
    "sorting",
    "suspended",
    "tenant_id_in",
    "topic",
    "unsorted",
    "variable_names_ignore_case",
    "variable_values_ignore_case",
    "with_retries_left",
    "worker_id",
]


def test_the_tab_key_offers_the_filters() -> None:
    """
    All of them, what else a query can do, and nothing that is private.
    """
    assert sorted(completions("q.")) == OFFERED
    assert list(completions("q.lock")) == ["_expiration_after", "_expiration_before", "ed"]


def test_the_tab_key_offers_the_criteria_of_sorting() -> None:
    """
    In capitals; below them stands what a `str` has, which the criteria are.
    """
    assert [one for one in completions("SortBy.") if one.isupper()] == [
        "CREATE_TIME",
        "ID",
        "LOCK_EXPIRATION_TIME",
        "PROCESS_DEFINITION_ID",
        "PROCESS_DEFINITION_KEY",
        "PROCESS_INSTANCE_ID",
        "TASK_PRIORITY",
        "TENANT_ID",
    ]


def test_a_client_that_is_closed_shows_no_tasks() -> None:
    """
    To look at something raises nothing then, either.
    """
    client = ExternalTaskClient("http://127.0.0.1:1/engine-rest")
    client.close()

    shown = client.select()._repr_mimebundle_()["text/plain"]

    assert shown.startswith("<Selection of ExternalTaskQuery()> (no tasks to show: NotSent: ")
