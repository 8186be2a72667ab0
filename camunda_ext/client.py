"""
The client: one short method for each operation, and one way to the network.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta, tzinfo
from time import monotonic, sleep
from types import NoneType, TracebackType
from typing import Any, Final, Literal, TypeAlias, TypeVar, overload

import attrs

from camunda_ext._call.attempts import Sender
from camunda_ext._call.backoff import Retry, RetryPolicy
from camunda_ext._call.hooks import Hooks
from camunda_ext._call.request import AnyAnswer, Raw, Request
from camunda_ext._call.rules import Rule, rule_of
from camunda_ext._http.credentials import Auth, to_auth
from camunda_ext._http.messages import Timeout
from camunda_ext._http.transport import LARGEST_ANSWER, POOL_SIZE, Session, to_transport
from camunda_ext._many.proof import EngineFacts, FilterProof
from camunda_ext._secrets.hidden import hiding
from camunda_ext._wire import checks
from camunda_ext._wire.checks import check_header
from camunda_ext._wire.dates import DateFormat
from camunda_ext._wire.encode import encode
from camunda_ext._wire.names import wire_name
from camunda_ext._wire.urls import checked_url, project, refuse_odd_path, segment
from camunda_ext._wire.value import TakenAsIs, exported
from camunda_ext.batch_run import BatchRun
from camunda_ext.dto import (
    Batch,
    BatchStatistics,
    CompleteExternalTask,
    CountResult,
    ExtendLockOnExternalTask,
    ExternalTask,
    ExternalTaskBpmnError,
    ExternalTaskFailure,
    FetchedTasks,
    FetchExternalTasks,
    HistoricExternalTaskLog,
    LockExternalTask,
    Ping,
    Priority,
    Retries,
    SetRetriesForExternalTasks,
    Sorting,
    SuspensionState,
    Topic,
    UnreadableTask,
    Version,
)
from camunda_ext.errors import NotFound, TaskNotFound
from camunda_ext.history import OLDEST_LOG, HistoricExternalTaskLogQuery
from camunda_ext.hooks import Hook
from camunda_ext.query import OLDEST, ExternalTaskQuery, Query
from camunda_ext.selection import LogSelection, Selection
from camunda_ext.variables import VariablesLike

T = TypeVar("T")
Q = TypeVar("Q", bound=Query)

#: What names a task besides its id: a task, of a list or a fetch, or one that could not be read.
AnyTask: TypeAlias = ExternalTask | UnreadableTask

#: What names a batch besides its id.
AnyBatch: TypeAlias = Batch | BatchRun

HttpMethod = Literal["GET", "POST", "PUT", "DELETE"]

#: How a query is sent: in a body, or in the URL.
Via = Literal["POST", "GET"]


@exported
class ExternalTaskClient(TakenAsIs):
    """
    A client for the external tasks of one engine.

    It can be shared by threads, and survives a fork. As a context manager it closes at the end what
    it has opened.

    Args:
        base_url: The engine's REST API, such as ``http://localhost:8080/engine-rest``.

        auth: ``(user, password)``, a `Bearer` token, or any auth object of requests.

        engine: Name of the engine, where a server runs several; ``None`` for the default one.

        session:
            A `requests.Session` of your own, to be used as it is. It is yours to keep safe among
            threads and forks, and to close.

        timeout: A `Timeout`, or the seconds for each whole call, as a number or a `timedelta`.

        verify: `True` to verify TLS, or the path of a CA bundle. `False` verifies nothing.

        cert: Path of a client certificate, or paths of certificate and key.

        proxies: Proxies by scheme; ``None`` for those of the environment.

        headers: Headers to send besides, such as an API key.

        date_format:
            The server's own format of dates, as a `strptime` pattern whose ``%f`` means
            milliseconds; needed for servers before 7.8, ``"%Y-%m-%dT%H:%M:%S"``.

        date_zone:
            The zone of the server's clock, needed with a *date_format* without ``%z``: a `tzinfo`
            or a name such as ``"Europe/Berlin"``.

        retry:
            A `Retry`, or any `RetryPolicy`: how often and when to send again what is safe to send
            again. `False` sends once.

        max_answer: How many bytes an answer may have; more is an error.

        pool_size:
            How many connections are kept while no call uses them. A call that finds none that is
            free opens one; what is more than this is closed behind it.

        hooks:
            Functions that are called before each attempt, see `~camunda_ext.hooks.Outgoing`, and
            after it.

        log_bodies: Whether the log at level DEBUG shows bodies; they may hold personal data.

    Raises:
        TypeError, ValueError: An argument cannot be meant as it is; nothing has been sent.
    """

    @hiding
    def __init__(
        self,
        base_url: str,
        *,
        auth: Auth = None,
        engine: str | None = None,
        session: Session | None = None,
        timeout: Timeout | float | timedelta | None = None,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        date_format: str | None = None,
        date_zone: tzinfo | str | None = None,
        retry: RetryPolicy | bool = True,
        max_answer: int = LARGEST_ANSWER,
        pool_size: int = POOL_SIZE,
        hooks: Iterable[Hook] = (),
        log_bodies: bool = False,
    ) -> None:
        checked = checked_url("base_url", base_url, instead="pass auth=(user, password)")
        base = checked.rstrip("/")
        if engine is not None:
            base += f"/engine/{segment('engine', engine)}"
        signs = to_auth(auth)
        transport = to_transport(
            base,
            auth=signs,
            headers=headers or {},
            session=session,
            verify=verify,
            cert=cert,
            proxies=proxies,
            max_answer=checks.integer("max_answer", max_answer, low=1),
            pool_size=checks.integer("pool_size", pool_size, low=0),
        )
        self._sender = Sender(
            base=base,
            transport=transport,
            timeout=Timeout.of(timeout),
            dates=DateFormat(date_format, _to_zone(date_zone)),
            retry=_to_policy(retry),
            renew=getattr(signs, "renew", None) or (lambda: False),
            hooks=Hooks(hooks),
            log_bodies=checks.flag("log_bodies", log_bodies),
        )
        self._close = transport.close
        self._facts = EngineFacts()

    def close(self) -> None:
        """
        Close what the client has opened; a session of your own stays open.

        Calls after it raise `NotSent`. Those under way in other threads end with the attempt that
        is under way, and nothing is sent again; a long poll ends as it would: an engine does not
        notice that a client has gone, and would lock the next tasks for it, which nobody would then
        have. So let a poll be short, and wait for it.
        """
        self._close()

    def __enter__(self) -> ExternalTaskClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """
        The URL of the engine's REST API, with the engine's name if it has one.
        """
        return self._sender.base

    @property
    def timeout(self) -> Timeout:
        """
        How long each call may take.
        """
        return self._sender.timeout

    def __repr__(self) -> str:
        return f"<ExternalTaskClient {self.url}>"

    def with_options(
        self,
        *,
        timeout: Timeout | float | timedelta | None = None,
        retry: RetryPolicy | bool | None = None,
    ) -> ExternalTaskClient:
        """
        Give a client that differs in some options, for a single call or for some.

        Both use the same connections, and closing one closes both.

        Args:
            timeout:
                A `Timeout`, or the seconds for each whole call, as a number or a `timedelta`;
                ``None`` for the same.

            retry: A policy, or `False` to send once; ``None`` for the same.
        """
        made = copy.copy(self)
        made._sender = attrs.evolve(
            self._sender,
            timeout=self._sender.timeout if timeout is None else Timeout.of(timeout),
            retry=self._sender.retry if retry is None else _to_policy(retry),
        )
        return made

    # ------------------------------------------------------------------------------------- queries

    def list(
        self,
        query: ExternalTaskQuery | None = None,
        *,
        first_result: int | None = None,
        max_results: int | None = None,
        via: Via = "POST",
    ) -> tuple[ExternalTask, ...]:
        """
        Give the external tasks that match, by id if the query does not say otherwise.

        An engine ignores filters that are younger than itself, see `ExternalTaskQuery`, and gives
        more tasks. If the query has such a filter the engine is asked for its version, once for
        each client, and if that is too old there is a `UserWarning`, once for each filter.
        `check()` proves it, and `select()` does so by itself.

        Args:
            first_result:
                How many of the results to leave out at the start. Tasks that are equal by all
                criteria of a sorting may come in another order with each request, so that pages cut
                by hand lack some of them and repeat others, unless ``id`` is the last criterion;
                and where tasks vanish between two requests, the others move up. `iterate()` sees to
                both.

            max_results: How many to give at most; ``None`` for all.

            via: ``GET`` to send the query in the URL, if it can be said there.
        """
        request = self._to_list(query, _window(first_result, max_results), via)
        if query is not None:
            self._proof(query).warn_of_young(query)
        return self._send(request)

    def count(self, query: ExternalTaskQuery | None = None, *, via: Via = "POST") -> int:
        """
        Give the number of external tasks that match.

        An engine that is too old for a filter is warned of as in `list()`.
        """
        path = "/external-task/count"
        request = self._to_request("count", path, CountResult, ExternalTaskQuery, query, via)
        if query is not None:
            self._proof(query).warn_of_young(query)
        return self._send(request).count

    def check(self, query: ExternalTaskQuery | HistoricExternalTaskLogQuery) -> None:
        """
        Refuse a query with a filter that the engine ignores, because it is older than the filter.

        For each filter that is younger than 7.5, or than the historic external task log, the engine
        is asked once for each client, by counts that change nothing and need no tasks to tell.
        `select()`, `iterate()`, the bulk writes and `set_retries_of()` do this by themselves.

        Raises:
            ValueError: The engine ignores a filter: more would match than the query says.
        """
        if not isinstance(query, (ExternalTaskQuery, HistoricExternalTaskLogQuery)):
            raise TypeError(
                "query must be an ExternalTaskQuery or a HistoricExternalTaskLogQuery, not "
                f"{type(query).__name__}"
            )
        self._proof(query).prove_known(query)

    def iterate(
        self, query: ExternalTaskQuery | None = None, *, page_size: int = 500
    ) -> Iterator[ExternalTask]:
        """
        Give all external tasks that match, page by page, each once.

        Tasks may be completed meanwhile, by the consumer or by others: each one that matches during
        the whole run comes exactly once. Only a page is kept in memory. For a query with a sorting
        of its own, to which ``id`` is added as the last criterion, all ids are; and where what it
        sorts by changes meanwhile, tasks can be missed.

        Args:
            page_size: How many tasks to ask for at a time, at least 2.

        Raises:
            RuntimeError: The database does not sort ids as Python does, and it cannot be told any
                more what was given: sort by something of your own.
        """
        return iter(self.select(query, page_size=page_size))

    @overload
    def select(
        self,
        query: ExternalTaskQuery | None = None,
        *,
        page_size: int = ...,
        prefetch: int = ...,
    ) -> Selection: ...

    @overload
    def select(
        self,
        query: HistoricExternalTaskLogQuery,
        *,
        page_size: int = ...,
        prefetch: int = ...,
    ) -> LogSelection: ...

    def select(
        self,
        query: ExternalTaskQuery | HistoricExternalTaskLogQuery | None = None,
        *,
        page_size: int = 500,
        prefetch: int = 0,
    ) -> Selection | LogSelection:
        """
        The external tasks that match, to be asked for when they are used; or, for a query of the
        historic external task log, its entries.

        Before the first of them is asked for, the engine shows that it honours each filter, see
        `check()`.

        Args:
            page_size: How many to ask for at a time, at least 2.

            prefetch:
                How many pages to fetch ahead of the consumer, each in a thread with a connection of
                its own, at most 32. Hooks are called in these threads.
        """
        if isinstance(query, HistoricExternalTaskLogQuery):
            return LogSelection(
                client=self,
                proof=self._proof(query),
                query=query,
                page_size=page_size,
                prefetch=prefetch,
            )
        query = _to_query(query, ExternalTaskQuery)
        return Selection(
            client=self,
            proof=self._proof(query),
            query=query,
            page_size=page_size,
            prefetch=prefetch,
        )

    def get(self, task: AnyTask | str) -> ExternalTask:
        """
        One external task, as it is now.

        Args:
            task: A task, or the id of one.

        Raises:
            TaskNotFound: There is no such task, or the user may not see it.
        """
        return self._send(Request("get", "GET /external-task/{task_id}", ExternalTask, _ids(task)))

    def error_details(self, task: AnyTask | str) -> str | None:
        """
        The full text of a task's last failure; ``None`` if none was given.

        Args:
            task: A task, or the id of one.

        Raises:
            TaskNotFound: There is no such task.
        """
        return self._send(
            Request[str | None](
                "error_details", "GET /external-task/{task_id}/errorDetails", str, _ids(task)
            )
        )

    def topic_names(
        self,
        *,
        with_locked_tasks: bool = False,
        with_unlocked_tasks: bool = False,
        with_retries_left: bool = False,
    ) -> tuple[str, ...]:
        """
        Give the names of all topics that have tasks. Since 7.13.

        Args:
            with_locked_tasks: Only topics of tasks that are locked.

            with_unlocked_tasks: Only topics of tasks that are not; with both there is none.

            with_retries_left: Only topics of tasks with retries left.
        """
        flags = {
            "withLockedTasks": checks.flag("with_locked_tasks", with_locked_tasks),
            "withUnlockedTasks": checks.flag("with_unlocked_tasks", with_unlocked_tasks),
            "withRetriesLeft": checks.flag("with_retries_left", with_retries_left),
        }
        return self._send(
            Request(
                "topic_names",
                "GET /external-task/topic-names",
                tuple[str, ...],
                params=project({name: flag for name, flag in flags.items() if flag}),
                since="7.13",
            )
        )

    def variable_file(self, scope: ExternalTask | str, name: str) -> bytes:
        """
        Give the contents of a variable of type File or Bytes.

        Args:
            scope:
                A task, for what it sees: the variables of its own scope, such as its input
                parameters, and those of its process instance. Or the id of a process instance or of
                an execution. A process instance does not see what belongs to a task alone.

            name: Name of the variable.

        Raises:
            NotFound: There is no such variable there, or no such process instance or execution.
        """
        if isinstance(scope, ExternalTask):
            # Engines take the id of any execution where that of a process instance is due.
            scope = scope.execution_id or scope.process_instance_id or ""
        return self._send(
            Request(
                "variable_file",
                "GET /process-instance/{scope}/variables/{name}/data",
                bytes,
                {"scope": scope, "name": name},
            )
        )

    # -------------------------------------------------------------------------- commands on a task

    def fetch_and_lock(
        self,
        worker_id: str,
        topics: Iterable[Topic],
        *,
        max_tasks: int,
        use_priority: bool | None = None,
        async_response_timeout: int | timedelta | None = None,
        sorting: Iterable[Sorting] | None = None,
    ) -> FetchedTasks:
        """
        Lock tasks for a worker and give them, with their variables.

        Fewer than there are may come, or none: other workers may have been quicker.

        Neither `close()` nor Ctrl-C ends a poll on the engine: it goes on to wait, and then locks
        tasks that nobody gets. So poll for some seconds at a time, and let the last poll end.

        Args:
            worker_id: Who is to hold the locks; the engine tells workers apart by it alone.

            topics: What to fetch; each topic once.

            max_tasks: How many tasks at most, over all topics.

            use_priority: Whether tasks of a higher priority come first.

            async_response_timeout:
                How long the engine may wait for a task, in milliseconds, or a `timedelta`. The
                time-outs of the client are as much longer. Since 7.9.

            sorting: ``[Sorting("createTime", "asc")]``. Since 7.21; older engines ignore it.

        Returns:
            A tuple of the tasks. What could not be read, such as one with a date in an unknown
            format, does not keep the others away: its id is in `FetchedTasks.unreadable`, and in
            the log.

        Raises:
            OutcomeUnknown: No answer came; tasks may be locked.
        """
        body = FetchExternalTasks(
            worker_id=worker_id,
            max_tasks=max_tasks,
            use_priority=use_priority,
            async_response_timeout=async_response_timeout,
            topics=topics,
            sorting=sorting,
        )
        return self._send(
            Request(
                "fetch_and_lock",
                "POST /external-task/fetchAndLock",
                FetchedTasks,
                body=body,
                extra_time=(body.async_response_timeout or 0) / 1000,
            )
        )

    def complete(
        self,
        task: AnyTask | str,
        worker_id: str | None = None,
        variables: VariablesLike | None = None,
        *,
        local_variables: VariablesLike | None = None,
    ) -> None:
        """
        Complete a task, so that the process goes on.

        The engine looks whose the last lock was, not whether it has expired.

        Args:
            task: The task, or its id.

            worker_id: The worker that holds the lock; ``None`` for the one that *task* names.

            variables:
                Variables by name, or an attrs instance for its fields; set where they are, or else
                at the process instance.

            local_variables: The same in the task's own scope, for its output mappings to see.

        Raises:
            TaskNotFound: There is no such task; it may be completed already.

            LockLost: Another worker holds the lock, or nobody does.

            EngineFailure: What follows the task in the process failed; the task is still locked.

            OutcomeUnknown: No answer came; it may be completed.
        """
        self._command(
            "complete",
            task,
            CompleteExternalTask(
                worker_id=_holder(task, worker_id),
                variables=variables,
                local_variables=local_variables,
            ),
        )

    def failure(
        self,
        task: AnyTask | str,
        worker_id: str | None = None,
        *,
        retries: int,
        retry_timeout: int | timedelta | None = None,
        error_message: str | None = None,
        error_details: str | None = None,
        variables: VariablesLike | None = None,
        local_variables: VariablesLike | None = None,
    ) -> None:
        """
        Report that a task could not be done.

        Args:
            task: The task, or its id.

            worker_id: The worker that holds the lock; ``None`` for the one that *task* names.

            retries: Retries left from now on, not a difference; 0 opens an incident.

            retry_timeout:
                How long nobody may fetch the task, in milliseconds, or a `timedelta`; ``None`` for
                not at all.

            error_message:
                What went wrong, in short. The engine keeps 666 UTF-16 units; no more are sent, and
                no half of a character.

            error_details: All that is known of it; ``None`` keeps what was reported before.

            variables, local_variables: As for `complete()`. Since 7.15; older engines ignore them.

        Raises:
            TaskNotFound: There is no such task.

            LockLost: Another worker holds the lock, or nobody does.

            OutcomeUnknown: No answer came; it may have been reported.
        """
        self._command(
            "failure",
            task,
            ExternalTaskFailure(
                worker_id=_holder(task, worker_id),
                retries=retries,
                retry_timeout=retry_timeout,
                error_message=error_message,
                error_details=error_details,
                variables=variables,
                local_variables=local_variables,
            ),
        )

    @overload
    def bpmn_error(
        self,
        task: AnyTask | str,
        worker_id: str,
        error_code: str,
        *,
        error_message: str | None = ...,
        variables: VariablesLike | None = ...,
    ) -> None: ...

    @overload
    def bpmn_error(
        self,
        task: AnyTask,
        *,
        error_code: str,
        error_message: str | None = ...,
        variables: VariablesLike | None = ...,
    ) -> None: ...

    def bpmn_error(
        self,
        task: AnyTask | str,
        worker_id: str | None = None,
        error_code: str = "",
        *,
        error_message: str | None = None,
        variables: VariablesLike | None = None,
    ) -> None:
        """
        Report a BPMN error, which the process may catch.

        If nothing catches it, the engine by default ends the execution, and says nothing of it.

        Args:
            task: The task, or its id.

            worker_id: The worker that holds the lock; ``None`` for the one that *task* names.

            error_code: The code that a boundary event or an event subprocess may catch.

            error_message: What went wrong; not blank. Since 7.10; older engines ignore it.

            variables: As for `complete()`. Since 7.10; older engines ignore them.

        Raises:
            TaskNotFound: There is no such task.

            LockLost: Another worker holds the lock, or nobody does.

            OutcomeUnknown: No answer came; it may have been reported.
        """
        self._command(
            "bpmn_error",
            task,
            ExternalTaskBpmnError(
                worker_id=_holder(task, worker_id),
                error_code=error_code,
                error_message=error_message,
                variables=variables,
            ),
            path="bpmnError",
        )

    @overload
    def lock(self, task: AnyTask | str, worker_id: str, lock_duration: int | timedelta) -> None: ...

    @overload
    def lock(self, task: AnyTask, *, lock_duration: int | timedelta) -> None: ...

    def lock(
        self,
        task: AnyTask | str,
        worker_id: str | None = None,
        lock_duration: int | timedelta = 0,
    ) -> None:
        """
        Lock a task for a worker, or lock it anew from now. Since 7.15.

        The engine looks at no retries here, and not whether the instance is suspended.

        Args:
            task: The task, or its id.

            worker_id: Who is to hold the lock; ``None`` for the worker that *task* names.

            lock_duration: How long, in milliseconds from now, or a `timedelta`.

        Raises:
            TaskNotFound: There is no such task.

            LockLost: Another worker holds the lock.
        """
        self._command(
            "lock",
            task,
            LockExternalTask(worker_id=_holder(task, worker_id), lock_duration=lock_duration),
            since="7.15",
        )

    @overload
    def extend_lock(
        self, task: AnyTask | str, worker_id: str, new_duration: int | timedelta
    ) -> None: ...

    @overload
    def extend_lock(self, task: AnyTask, *, new_duration: int | timedelta) -> None: ...

    def extend_lock(
        self,
        task: AnyTask | str,
        worker_id: str | None = None,
        new_duration: int | timedelta = 0,
    ) -> None:
        """
        Let the lock of a task expire *new_duration* from now, not from its old end. Since 7.8.

        After `failure()` this would put off the retry.

        Args:
            task: The task, or its id.

            worker_id: The worker that holds the lock; ``None`` for the one that *task* names.

            new_duration: In milliseconds, or a `timedelta`; may shorten the lock.

        Raises:
            TaskNotFound: There is no such task; it may be completed.

            LockLost: Another worker holds the lock, or it has expired.
        """
        self._command(
            "extend_lock",
            task,
            ExtendLockOnExternalTask(worker_id=_holder(task, worker_id), new_duration=new_duration),
            path="extendLock",
            since="7.8",
        )

    def unlock(self, task: AnyTask | str, *, worker_id: str | None = None) -> None:
        """
        Take the lock of a task away, whoever holds it: the engine does not ask.

        Args:
            task: The task, or its id.

            worker_id:
                Whose lock it is, as far as the caller knows; ``None`` for the worker that *task*
                names. It is not sent: where no answer comes, it tells whether the lock that is
                there then is still that one.

        Raises:
            TaskNotFound: There is no such task.

            OutcomeUnknown: No answer came, and what the task shows does not tell.
        """
        if worker_id is None:
            worker_id = getattr(task, "worker_id", None)
        else:
            checks.worker_id("worker_id", worker_id)
        self._command("unlock", task, None, holder=worker_id)

    def recover(
        self,
        worker_id: str,
        *,
        known: Iterable[AnyTask | str] = (),
        failed: bool = False,
        async_response_timeout: int | timedelta = 0,
    ) -> tuple[ExternalTask, ...]:
        """
        Give the tasks that are locked for a worker, but that it does not have.

        That is what a `fetch_and_lock()` leaves whose answer was lost. Keep such a task and
        complete it, unlock it, or let its lock expire. Its variables did not come along.

        Nobody else may use the same worker id, or the tasks may be theirs.

        Args:
            known: The tasks that the worker has in hand, or their ids.

            failed:
                Whether tasks whose retries are set are given, too: by a failure, or by an operator.
                To the engine one that waits for its retry looks like one that was fetched again and
                lost: `failure()` keeps the worker's id, and the time of the retry is where the end
                of a lock is. To unlock it would bring the retry forward. So pass `True` only with
                the ids in *known* of all tasks whose failures this worker has reported.

            async_response_timeout:
                That of the lost fetch, in milliseconds, or a `timedelta`. A client that hung up is
                not noticed: the engine goes on to wait for tasks, and locks the first that come. So
                this looks once a second until there are some, or this time and a second are over.
                With 0 it looks once, and does not wait: for a caller that calls it again, at a pace
                of its own.
        """
        checks.worker_id("worker_id", worker_id)
        in_hand = set(_task_ids("known", known))
        timeout = checks.milliseconds("async_response_timeout", async_response_timeout, low=0)
        until = monotonic() + (timeout + 1000) / 1000 if timeout else monotonic()
        checks.flag("failed", failed)
        query = ExternalTaskQuery().worker_id(worker_id).locked()
        while True:
            stranded = tuple(
                task
                for task in self.iterate(query)
                if task.id not in in_hand
                and (failed or task.retries is None)
                and task.worker_id == worker_id  # Some databases find those of "W", too.
            )
            left = until - monotonic()
            if stranded or left <= 0:
                return stranded
            sleep(min(1.0, left))

    def set_priority(self, task: AnyTask | str, priority: int) -> None:
        """
        Set the priority of a task, any integer of 64 bits.

        Args:
            task: The task, or its id.

        Raises:
            TaskNotFound: There is no such task.
        """
        body = Priority(priority=priority)
        self._command("set_priority", task, body, method="PUT", path="priority")

    def set_retries(self, task: AnyTask | str, retries: int) -> None:
        """
        Set the retries left of a task; 0 opens an incident, more than 0 closes it.

        Args:
            task: The task, or its id.

        Raises:
            TaskNotFound: There is no such task.
        """
        body = Retries(retries=retries)
        self._command("set_retries", task, body, method="PUT", path="retries")

    # --------------------------------------------------------------------------- commands on many

    def set_retries_of(
        self,
        retries: int,
        *,
        external_task_ids: Iterable[AnyTask | str] | None = None,
        external_task_query: ExternalTaskQuery | None = None,
        process_instance_ids: Iterable[str] | None = None,
        process_instance_query: Mapping[str, Any] | None = None,
        historic_process_instance_query: Mapping[str, Any] | None = None,
        everything: bool = False,
    ) -> None:
        """
        Set the retries left of many tasks, of all or of none. Since 7.8.

        The tasks of all selections are taken together.

        Args:
            retries: Retries left from now on; 0 opens incidents, more than 0 closes them.

            external_task_ids: Tasks, or their ids.

            external_task_query:
                Tasks by a query. Before anything is changed, the engine is asked whether it knows
                the younger ones of its filters. Engines up to 7.24 fail on ``process_variable()``
                here, and do not say that nothing was changed, so that it is an `OutcomeUnknown`:
                pass the ids of `list()` instead.

            process_instance_ids: All tasks of these process instances.

            process_instance_query, historic_process_instance_query:
                All tasks of the process instances that match, as bodies of the engine's own
                queries, passed through as they are: the engine ignores a misspelt key.

            everything: Whether a query without any filter really means everything.

        Raises:
            ValueError: Nothing is selected, or a query has no filter, or one that the engine does
                not know.

            TaskNotFound: There is no task of one of the ids; nothing was changed.

            BadRequest: No task was selected, or more than the engine allows.
        """
        body = self._to_bulk(
            SetRetriesForExternalTasks(
                retries=retries,
                external_task_ids=_task_ids("external_task_ids", external_task_ids),
                external_task_query=external_task_query,
                process_instance_ids=process_instance_ids,
                process_instance_query=process_instance_query,
                historic_process_instance_query=historic_process_instance_query,
            ),
            everything=everything,
        )
        self._send(
            Request(
                "set_retries_of",
                "PUT /external-task/retries",
                NoneType,
                body=body,
                since="7.8",
                rule=_rule_of_bulk(body),
            )
        )

    def set_retries_async(
        self,
        retries: int,
        *,
        external_task_ids: Iterable[AnyTask | str] | None = None,
        external_task_query: ExternalTaskQuery | None = None,
        process_instance_ids: Iterable[str] | None = None,
        process_instance_query: Mapping[str, Any] | None = None,
        historic_process_instance_query: Mapping[str, Any] | None = None,
        everything: bool = False,
    ) -> BatchRun:
        """
        Let the engine set the retries left of many tasks in the background. Since 7.8.

        Arguments have the same meaning as for `set_retries_of()`. An unknown id fails a job of the
        batch, later.

        Returns:
            The batch, to be waited for by its `~BatchRun.wait()`.

        Raises:
            ValueError: As `set_retries_of()`.

            BadRequest: No task was selected, or more than the engine allows.

            OutcomeUnknown: No answer came; there may be a batch.
        """
        body = self._to_bulk(
            SetRetriesForExternalTasks(
                retries=retries,
                external_task_ids=_task_ids("external_task_ids", external_task_ids),
                external_task_query=external_task_query,
                process_instance_ids=process_instance_ids,
                process_instance_query=process_instance_query,
                historic_process_instance_query=historic_process_instance_query,
            ),
            everything=everything,
        )
        batch = self._send(
            Request(
                "set_retries_async",
                "POST /external-task/retries-async",
                Batch,
                body=body,
                since="7.8",
            )
        )
        return BatchRun(self, batch)

    # --------------------------------------------------------------------------------- the history

    def log_list(
        self,
        query: HistoricExternalTaskLogQuery | None = None,
        *,
        first_result: int | None = None,
        max_results: int | None = None,
        via: Via = "POST",
    ) -> tuple[HistoricExternalTaskLog, ...]:
        """
        Give entries of the historic external task log. Since 7.7, at history level full.

        Arguments have the same meaning as for `list()`. The log cannot be sorted by ``id``, which
        is the order without a sorting: take that one to cut pages by hand. `select()` cuts them,
        too. An engine that is too old for a filter is warned of as in `list()`.
        """
        request = self._to_request(
            "log_list",
            "/history/external-task-log",
            tuple[HistoricExternalTaskLog, ...],
            HistoricExternalTaskLogQuery,
            query,
            via,
            _window(first_result, max_results),
            since=OLDEST_LOG,
        )
        if query is not None:
            self._proof(query).warn_of_young(query)
        return self._send(request)

    def log_count(
        self, query: HistoricExternalTaskLogQuery | None = None, *, via: Via = "POST"
    ) -> int:
        """
        Give the number of entries that match. Since 7.7.

        An engine that is too old for a filter is warned of as in `list()`.
        """
        path = "/history/external-task-log/count"
        kind = HistoricExternalTaskLogQuery
        request = self._to_request(
            "log_count", path, CountResult, kind, query, via, since=OLDEST_LOG
        )
        if query is not None:
            self._proof(query).warn_of_young(query)
        return self._send(request).count

    def log_get(self, log_id: str) -> HistoricExternalTaskLog:
        """
        Give one entry of the historic external task log. Since 7.7.

        Raises:
            NotFound: There is no such entry.
        """
        return self._send(
            Request(
                "log_get",
                "GET /history/external-task-log/{log_id}",
                HistoricExternalTaskLog,
                {"log_id": log_id},
                since="7.7",
            )
        )

    def log_error_details(self, log_id: str) -> str | None:
        """
        Give the full text of the failure in an entry; ``None`` if it has none. Since 7.7.

        Raises:
            NotFound: There is no such entry.
        """
        return self._send(
            Request[str | None](
                "log_error_details",
                "GET /history/external-task-log/{log_id}/error-details",
                str,
                {"log_id": log_id},
                since="7.7",
            )
        )

    # ------------------------------------------------------------------------------------- batches

    def batch(self, batch: AnyBatch | str) -> Batch:
        """
        A batch that is not finished, as it is now.

        Args:
            batch: A batch, or the id of one.

        Raises:
            NotFound: There is no such batch. The engine deletes one that is done at its next look,
                by default up to 30 seconds later.
        """
        return self._send(
            Request("batch", "GET /batch/{batch_id}", Batch, {"batch_id": _batch_id(batch)})
        )

    def batch_statistics(self, batch: AnyBatch | str) -> BatchStatistics | None:
        """
        How far a batch is; ``None`` for one that is gone, or never existed.

        The engine deletes one that is done at its next look, by default up to 30 seconds later.

        Args:
            batch: A batch, or the id of one.
        """
        batch_id = _batch_id(batch)
        segment("batch_id", batch_id)
        found = self._send(
            Request(
                "batch_statistics",
                "GET /batch/statistics",
                tuple[BatchStatistics, ...],
                params={"batchId": batch_id},
            )
        )
        return next(iter(found), None)

    def suspend_batch(self, batch: AnyBatch | str) -> None:
        """
        Let a batch rest, until `activate_batch()`.

        Args:
            batch: A batch, or the id of one.

        Raises:
            NotFound: There is no such batch. The engine deletes one that is done at its next look,
                by default up to 30 seconds later.
        """
        self._suspend("suspend_batch", batch, suspended=True)

    def activate_batch(self, batch: AnyBatch | str) -> None:
        """
        Let a batch that was suspended go on.

        Arguments and errors are those of `suspend_batch()`.
        """
        self._suspend("activate_batch", batch, suspended=False)

    def _suspend(self, operation: str, batch: AnyBatch | str, *, suspended: bool) -> None:
        self._send(
            Request(
                operation,
                "PUT /batch/{batch_id}/suspended",
                NoneType,
                {"batch_id": _batch_id(batch)},
                body=SuspensionState(suspended=suspended),
            )
        )

    def delete_batch(self, batch: AnyBatch | str, *, cascade: bool = False) -> None:
        """
        Delete a batch; what it has done stays done.

        Args:
            batch: A batch, or the id of one.

            cascade: Whether to delete its history too.

        Raises:
            NotFound: There is no such batch. The engine deletes one that is done at its next look,
                by default up to 30 seconds later.
        """
        self._send(
            Request(
                "delete_batch",
                "DELETE /batch/{batch_id}",
                NoneType,
                {"batch_id": _batch_id(batch)},
                params=project({"cascade": checks.flag("cascade", cascade)}),
            )
        )

    def follow(self, batch: AnyBatch | str) -> BatchRun:
        """
        A batch to wait for; nothing is sent yet.

        Args:
            batch: A batch, or the id of one.
        """
        return BatchRun(self, batch)

    # ------------------------------------------------------------------------------------ the rest

    def request(
        self,
        method: HttpMethod,
        path: str,
        ids: Mapping[str, str] | None = None,
        *,
        params: Mapping[str, object] | None = None,
        json: object = None,
        content: bytes | None = None,
        content_type: str = "application/octet-stream",
    ) -> Any:
        """
        Whatever another path of the engine's REST API answers, asked for with this client's
        credentials, time-outs, hooks and errors.

        It is sent once: only the caller knows what sending it again would do.

        Args:
            path:
                The path below the engine's URL, with ``{name}`` where an id belongs, such as
                ``/process-definition/key/{key}/start``.

            ids: The ids by name; each goes as one segment of the path, whatever it holds.

            params:
                The query of the URL, without ``None``; a list goes as one comma-separated value, as
                the engine reads it. It ignores a misspelt name.

            json:
                What to send as JSON: mappings, lists and values, aware dates and `Variables` too.
                Names stay as they are, so they are the engine's, such as ``businessKey``.

            content, content_type: What to send in place of *json*, as it is, such as a deployment.

        Returns:
            The JSON of the answer as Python has it, a text or `bytes` for other answers; ``None``
            for none.

        Raises:
            NotFound: There is no such path, or nothing of such an id.

            OutcomeUnknown: No answer came to anything but a GET; it may have happened.
        """
        checks.literal("method", method, HttpMethod)
        ids = ids or {}
        checks.mapping("ids", ids)
        refuse_odd_path(path, ids)
        if json is not None and content is not None:
            raise ValueError("pass json or content, not both")
        body: object = json
        if content is not None:
            if not isinstance(content, bytes):
                raise TypeError(f"content must be bytes, not {type(content).__name__}")
            check_header("Content-Type", content_type)
            body = Raw(content, content_type)
        query = {name: value for name, value in (params or {}).items() if value is not None}
        rule = rule_of("request")
        return self._send(
            Request(
                "request",
                f"{method} {path}",
                AnyAnswer,
                ids,
                params=project(encode(query, self._sender.dates)),
                body=body,
                rule=attrs.evolve(rule, doubt=None) if method == "GET" else rule,
            )
        )

    def ping(self, *, timeout: float | timedelta = 5.0) -> Ping:
        """
        The engine's version, and how long it took to answer: a health check.

        It asks this very engine, by its name if it has one, looks into its database, and needs the
        credentials. It is sent once. `version()` alone proves none of that: a server answers it for
        an engine that does not exist.

        Args:
            timeout: How long it may take, in seconds, or a `timedelta`; the client's own time-outs
                do not count.

        Raises:
            CamundaError: The engine is not there, or does not take the credentials.
        """
        client = self.with_options(timeout=timeout, retry=False)
        begun = monotonic()
        # By the primary key, so that it is quick however many tasks there are.
        body = {"externalTaskId": "ping"}
        client._send(Request("ping", "POST /external-task/count", CountResult, body=body))
        milliseconds = (monotonic() - begun) * 1000
        try:
            version = client.version()
        except NotFound:  # It came with 7.8, and a gateway may hide it.
            version = None
        return Ping(version=version, milliseconds=milliseconds)

    def version(self) -> str | None:
        """
        Give the engine's version, in the vendor's own count; ``None`` in odd packagings.

        Operaton and CIB seven count from 1: do not compare numbers of different vendors.
        """
        return self._send(Request("version", "GET /version", Version, since="7.8")).version

    # ------------------------------------------------------------------------------- how it is done

    def _to_list(
        self, query: ExternalTaskQuery | None, page: Mapping[str, str], via: Via
    ) -> Request[tuple[ExternalTask, ...]]:
        kind = tuple[ExternalTask, ...]
        return self._to_request("list", "/external-task", kind, ExternalTaskQuery, query, via, page)

    def _to_request(
        self,
        operation: str,
        path: str,
        returns: type[T],
        kind: type[Query],
        query: Query | None,
        via: Via,
        page: Mapping[str, str] | None = None,
        since: str = OLDEST,
    ) -> Request[T]:
        checks.literal("via", via, Via)
        asked, params, body = _to_query(query, kind), page or {}, None
        if via == "POST":
            body = asked
        else:
            params = {**project(encode(asked, self._sender.dates)), **params}
        return Request(operation, f"{via} {path}", returns, params=params, body=body, since=since)

    def _command(
        self,
        operation: str,
        task: AnyTask | str,
        body: object,
        *,
        method: str = "POST",
        path: str | None = None,
        since: str = OLDEST,
        holder: str | None = None,
    ) -> None:
        request = Request(
            operation,
            f"{method} /external-task/{{task_id}}/{path or operation}",
            NoneType,
            _ids(task),
            body=body,
            since=since,
            worker_id=holder,
        )
        try:
            self._send(request)
        except TaskNotFound as error:
            if _are_swapped(request.ids["task_id"], getattr(body, "worker_id", holder)):
                error.hint += " Or is the worker's id where the task's belongs? The task is first."
            raise

    def _to_bulk(
        self, body: SetRetriesForExternalTasks, *, everything: bool
    ) -> SetRetriesForExternalTasks:
        """
        Refuse a bulk command that would change more than was meant.
        """
        selections = {
            name: value
            for name, value in attrs.asdict(body, recurse=False).items()
            if name != "retries" and value is not None
        }
        if not selections:
            raise ValueError("nothing is selected: pass ids, or a query")
        if not isinstance(body.external_task_query, (ExternalTaskQuery, NoneType)):
            raise TypeError("external_task_query must be an ExternalTaskQuery")
        for name, value in selections.items():
            if name.endswith("_query") and not everything and not _has_filter(value):
                raise ValueError(
                    f"{name} has no filter and would change every task; pass everything=True if "
                    "that is meant"
                )
        if isinstance(body.external_task_query, ExternalTaskQuery):
            self.check(body.external_task_query)
        return body

    def _proof(self, query: Query) -> FilterProof:
        """
        What proves the filters of such a query; it shares what it finds out with all of the client.
        """
        noun, operation, path, oldest = "tasks", "count", "/external-task/count", OLDEST
        if isinstance(query, HistoricExternalTaskLogQuery):
            noun, operation, oldest = "entries", "log_count", OLDEST_LOG
            path = "/history/external-task-log/count"

        def count(body: Mapping[str, object]) -> int:
            request = Request(operation, f"POST {path}", CountResult, body=body, since=oldest)
            return self._send(request).count

        return FilterProof(
            noun=noun,
            oldest=oldest,
            facts=self._facts,
            count=count,
            # It is asked once, without resends.
            version=lambda: self.with_options(retry=False).version(),
        )

    def _send(self, request: Request[T]) -> T:
        return self._sender.send(request)


def _to_query(query: Q | None, kind: type[Q]) -> Q:
    if query is None:
        return kind()
    if not isinstance(query, kind):
        raise TypeError(f"query must be of {kind.__name__}, not {type(query).__name__}")
    return query


def _ids(task: AnyTask | str) -> dict[str, str]:
    """
    The ids in the path of an operation on one task.
    """
    return {"task_id": _id_of(task)}


def _id_of(task: AnyTask | str) -> str:
    return task.id if isinstance(task, (ExternalTask, UnreadableTask)) else task


@overload
def _task_ids(name: str, tasks: None) -> None: ...


@overload
def _task_ids(name: str, tasks: Iterable[AnyTask | str]) -> tuple[str, ...]: ...


def _task_ids(name: str, tasks: Iterable[AnyTask | str] | None) -> tuple[str, ...] | None:
    if tasks is None:
        return None
    if isinstance(tasks, (str, bytes)) or not isinstance(tasks, Iterable):
        raise TypeError(f"{name} must be an iterable of tasks or of their ids, not {tasks!r:.80}")
    return checks.texts(name, map(_id_of, tasks))


def _holder(task: AnyTask | str, worker_id: str | None) -> str:
    """
    The worker that a command on a task is sent for.

    Raises:
        TypeError: There is a task where the worker belongs, or no worker id at all.
    """
    if isinstance(worker_id, (ExternalTask, UnreadableTask)):
        raise TypeError("worker_id must be a str: the task comes first, then the worker's id")
    if worker_id is not None:
        return worker_id
    if not isinstance(task, ExternalTask):
        raise TypeError("worker_id is missing: only a whole task names its worker")
    if task.worker_id is None:
        raise ValueError(f"worker_id is missing: nobody has locked the task {task.id!r:.80}")
    return task.worker_id


def _batch_id(batch: AnyBatch | str) -> str:
    return batch.id if isinstance(batch, (Batch, BatchRun)) else batch


#: Ids that engines make, unless they are told to make others.
_ENGINES_ID: Final = r"\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _are_swapped(task_id: str, worker_id: str | None) -> bool:
    """
    Whether the worker's id is of the form of an engine's ids, and the task's is not.
    """
    return bool(
        worker_id
        and re.fullmatch(_ENGINES_ID, worker_id, re.ASCII)
        and not re.fullmatch(_ENGINES_ID, task_id, re.ASCII)
    )


def _to_policy(given: object) -> RetryPolicy:
    if isinstance(given, bool):
        return Retry() if given else Retry(attempts=1)
    if isinstance(given, type) or not callable(getattr(given, "wait", None)):
        raise TypeError(f"retry must be a Retry, another policy or False, not {given!r:.80}")
    policy: RetryPolicy = given  # type: ignore[assignment]  # it waits, so it is one
    return policy


def _rule_of_bulk(body: SetRetriesForExternalTasks) -> Rule:
    """
    Give the rule for setting the retries of many: ids alone name the same tasks a second time.
    """
    others = attrs.evolve(body, retries=0, external_task_ids=None)
    by_ids = others == SetRetriesForExternalTasks(retries=0)
    return rule_of("set_retries_of" if by_ids else "set_retries_of by query")


def _to_zone(given: tzinfo | str | None) -> tzinfo | None:
    if not isinstance(given, str):
        return given
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only now: few clients need zones

    try:
        return ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no zone of the name {given!r}") from None


def _window(first_result: int | None, max_results: int | None) -> dict[str, str]:
    if first_result is not None and max_results is None:
        max_results = checks.INT32  # Without it, 7.6 cuts before it sorts.
    given = {"first_result": first_result, "max_results": max_results}
    # The engine takes -1 too, and answers with nothing at all.
    return {
        wire_name(name): str(checks.integer(name, value, low=0, high=checks.INT32))
        for name, value in given.items()
        if value is not None
    }


def _has_filter(value: ExternalTaskQuery | Mapping[str, Any]) -> bool:
    if isinstance(value, ExternalTaskQuery):
        return value.has_filter()
    return any(_says_anything(one) for name, one in value.items() if name not in _NO_FILTERS)


_NO_FILTERS: Final = ("sorting", "variableNamesIgnoreCase", "variableValuesIgnoreCase")


def _says_anything(value: object) -> bool:
    """
    Tell whether a value in a query's body could leave anything out: null, false and empty do not.
    """
    if isinstance(value, Mapping):
        return any(_says_anything(one) for one in value.values())
    if isinstance(value, (list, tuple)):
        return any(_says_anything(one) for one in value)
    return value is not None and value is not False and value != ""
