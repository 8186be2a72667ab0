"""
Tasks in files and data frames.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, Literal

import pandas  # type: ignore[import-untyped]  # its types are a package of their own
import polars
import pytest

from camunda_ext import (
    ExternalTaskClient,
    HistoricExternalTaskLogQuery,
    LogSelection,
    NoAnswer,
    Selection,
    safety,
)
from camunda_ext._many import export as export_module
from camunda_ext.safety import csv_cell
from camunda_ext.testing import Engine
from tests.stub import Stub, json_answer, raw_answer
from tests.test_pages import own_threads

HEADER = (
    b'"id","topic_name","worker_id","lock_expiration_time","create_time","retries",'
    b'"error_message","priority","suspended","activity_id","activity_instance_id","execution_id",'
    b'"process_instance_id","process_definition_id","process_definition_key",'
    b'"process_definition_version_tag","tenant_id","business_key"\r\n'
)
FIRST = {
    "id": "1",
    "topicName": "a",
    "workerId": "w",
    "lockExpirationTime": "2027-01-15T08:00:01.250+0100",
    "createTime": "2027-01-15T08:00:00.000+0000",
    "retries": 3,
    "errorMessage": '=cmd "x"\r\nline, \ud83d é',
    "priority": -5,
    "suspended": True,
    "activityId": "task",
    "activityInstanceId": "task:5",
    "executionId": "3",
    "processInstanceId": "2",
    "processDefinitionId": "p:1:0",
    "processDefinitionKey": "p",
    "processDefinitionVersionTag": None,
    "tenantId": "",
    "businessKey": "-17",
}
#: An odd one: it lacks much, and its lock ends in a year that Python does not have.
SECOND = {"id": "2", "topicName": "a", "lockExpirationTime": "33715-01-01T00:00:00.000+0000"}


@pytest.fixture
def selection() -> Iterator[Selection]:
    """
    Select the two tasks above.
    """
    page = json_answer(200, [FIRST, SECOND])
    with Stub(page) as stub, ExternalTaskClient(stub.url) as client:
        yield client.select()


@pytest.fixture
def five() -> Iterator[Selection]:
    """
    Select five tasks, two a page.
    """
    with Engine() as engine, engine.client() as client:
        for _ in range(5):
            engine.create_task("a")
        yield client.select(page_size=2)


def test_dicts_hold_what_json_has_by_the_names_of_fields(selection: Selection) -> None:
    """
    All fields, in the order of the class.
    """
    first, second = selection.to_dicts()

    assert list(first.items()) == [
        ("id", "1"),
        ("topic_name", "a"),
        ("worker_id", "w"),
        ("lock_expiration_time", "2027-01-15T08:00:01.250+01:00"),
        ("create_time", "2027-01-15T08:00:00.000+00:00"),
        ("retries", 3),
        ("error_message", '=cmd "x"\r\nline, \ud83d é'),
        ("priority", -5),
        ("suspended", True),
        ("activity_id", "task"),
        ("activity_instance_id", "task:5"),
        ("execution_id", "3"),
        ("process_instance_id", "2"),
        ("process_definition_id", "p:1:0"),
        ("process_definition_key", "p"),
        ("process_definition_version_tag", None),
        ("tenant_id", ""),
        ("business_key", "-17"),
    ]
    assert second["lock_expiration_time"] == "9999-12-31T23:59:59.999+00:00"
    assert list(selection.to_dicts()) == [task.to_dict() for task in selection]


def test_jsonl_has_an_object_a_line(selection: Selection, tmp_path: Path) -> None:
    """
    In ASCII, dates in ISO 8601 with their zone, and half an emoji as it was.
    """
    path = tmp_path / "tasks.jsonl"

    assert selection.to_jsonl(path) == 2
    assert path.read_bytes() == (
        b'{"id":"1","topic_name":"a","worker_id":"w",'
        b'"lock_expiration_time":"2027-01-15T08:00:01.250+01:00",'
        b'"create_time":"2027-01-15T08:00:00.000+00:00","retries":3,'
        b'"error_message":"=cmd \\"x\\"\\r\\nline, \\ud83d \\u00e9","priority":-5,'
        b'"suspended":true,"activity_id":"task","activity_instance_id":"task:5",'
        b'"execution_id":"3","process_instance_id":"2","process_definition_id":"p:1:0",'
        b'"process_definition_key":"p","process_definition_version_tag":null,"tenant_id":"",'
        b'"business_key":"-17"}\n'
        b'{"id":"2","topic_name":"a","worker_id":null,'
        b'"lock_expiration_time":"9999-12-31T23:59:59.999+00:00","create_time":null,'
        b'"retries":null,"error_message":null,"priority":0,"suspended":false,"activity_id":"",'
        b'"activity_instance_id":"","execution_id":"","process_instance_id":"",'
        b'"process_definition_id":"","process_definition_key":"",'
        b'"process_definition_version_tag":null,"tenant_id":null,"business_key":null}\n'
    )
    first, _ = path.read_text("utf-8").splitlines()
    assert json.loads(first)["error_message"] == '=cmd "x"\r\nline, \ud83d é'


@pytest.mark.parametrize(("raw", "guard"), [(False, b"'"), (True, b"")])
def test_csv_is_safe_for_spreadsheets(
    selection: Selection, tmp_path: Path, raw: bool, guard: bytes
) -> None:
    """
    Texts that begin like a formula are guarded, unless they are wanted raw; numbers are numbers.
    """
    path = tmp_path / "tasks.csv"

    assert selection.to_csv(path, raw=raw) == 2
    assert path.read_bytes() == (
        HEADER + b'"1","a","w","2027-01-15T08:00:01.250+01:00","2027-01-15T08:00:00.000+00:00","3",'
        b'"' + guard + b'=cmd ""x""\r\nline, \\ud83d \xc3\xa9","-5","true","task","task:5","3","2",'
        b'"p:1:0","p","","","' + guard + b'-17"\r\n'
        b'"2","a","","9999-12-31T23:59:59.999+00:00","","","","0","false","","","","","","",'
        b'"","",""\r\n'
    )


def test_a_cell_of_ones_own_is_as_safe() -> None:
    """
    It is what a whole export would write.
    """
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)

    assert [csv_cell(value) for value in ("=1+1", "a;=1", "x", True, 3, None, moment)] == [
        "'=1+1",
        "a;'=1",
        "x",
        "true",
        3,
        None,
        "2026-01-02T03:04:05.678+00:00",
    ]


@pytest.mark.parametrize(
    "begin",
    [
        *("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"),  # noqa: RUF001
        *(" =", "\xa0=", "\x0b@", "\ufeff=", "\u200b-", " \u202e+", "\u3164=", "\u034f ="),
    ],
)
def test_every_beginning_of_a_formula_is_guarded(tmp_path: Path, begin: str) -> None:
    """
    In any column of text.
    """
    path = tmp_path / "tasks.csv"
    page = json_answer(200, [{"id": "1", "businessKey": f"{begin}1+1"}])
    with Stub(page) as stub, ExternalTaskClient(stub.url) as client:
        client.select().to_csv(path)

    assert path.read_bytes() == (
        HEADER + b'"1","","","","","","","0","false","","","","","","","","",'
        b"\"'" + begin.encode() + b'1+1"\r\n'
    )


def test_no_tasks_make_an_empty_file(five: Selection, tmp_path: Path) -> None:
    """
    But for the header of a table.
    """
    assert five[5:].to_jsonl(tmp_path / "a") == 0
    assert five[5:].to_csv(tmp_path / "b") == 0
    assert [(tmp_path / name).read_bytes() for name in ("a", "b")] == [b"", HEADER]


@pytest.mark.parametrize("export", [Selection.to_jsonl, Selection.to_csv])
def test_a_file_is_replaced_only_where_that_is_said(
    five: Selection, tmp_path: Path, export: Callable[..., int]
) -> None:
    """
    A script that is run again does not lose what it wrote.
    """
    path = tmp_path / "tasks"
    path.write_text("kept")

    with pytest.raises(FileExistsError) as caught:
        export(five, path)
    assert str(caught.value) == f"{str(path)!r} is there: pass overwrite=True to replace it"
    assert path.read_text() == "kept"
    assert export(five, str(path), overwrite=True) == 5
    assert path.read_text() != "kept"
    assert os.listdir(tmp_path) == ["tasks"]


def test_what_cannot_be_replaced_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    """
    A directory, a device, a place that is not there.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        for place in (tmp_path, Path(os.devnull)):
            with pytest.raises(FileExistsError, match="is no file that could be replaced"):
                client.select().to_jsonl(place, overwrite=True)
        with pytest.raises(FileNotFoundError, match="there is no directory"):
            client.select().to_csv(tmp_path / "none" / "tasks")
        assert stub.seen == []
    assert os.listdir(tmp_path) == []


def test_a_link_stays_one(five: Selection, tmp_path: Path) -> None:
    """
    What it leads to is written.
    """
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "tasks").touch()
    (tmp_path / "link").symlink_to(Path("folder") / "tasks")
    five.to_jsonl(tmp_path / "link", overwrite=True)

    assert (tmp_path / "link").is_symlink()
    assert os.listdir(tmp_path / "folder") == ["tasks"]


def test_a_file_appears_when_it_is_whole(five: Selection, tmp_path: Path) -> None:
    """
    And has the rights of any other file.
    """
    seen = []

    def look(done: int, _: int) -> None:
        seen.append((done, (tmp_path / "tasks").exists()))

    five.to_jsonl(tmp_path / "tasks", progress=look)
    (tmp_path / "other").touch()

    assert seen == [(0, False), (2, False), (4, False), (5, False)]
    assert (tmp_path / "tasks").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_file_that_came_meanwhile_is_kept(five: Selection, tmp_path: Path) -> None:
    """
    Two scripts may write to the same place.
    """
    path = tmp_path / "tasks"
    with pytest.raises(FileExistsError):
        five.to_jsonl(path, progress=lambda _, __: path.write_text("another"))

    assert path.read_text() == "another"
    assert os.listdir(tmp_path) == ["tasks"]


def test_of_two_scripts_that_end_together_one_is_refused(
    five: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Even if the other one's file comes in the last moment.
    """
    path, link = tmp_path / "tasks", os.link

    def after_another(source: Path, target: Path) -> None:
        path.write_text("another")
        link(source, target)

    monkeypatch.setattr(os, "link", after_another)
    with pytest.raises(FileExistsError, match="tasks' is there: pass overwrite=True"):
        five.to_jsonl(path)

    assert path.read_text() == "another"
    assert os.listdir(tmp_path) == ["tasks"]


def test_a_file_system_may_have_no_links(
    five: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The file gets its name in another way, and one that is there is kept all the same.
    """

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "tasks"
    assert five.to_jsonl(path) == 5
    assert len(path.read_text().splitlines()) == 5
    path.unlink()
    with pytest.raises(FileExistsError):
        five.to_jsonl(path, progress=lambda _, __: path.write_text("another"))

    assert path.read_text() == "another"
    assert os.listdir(tmp_path) == ["tasks"]


@pytest.mark.parametrize("prefetch", [0, 4])
def test_an_error_leaves_nothing_behind(tmp_path: Path, prefetch: int) -> None:
    """
    Neither half a file nor a thread; and a file that was there stays.
    """
    (tmp_path / "tasks").write_text("kept")
    pages = [json_answer(200, [{"id": "1"}, {"id": "2"}]), raw_answer("200 OK", body=b"<html>")]
    with Stub(*pages) as stub, ExternalTaskClient(stub.url) as client:
        selection = client.select(page_size=2, prefetch=prefetch)
        with pytest.raises(NoAnswer):
            selection.to_csv(tmp_path / "tasks", overwrite=True)
        with pytest.raises(NoAnswer):
            selection.to_jsonl(tmp_path / "new")

    assert os.listdir(tmp_path) == ["tasks"]
    assert (tmp_path / "tasks").read_text() == "kept"


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_tasks_are_written_as_they_come(tmp_path: Path, kind: str) -> None:
    """
    So that not all of them are in memory: what was told to be done is in the file, but for the rest
    that Python keeps until it is worth writing.
    """
    one, two, three = ({"id": f"{number}", "errorMessage": "-" * 1_000_000} for number in range(3))
    pages = [json_answer(200, page) for page in ({"count": 3}, [one, two], [two, three], [three])]
    sizes = []

    def look(done: int, _: int) -> None:
        written = sum(file.stat().st_size for file in tmp_path.iterdir())
        sizes.append((done, round(written / 1_000_000)))

    with Stub(*pages) as stub, ExternalTaskClient(stub.url) as client:
        getattr(client.select(page_size=2), f"to_{kind}")(tmp_path / "tasks", progress=look)

    assert sizes == [(0, 0), (2, 2), (3, 3)]


@pytest.mark.parametrize(
    "export",
    [
        lambda selection, path: selection.to_jsonl(path),
        lambda selection, path: selection.to_csv(path),
        lambda selection, _: selection.to_dataframe("pandas"),
    ],
    ids=["jsonl", "csv", "frame"],
)
def test_an_export_that_fails_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: Callable[..., object]
) -> None:
    """
    Whoever keeps the error keeps no pages that are on their way.
    """

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("dumps", "csv_cell"):
        monkeypatch.setattr(f"camunda_ext._many.export.{name}", fail)
    monkeypatch.setitem(export_module._CONVERTERS, str, fail)
    with Engine() as engine, engine.client() as client:
        for _ in range(10):
            engine.create_task("a")
        with pytest.raises(OSError, match="No space left") as caught:
            export(client.select(page_size=2, prefetch=2), tmp_path / "tasks")
        left = own_threads()

    assert caught.value.errno == errno.ENOSPC
    assert left == []


def test_a_full_disk_leaves_nothing_behind(
    five: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The error is the system's own.
    """

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        five.to_jsonl(tmp_path / "tasks")

    assert os.listdir(tmp_path) == []


def test_the_first_export_may_follow_the_first_answer() -> None:
    """
    Programs look at some tasks, and then export them; dates are dates also then.
    """
    code = (
        "from camunda_ext.testing import Engine\n"
        "with Engine(clock=lambda: 1_800_000_000.0) as engine, engine.client() as client:\n"
        "    engine.create_task('a')\n"
        "    selection = client.select()\n"
        "    selection.first()\n"
        "    frame = selection.to_dataframe('polars')\n"
        "    print(frame['create_time'].dtype, frame['retries'].dtype)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "Datetime(time_unit='ms', time_zone='UTC') Int64\n"


# ---------------------------------------------------------------------------------------- progress


@pytest.mark.parametrize(
    "export",
    [
        lambda selection, _, progress: list(selection.to_dicts(progress=progress)),
        lambda selection, path, progress: selection.to_jsonl(path, progress=progress),
        lambda selection, path, progress: selection.to_csv(path, progress=progress),
    ],
)
def test_progress_is_told_page_by_page(
    five: Selection, tmp_path: Path, export: Callable[..., object]
) -> None:
    """
    From nothing to all, each time with the number of all.
    """
    told: list[tuple[int, int]] = []
    export(five, tmp_path / "1", lambda done, total: told.append((done, total)))
    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)]

    told.clear()
    export(five[:4], tmp_path / "2", lambda done, total: told.append((done, total)))
    assert told == [(0, 4), (2, 4), (4, 4)]

    told.clear()
    export(five[5:], tmp_path / "3", lambda done, total: told.append((done, total)))
    assert told == [(0, 0)]


def test_progress_is_shown_on_standard_error(
    five: Selection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A bar on a terminal, where there is rich; standard output is for what a script prints itself.
    """
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert len(list(five.to_dicts(progress=True))) == 5
    out, err = capsys.readouterr()

    assert out == ""
    assert "5/5" in err


def test_progress_is_lines_where_there_is_no_rich(
    five: Selection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    So it needs nothing.
    """
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert len(list(five.to_dicts(progress=True))) == 5

    assert capsys.readouterr() == (
        "",
        "tasks: 0 of 5\ntasks: 2 of 5\ntasks: 4 of 5\ntasks: 5 of 5\n",
    )


def test_nothing_is_counted_where_nobody_wants_to_know(tmp_path: Path) -> None:
    """
    It is a request of its own.
    """
    with Stub(json_answer(200, [{"id": "1"}])) as stub, ExternalTaskClient(stub.url) as client:
        client.select().to_jsonl(tmp_path / "tasks")

        assert [one.target for one in stub.seen] == [
            "/engine-rest/external-task?firstResult=0&maxResults=500"
        ]


@pytest.mark.parametrize("progress", ["yes", 1, None])
def test_an_odd_progress_is_refused_at_the_call(five: Selection, progress: Any) -> None:
    """
    Not with the first task.
    """
    with pytest.raises(TypeError, match="progress must be True, False or a function"):
        five.to_dicts(progress=progress)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_however_cells_are_parted(tmp_path: Path, delimiter: str) -> None:
    """
    In many countries a spreadsheet takes a semicolon for what parts them.
    """
    path = tmp_path / "tasks.csv"
    texts = ["x;=1+1;y", 'a";=3+3', "x\n=2+2", "x\r\n -2", "x\t@now", "a-b;c=d", 'a;"=1+1;', '"=1']
    page = json_answer(200, [{"id": str(n), "errorMessage": one} for n, one in enumerate(texts)])
    with Stub(page) as stub, ExternalTaskClient(stub.url) as client:
        client.select().to_csv(path)

    with path.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file, delimiter=delimiter) for cell in row]
    assert [cell for cell in cells if cell.strip()[:1] in tuple("=+-@") and cell.strip()] == []
    assert path.read_text("utf-8").count("a-b;c=d") == 1


@pytest.mark.skipif(os.name == "nt", reason="this system has other rights")
def test_a_private_file_stays_private(five: Selection, tmp_path: Path) -> None:
    """
    Tasks hold what is nobody else's business.
    """
    path = tmp_path / "tasks.jsonl"
    path.touch()
    path.chmod(0o600)

    five.to_jsonl(path, overwrite=True)

    assert path.stat().st_mode & 0o777 == 0o600


# ------------------------------------------------------------------------------------- data frames

#: Both tasks, column by column, as either library gives its values back.
COLUMNS: dict[str, list[Any]] = {
    "id": ["1", "2"],
    "topic_name": ["a", "a"],
    "worker_id": ["w", None],
    "lock_expiration_time": [
        datetime(2027, 1, 15, 7, 0, 1, 250_000, timezone.utc),
        datetime(9999, 12, 31, 23, 59, 59, 999_000, timezone.utc),
    ],
    "create_time": [datetime(2027, 1, 15, 8, tzinfo=timezone.utc), None],
    "retries": [3, None],
    "error_message": ['=cmd "x"\r\nline, \\ud83d é', None],
    "priority": [-5, 0],
    "suspended": [True, False],
    "activity_id": ["task", ""],
    "activity_instance_id": ["task:5", ""],
    "execution_id": ["3", ""],
    "process_instance_id": ["2", ""],
    "process_definition_id": ["p:1:0", ""],
    "process_definition_key": ["p", ""],
    "process_definition_version_tag": [None, None],
    "tenant_id": ["", None],
    "business_key": ["-17", None],
}


def test_a_pandas_data_frame_has_a_column_for_each_field(selection: Selection) -> None:
    """
    Whole numbers stay whole where some are missing, and odd dates and texts break nothing.
    """
    frame = selection.to_dataframe("pandas")

    assert {
        name: [None if pandas.isna(value) else value for value in frame[name]] for name in frame
    } == COLUMNS
    assert [str(kind) for kind in frame.dtypes] == [
        *["string"] * 3,
        *["datetime64[ms, UTC]"] * 2,
        "Int64",
        "string",
        "Int64",
        "boolean",
        *["string"] * 9,
    ]
    none = selection[2:2].to_dataframe("pandas")
    assert len(none) == 0
    assert list(none.dtypes) == list(frame.dtypes)


def test_a_polars_data_frame_has_a_column_for_each_field(selection: Selection) -> None:
    """
    The same in its own types.
    """
    frame = selection.to_dataframe("polars")

    assert frame.to_dict(as_series=False) == COLUMNS
    assert frame.dtypes == [
        *[polars.String] * 3,
        *[polars.Datetime("ms", "UTC")] * 2,
        polars.Int64,
        polars.String,
        polars.Int64,
        polars.Boolean,
        *[polars.String] * 9,
    ]
    none = selection[2:2].to_dataframe("polars")
    assert len(none) == 0
    assert none.dtypes == frame.dtypes


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_data_frame_is_made_part_by_part(
    five: Selection, monkeypatch: pytest.MonkeyPatch, library: Any
) -> None:
    """
    So that not all tasks are in memory besides.
    """
    monkeypatch.setattr(export_module, "_ROWS", 2)
    told: list[int] = []

    frame = five.to_dataframe(library, progress=lambda done, _: told.append(done))
    assert list(frame["id"]) == list(five.ids())
    assert told == [0, 2, 4, 5]


@pytest.mark.parametrize(
    ("library", "message"),
    [
        ("pandas", "a data frame needs pandas: pip install 'camunda_ext[pandas]'"),
        ("polars", "a data frame needs polars: pip install 'camunda_ext[polars]'"),
        (None, "a data frame needs pandas or polars: pip install 'camunda_ext[pandas]'"),
    ],
)
def test_a_missing_library_is_named(library: str | None, message: str) -> None:
    """
    Before anything is asked of the engine.
    """
    code = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: "
        "None if name in ('pandas', 'polars') else found(name)\n"
        "from camunda_ext import ExternalTaskClient\n"
        "try:\n"
        f"    ExternalTaskClient('http://127.0.0.1:1').select().to_dataframe({library!r})\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == f"{message}\n"


def test_another_library_is_refused(five: Selection) -> None:
    """
    At the call.
    """
    with pytest.raises(ValueError, match="library must be 'pandas', 'polars' or None, not 'dask'"):
        five.to_dataframe("dask")  # type: ignore[arg-type]  # that is the point


def test_nothing_unseen_hides_a_formula() -> None:
    """
    By Unicode's own categories: whatever is a space, or only formats.
    """
    unseen = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp")
    ]

    assert len(unseen) > 200
    assert [one for one in unseen if not safety._guarded(f"{one}=1").startswith("'")] == []
    assert [one for one in unseen if safety._guarded(f"a;{one}=1") != f"a;{one}'=1"] == []


@pytest.mark.parametrize("unseen", ["\t", "\n", ";", " ", "\t\n", '"', "\u200b"])
def test_a_text_of_nothing_is_guarded_in_no_time(unseen: str) -> None:
    """
    In one step each: twice as many would take four times as long otherwise.
    """
    text = unseen * 200_000

    assert safety._guarded(text).removeprefix("'") == text


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_to_nothing_is_not_followed(five: Selection, tmp_path: Path) -> None:
    """
    Nor replaced: somebody else may have put it there.
    """
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")

    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="link to"):
            five.to_jsonl(link, overwrite=overwrite)

    assert not (tmp_path / "elsewhere").exists()


# ---------------------------------------------------------------------------------------- the log

LOG_HEADER: Final = (
    '"id","timestamp","removal_time","external_task_id","topic_name","worker_id","priority",'
    '"retries","error_message","activity_id","activity_instance_id","execution_id",'
    '"process_instance_id","process_definition_id","process_definition_key","tenant_id",'
    '"root_process_instance_id","creation_log","failure_log","success_log","deletion_log","event"'
)
_ENTRY: Final = {
    "id": "e1",
    "timestamp": "2027-01-15T08:00:00.000+0000",
    "externalTaskId": "t1",
    "topicName": "a",
    "workerId": "w",
    "priority": 7,
    "retries": 2,
    "errorMessage": "=boo",
    "failureLog": True,
}


@pytest.fixture
def log() -> Iterator[LogSelection]:
    """
    Select a failure, and an entry of no kind.
    """
    page = json_answer(200, [_ENTRY, {"id": "e2"}])
    with Stub(page) as stub, ExternalTaskClient(stub.url) as client:
        yield client.select(HistoricExternalTaskLogQuery())


def test_the_log_is_exported_with_the_kind_of_each_entry(log: LogSelection, tmp_path: Path) -> None:
    """
    As text in files.
    """
    assert log.to_jsonl(tmp_path / "log.jsonl") == log.to_csv(tmp_path / "log.csv") == 2
    lines = (tmp_path / "log.jsonl").read_text("utf-8").splitlines()
    first, second = map(json.loads, lines)
    table = (tmp_path / "log.csv").read_text("utf-8")

    assert {name: value for name, value in first.items() if value} == {
        "id": "e1",
        "timestamp": "2027-01-15T08:00:00.000+00:00",
        "external_task_id": "t1",
        "topic_name": "a",
        "worker_id": "w",
        "priority": 7,
        "retries": 2,
        "error_message": "=boo",
        "failure_log": True,
        "event": "failure",
    }
    assert [*first] == LOG_HEADER.replace('"', "").split(",")
    assert (second["id"], second["event"]) == ("e2", None)
    assert table.splitlines() == [
        LOG_HEADER,
        (
            '"e1","2027-01-15T08:00:00.000+00:00","","t1","a","w","7","2","\'=boo","","","","","","","",'
            '"","false","true","false","false","failure"'
        ),
        '"e2","","","","","","0","","","","","","","","","","","false","false","false","false",""',
    ]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_log_is_a_data_frame_too(
    log: LogSelection, library: Literal["pandas", "polars"]
) -> None:
    """
    With dates, whole numbers and flags.
    """
    frame = log.to_dataframe(library)

    assert list(frame.columns) == LOG_HEADER.replace('"', "").split(",")
    assert next(iter(frame["event"])) == "failure"
    assert list(frame["failure_log"]) == [True, False]
    assert next(iter(frame["retries"])) == 2
    assert next(iter(frame["timestamp"])) == datetime(2027, 1, 15, 8, tzinfo=timezone.utc)
