"""
Following a batch until it is over, or cannot end by itself.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
import requests
from requests.adapters import HTTPAdapter
from rich.console import Console

from camunda_ext import (
    Batch,
    BatchFailed,
    BatchResult,
    BatchRun,
    ExternalTaskClient,
    ExternalTaskQuery,
    Timeout,
)
from camunda_ext.testing import Engine
from tests.stub import Stub, html_answer, json_answer, then_silence

_GONE: Final = json_answer(200, [])


def statistics(*, remaining: int, failed: int = 0, created: int = 4, **told: Any) -> bytes:
    """
    The answer about a batch of four jobs.
    """
    return json_answer(
        200,
        [
            {
                "id": "b1",
                "type": "set-external-task-retries",
                "totalJobs": 4,
                "jobsCreated": created,
                "remainingJobs": remaining,
                "completedJobs": 4 - remaining,
                "failedJobs": failed,
                "suspended": False,
                **told,
            }
        ],
    )


class Time:
    """
    Time that passes when somebody sleeps.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """
        The time, in seconds.
        """
        return self.now

    def sleep(self, seconds: float) -> None:
        """
        Let it pass.
        """
        self.slept.append(round(seconds, 3))
        self.now += seconds


def waited(
    *answers: bytes, timeout: float | timedelta | None = None, batch: Batch | str = "b1"
) -> tuple[BatchResult, list[float], list[tuple[int, int]]]:
    """
    Wait for a batch with these answers; return the result, the pauses, and the progress.
    """
    passing, told = Time(), list[tuple[int, int]]()
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        run = BatchRun(client, batch, sleep=passing.sleep, clock=passing.clock)
        result = run.wait(timeout, progress=lambda done, total: told.append((done, total)))
        assert {one.target for one in stub.seen} == {"/engine-rest/batch/statistics?batchId=b1"}
    return result, passing.slept, told


def test_a_batch_is_over_when_it_is_gone() -> None:
    """
    The engine deletes a finished batch; its statistics are an empty list then.
    """
    assert waited(statistics(remaining=4, created=0), statistics(remaining=1), _GONE) == (
        BatchResult(batch_id="b1", finished=True, gone=True, total_jobs=4),
        [0.1, 0.2],
        [(0, 4), (3, 4), (4, 4)],
    )


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (
            statistics(remaining=3, failed=1),
            "batch b1: deleted by somebody, 1 of 4 jobs done, 1 failed",
        ),
        (
            statistics(remaining=4, suspended=True),
            "batch b1: deleted by somebody, 0 of 4 jobs done",
        ),
    ],
)
def test_a_batch_that_could_not_end_was_deleted(seen: bytes, said: str) -> None:
    """
    That it is gone does not mean that its jobs were done.
    """
    with Stub(seen, _GONE) as stub, ExternalTaskClient(stub.url) as client:
        run = BatchRun(client, "b1", sleep=lambda _: None)
        run.statistics()
        told: list[tuple[int, int]] = []
        result = run.wait(progress=lambda done, total: told.append((done, total)))

    assert (result.finished, result.gone, str(result)) == (False, True, said)
    assert told[-1][0] < 4
    with pytest.raises(BatchFailed):
        result.raise_for_failures()


def test_an_engine_that_is_silent_is_not_waited_for_longer_than_was_said() -> None:
    """
    However many attempts there would be.
    """
    # A minute long for each attempt, and there would be five of them.
    silent = then_silence(seconds=60.0)
    began = time.monotonic()
    with (
        Stub(statistics(remaining=4), *[silent] * 5) as stub,
        ExternalTaskClient(stub.url) as client,
        pytest.raises(TimeoutError, match="waiting_jobs=4"),
    ):
        BatchRun(client, "b1").wait(timeout=0.3)

    assert time.monotonic() - began < 30


def test_what_a_batch_is_called_does_not_reach_the_terminal() -> None:
    """
    A terminal would obey some characters.
    """
    with ExternalTaskClient("http://127.0.0.1:1/engine-rest") as client:
        shown = repr(BatchRun(client, "b\u202e1"))

    assert shown == "<BatchRun b\\u202e1>"
    assert str(BatchResult(batch_id="b\u202e1", finished=True)).startswith("batch b\\u202e1: ")


def test_a_batch_is_over_when_all_of_its_jobs_are() -> None:
    """
    The engine looks only now and then whether to delete it.
    """
    result, slept, _ = waited(statistics(remaining=0))

    assert (result, slept) == (BatchResult(batch_id="b1", finished=True, total_jobs=4), [])


def test_failed_jobs_are_told_when_nothing_else_remains() -> None:
    """
    Such a batch never ends by itself.
    """
    result, slept, _ = waited(
        statistics(remaining=3, failed=1, created=2), statistics(remaining=1, failed=1)
    )

    assert (result, slept) == (
        BatchResult(batch_id="b1", finished=False, total_jobs=4, failed_jobs=1),
        [0.1],
    )
    assert str(result) == (
        "batch b1: not finished, 3 of 4 jobs done, 1 failed. It does not end by itself: see its "
        "incidents, then give its jobs new retries, or delete the batch"
    )
    with pytest.raises(BatchFailed, match="batch b1: not finished") as caught:
        result.raise_for_failures()
    assert caught.value.result == result


def test_a_batch_that_rests_is_not_waited_for() -> None:
    """
    Nobody knows when it goes on.
    """
    result, slept, _ = waited(statistics(remaining=2, suspended=True))

    assert (result, slept) == (
        BatchResult(batch_id="b1", finished=False, total_jobs=4, waiting_jobs=2, suspended=True),
        [],
    )
    assert str(result) == (
        "batch b1: not finished, 2 of 4 jobs done. It is suspended until somebody activates it"
    )
    with pytest.raises(BatchFailed):
        result.raise_for_failures()


def test_a_batch_that_nobody_has_seen() -> None:
    """
    One that was gone at the first look may be any, whoever made it.
    """
    unseen = BatchResult(batch_id="b1", finished=True, gone=True, total_jobs=None)
    result, _, told = waited(_GONE)

    assert (result, told) == (unseen, [(0, 0)])
    assert str(result) == "batch b1: gone before the first look: finished, or deleted"
    assert waited(_GONE, batch=Batch(id="b1", total_jobs=7))[0] == unseen
    result.raise_for_failures()


@pytest.mark.parametrize("timeout", [1, timedelta(seconds=1)])
def test_waiting_has_its_time(timeout: float | timedelta) -> None:
    """
    What goes on still is an error, and the last pause ends with the time.
    """
    passing = Time()
    with Stub(statistics(remaining=3)) as stub, ExternalTaskClient(stub.url) as client:
        run = BatchRun(client, "b1", sleep=passing.sleep, clock=passing.clock)
        with pytest.raises(
            TimeoutError, match="not finished, 1 of 4 jobs done, after 1 s; it goes on"
        ):
            run.wait(timeout)

    assert passing.slept == [0.1, 0.2, 0.4, 0.3]
    assert passing.now == pytest.approx(1001.0)


def test_pauses_grow_to_five_seconds() -> None:
    """
    A long batch is not asked for all the time.
    """
    _, slept, _ = waited(*[statistics(remaining=1)] * 8, _GONE)

    assert slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        (-1, ValueError),
        (float("nan"), ValueError),
        (timedelta.max, ValueError),
        ("1", TypeError),
        (True, TypeError),
    ],
)
def test_odd_timeouts_are_refused(timeout: Any, error: type[Exception]) -> None:
    """
    Before anything is sent.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(error, match="timeout"):
            client.follow("b1").wait(timeout)
        assert stub.seen == []


def test_an_endless_timeout_is_refused() -> None:
    """
    The error says what to pass for a wait without an end.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(ValueError, match="must be finite, not inf: pass None"):
            client.follow("b1").wait(float("inf"))
        assert stub.seen == []


class TimeoutsSeen(HTTPAdapter):
    """
    Keeps the time-outs, for the connection and for a piece of the answer, of each request.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        """
        Send it as usual.
        """
        self.seen.append(options["timeout"])
        return super().send(request, *args, **options)


def test_the_time_outs_of_the_client_hold_while_it_is_waited() -> None:
    """
    Only that for the whole call becomes shorter, so that a look ends with the wait.
    """
    session, adapter = requests.Session(), TimeoutsSeen()
    session.mount("http://", adapter)
    timeout = Timeout(connect=30.0, read=40.0, total=900.0)
    with Stub(_GONE) as stub, session:
        ExternalTaskClient(stub.url, session=session, timeout=timeout).follow("b1").wait(300)

    assert adapter.seen == [(30.0, 40.0)]


def test_progress_must_be_callable() -> None:
    """
    What cannot be called is refused before anything is sent.
    """
    progress: Any = "yes"
    with Stub() as stub, ExternalTaskClient(stub.url) as client:
        with pytest.raises(TypeError, match="progress"):
            client.follow("b1").wait(progress=progress)
        assert stub.seen == []


def test_progress_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A line for each tenth goes to standard error.
    """
    answers = [statistics(remaining=remaining) for remaining in (4, 4, 2, 2, 1)]
    with Stub(*answers, _GONE) as stub, ExternalTaskClient(stub.url) as client:
        BatchRun(client, "b1", sleep=Time().sleep).wait(progress=True)

    assert capsys.readouterr().err == (
        "<BatchRun b1>: 0 of 4\n"
        "<BatchRun b1>: 2 of 4\n"
        "<BatchRun b1>: 3 of 4\n"
        "<BatchRun b1>: 4 of 4\n"
    )


def test_a_client_tells_how_long_it_waits() -> None:
    """
    So that a look is no longer than what is left of the wait, nor than the client's own calls.
    """
    client = ExternalTaskClient("http://engine.invalid/engine-rest", timeout=Timeout(total=30.0))

    assert client.timeout == Timeout(total=30.0)
    assert client.with_options(timeout=5).timeout.total == 5
    assert client.timeout.total == 30.0


@pytest.mark.parametrize(("batch", "error"), [("", ValueError), (None, TypeError)])
def test_what_names_no_batch_is_refused(batch: Any, error: type[Exception]) -> None:
    """
    At the call.
    """
    with Stub() as stub, ExternalTaskClient(stub.url) as client, pytest.raises(error):
        client.follow(batch)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """
    An engine with two tasks.
    """
    with Engine() as made:
        made.create_task("a")
        made.create_task("a")
        yield made


def test_a_batch_on_an_engine(engine: Engine) -> None:
    """
    It is followed from its start to its end, and asked for after it.
    """
    client = engine.client()
    batch = client.set_retries_async(5, external_task_query=ExternalTaskQuery().topic("a"))
    run = BatchRun(client, batch, sleep=engine.advance)
    looked = client.follow(batch.id).statistics()
    result = run.wait()

    assert looked is not None
    assert (run.id, looked.remaining_jobs) == (batch.id, 2)
    assert result == BatchResult(batch_id=batch.id, finished=True, gone=True, total_jobs=2)
    assert client.follow(batch.id).statistics() is None
    assert {task.retries for task in client.list()} == {5}


def test_a_task_that_is_gone_fails_a_job(engine: Engine) -> None:
    """
    The other tasks have their retries then, and the batch stays.
    """
    client = engine.client()
    ids = [*(task.id for task in client.list()), "no such task"]
    batch = client.set_retries_async(5, external_task_ids=ids)
    result = BatchRun(client, batch, sleep=engine.advance).wait()

    assert result == BatchResult(batch_id=batch.id, finished=False, total_jobs=3, failed_jobs=1)
    assert {task.retries for task in client.list()} == {5}


# ----------------------------------------------------------------------------------- what it shows


def _statistics_answer(**told: Any) -> bytes:
    return json_answer(200, [{"id": "b1", "totalJobs": 10, "jobsCreated": 10, **told}])


def test_it_shows_what_the_last_look_saw() -> None:
    """
    A log or a debugger asks the engine for nothing.
    """
    answers = (
        _statistics_answer(remainingJobs=7, completedJobs=3, failedJobs=1),
        _statistics_answer(remainingJobs=0, completedJobs=10, failedJobs=0),
        json_answer(200, []),
    )
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        run = client.follow("b1")
        shown = [repr(run)]
        for _ in answers:
            run.statistics()
            shown += [str(run)]
        asked = len(stub.seen)
        together = f"{run} {run!r}"

    assert shown == [
        "<BatchRun b1>",
        "<BatchRun b1: not finished, 3 of 10 jobs done, 1 failed>",
        "<BatchRun b1: finished, 10 jobs done>",
        "<BatchRun b1: finished, 10 jobs done>",
    ]
    assert (asked, len(stub.seen)) == (3, 3)
    assert together == f"{shown[-1]} {shown[-1]}"


def test_at_a_prompt_it_shows_how_it_is_now() -> None:
    """
    IPython and rich ask for that on behalf of a person.
    """
    answers = (
        _statistics_answer(remainingJobs=10, completedJobs=0, failedJobs=0, suspended=True),
        _statistics_answer(remainingJobs=4, completedJobs=6, failedJobs=0),
        json_answer(200, []),
        html_answer("503 Service Unavailable"),
    )
    with Stub(*answers) as stub, ExternalTaskClient(stub.url, retry=False) as client:
        run = client.follow("b1")
        shown = [run._repr_mimebundle_()["text/plain"] for _ in range(2)]
        console = Console(file=io.StringIO(), width=100)
        console.print(run)
        shown.append(console.file.getvalue().strip())  # type: ignore[attr-defined]  # the one above
        shown.append(run._repr_mimebundle_()["text/plain"])

    gone = "gone, as one that has finished; it had 10 jobs"
    assert shown == [
        "<BatchRun b1: not finished, 0 of 10 jobs done>",
        "<BatchRun b1: not finished, 6 of 10 jobs done>",
        f"<BatchRun b1: {gone}>",
        f"<BatchRun b1: {gone} (not seen now: NoAnswer: 503)>",
    ]


def test_a_run_that_has_been_waited_for_shows_its_end() -> None:
    """
    It was gone at the last look, and before that it was not finished.
    """
    jobs = {"id": "b1", "totalJobs": 2, "jobsCreated": 2, "remainingJobs": 2, "completedJobs": 0}
    answers = (json_answer(200, [jobs]), json_answer(200, []))
    with Stub(*answers) as stub, ExternalTaskClient(stub.url) as client:
        run = BatchRun(client, "b1", sleep=lambda _: None)
        result = run.wait()

    assert (result.finished, result.gone) == (True, True)
    assert repr(run) == "<BatchRun b1: gone, as one that has finished; it had 2 jobs>"
