"""
The client: one short method for each operation of the engine's REST API.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta, tzinfo
from time import monotonic, sleep
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, Union, overload

import attrs

# Other names of the package are looked up in it when they are used, and loaded then: a program pays
# only for what it needs, and annotations can be resolved all the same.
import camunda_ext
from camunda_ext._call.attempts import Sender
from camunda_ext._call.backoff import Retry, RetryPolicy
from camunda_ext._call.hooks import Hooks
from camunda_ext._call.request import OLDEST, AnyAnswer, Raw, Request
from camunda_ext._call.rules import Rule, rule_of
from camunda_ext._http.credentials import Auth, to_auth
from camunda_ext._http.messages import Timeout
from camunda_ext._http.transport import LARGEST_ANSWER, POOL_SIZE, Session, to_transport
from camunda_ext._many.facts import EngineFacts
from camunda_ext._secrets.hidden import hiding
from camunda_ext._wire import checks
from camunda_ext._wire.checks import check_header
from camunda_ext._wire.dates import DateFormat
from camunda_ext._wire.encode import encode
from camunda_ext._wire.names import wire_name
from camunda_ext._wire.urls import checked_url, project, refuse_odd_path, segment, to_params
from camunda_ext._wire.value import TakenAsIs, exported
from camunda_ext.errors import NoAnswer, Refused, TaskNotFound

if TYPE_CHECKING:
    from camunda_ext._many.proof import FilterProof
    from camunda_ext.query import Query

T = TypeVar("T")
Q = TypeVar("Q", bound="Query")

#: What methods accept in place of a task's id: a listed or fetched task, or an unreadable one.
AnyTask: TypeAlias = Union["camunda_ext.ExternalTask", "camunda_ext.UnreadableTask"]

#: What methods accept in place of a batch's id.
AnyBatch: TypeAlias = Union["camunda_ext.Batch", "camunda_ext.BatchRun"]

HttpMethod = Literal["GET", "POST", "PUT", "DELETE"]

#: How a query is sent: in a body, or in the URL.
Via = Literal["POST", "GET"]


@exported
class ExternalTaskClient(TakenAsIs):
    """
    A client for the external tasks of one engine.

    It can be shared by threads, and survives a fork. As a context manager it closes its connections
    at the end.

    Args:
        base_url: The engine's REST API, such as ``http://localhost:8080/engine-rest``.

        auth: ``(user, password)``, a `Bearer` token, or any auth object of requests.

        engine: Name of the engine, where a server runs several; ``None`` for the default one.

        session:
            A `requests.Session` of your own, used as it is. You have to close it, and to see that
            threads and forked processes do not disturb each other with it.

        timeout: A `Timeout`, or the seconds for each whole call, as a number or a `timedelta`.

        verify: `True` to verify TLS, or the path of a CA bundle. `False` verifies nothing.

        cert: Path of a client certificate, or paths of certificate and key.

        proxies: Proxies by scheme; ``None`` for those of the environment.

        headers: Additional headers of each request, such as an API key.

        date_format:
            The server's own format of dates, as a `strptime` pattern whose ``%f`` means
            milliseconds; needed for servers before 7.8, ``"%Y-%m-%dT%H:%M:%S"``.

        date_zone:
            The zone of the server's clock, needed with a *date_format* without ``%z``: a `tzinfo`
            or a name such as ``"Europe/Berlin"``.

        retry:
            A `Retry`, or any `RetryPolicy`: how often and when to repeat requests that are safe to
            repeat. `False` sends each request once.

        max_answer: Largest size of an answer, in bytes; a larger one is an error.

        pool_size:
            How many idle connections are kept open. A call that finds no idle connection opens one,
            and closes it afterwards if there are *pool_size* idle ones already.

        hooks:
            Functions that are called before and after each attempt, see `~camunda_ext.hooks.Hook`.

        log_bodies: Whether the log at level DEBUG shows bodies; they may hold personal data.

    Raises:
        TypeError, ValueError: An argument is invalid; nothing has been sent.
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
        hooks: Iterable[camunda_ext.hooks.Hook] = (),
        log_bodies: bool = False,
    ) -> None:
        checked = checked_url("base_url", base_url, instead="pass auth=(user, password)")
        base = checked.rstrip("/")
        if engine is not None:
            base += f"/engine/{segment('engine', engine)}"
        request_auth = to_auth(auth)
        transport = to_transport(
            base,
            auth=request_auth,
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
            renew=getattr(request_auth, "renew", None) or (lambda: False),
            hooks=Hooks(hooks),
            log_bodies=checks.flag("log_bodies", log_bodies),
        )
        self._close = transport.close
        self._facts = EngineFacts()

    def close(self) -> None:
        """
        Close the client's connections; a session of your own stays open.

        Later calls raise `NotSent`. Calls in progress in other threads end with their current
        attempt, and nothing is sent again. A long poll is not cut off: the engine would not notice,
        and would lock the next tasks for a worker that never receives them. So keep polls short,
        and wait for them.
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
        The time-outs of each call.
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
        A copy of the client with other options, for a single call or for several.

        Both use the same connections, and closing one closes both.

        Args:
            timeout:
                A `Timeout`, or the seconds for each whole call, as a number or a `timedelta`;
                ``None`` keeps that of this client.

            retry: A policy, or `False` to send once; ``None`` keeps that of this client.
        """
        client = copy.copy(self)
        client._sender = attrs.evolve(
            self._sender,
            timeout=self._sender.timeout if timeout is None else Timeout.of(timeout),
            retry=self._sender.retry if retry is None else _to_policy(retry),
        )
        return client

    # ------------------------------------------------------------------------------------- queries

    def list(
        self,
        query: camunda_ext.ExternalTaskQuery | None = None,
        *,
        first_result: int | None = None,
        max_results: int | None = None,
        via: Via = "POST",
    ) -> tuple[camunda_ext.ExternalTask, ...]:
        """
        The external tasks that match, sorted by id unless the query has a sorting.

        An engine ignores filters that are newer than itself, see `ExternalTaskQuery`, and returns
        more tasks. If the query has such a filter, the client asks the engine for its version,
        once, and issues a `UserWarning` if that is too old, once for each filter. `check()` proves
        that the engine knows the filters; `select()` calls it by itself.

        Args:
            first_result:
                How many results to skip. Tasks that are equal by all criteria of a sorting may come
                in another order with each request, so that pages cut by hand lack some tasks and
                repeat others, unless ``id`` is the last criterion; and when tasks vanish between
                two requests, the later ones move up and are missed. `iterate()` avoids both.

            max_results: How many tasks to return at most; ``None`` for all.

            via: ``GET`` to send the query in the URL; not every query has such a form.
        """
        page = _page_params(first_result, max_results)
        kind = tuple[camunda_ext.ExternalTask, ...]
        return self._query("list", _to_query(query, camunda_ext.ExternalTaskQuery), kind, via, page)

    def count(
        self, query: camunda_ext.ExternalTaskQuery | None = None, *, via: Via = "POST"
    ) -> int:
        """
        The number of external tasks that match.

        If the engine is too old for a filter there is a warning, as in `list()`.
        """
        return self._query(
            "count",
            _to_query(query, camunda_ext.ExternalTaskQuery),
            camunda_ext.dto.CountResult,
            via,
        ).count

    def check(
        self, query: camunda_ext.ExternalTaskQuery | camunda_ext.HistoricExternalTaskLogQuery
    ) -> None:
        """
        Raise an error if the engine ignores a filter of the query, because it is too old for it.

        For each filter that is newer than 7.5, or than the historic external task log, the client
        asks the engine once, by counts that change nothing and work without any task. `select()`,
        `iterate()`, the bulk writes and `set_retries_of()` do this by themselves.

        Raises:
            ValueError: The engine ignores a filter: more would match than the query says.
        """
        if not isinstance(
            query, (camunda_ext.ExternalTaskQuery, camunda_ext.HistoricExternalTaskLogQuery)
        ):
            raise TypeError(
                "query must be an ExternalTaskQuery or a HistoricExternalTaskLogQuery, not "
                f"{type(query).__name__}"
            )
        self._proof(query).prove_known(query)

    def iterate(
        self, query: camunda_ext.ExternalTaskQuery | None = None, *, page_size: int = 500
    ) -> Iterator[camunda_ext.ExternalTask]:
        """
        Iterate over all external tasks that match, page by page, each task once.

        Tasks may be completed meanwhile, by the consumer or by others: each task that matches
        during the whole iteration is yielded exactly once. Only one page is kept in memory. If the
        query has a sorting, ``id`` is added as its last criterion and the ids of all yielded tasks
        are kept as well; and if the values that it sorts by change meanwhile, tasks can be missed.

        Args:
            page_size: How many tasks to fetch with each request, at least 2.

        Raises:
            RuntimeError: The database does not sort ids as Python does, and the tasks yielded last
                are gone, so that the place to continue cannot be found: add a sorting to the query.
        """
        return iter(self.select(query, page_size=page_size))

    @overload
    def select(
        self,
        query: camunda_ext.ExternalTaskQuery | None = None,
        *,
        page_size: int = ...,
        prefetch: int = ...,
    ) -> camunda_ext.Selection: ...

    @overload
    def select(
        self,
        query: camunda_ext.HistoricExternalTaskLogQuery,
        *,
        page_size: int = ...,
        prefetch: int = ...,
    ) -> camunda_ext.LogSelection: ...

    def select(
        self,
        query: camunda_ext.ExternalTaskQuery
        | camunda_ext.HistoricExternalTaskLogQuery
        | None = None,
        *,
        page_size: int = 500,
        prefetch: int = 0,
    ) -> camunda_ext.Selection | camunda_ext.LogSelection:
        """
        A lazy selection of the external tasks that match, or of log entries for a
        `HistoricExternalTaskLogQuery`; nothing is sent until it is used.

        At its first use the client checks that the engine knows each filter, see `check()`.

        Args:
            page_size: How many tasks or entries to fetch with each request, at least 2.

            prefetch:
                How many pages to fetch ahead of the consumer, at most 32, each in a thread with its
                own connection. Hooks are called in these threads.
        """
        if isinstance(query, camunda_ext.HistoricExternalTaskLogQuery):
            return camunda_ext.LogSelection(
                client=self,
                proof=self._proof(query),
                query=query,
                page_size=page_size,
                prefetch=prefetch,
            )
        query = _to_query(query, camunda_ext.ExternalTaskQuery)
        return camunda_ext.Selection(
            client=self,
            proof=self._proof(query),
            query=query,
            page_size=page_size,
            prefetch=prefetch,
        )

    def get(self, task: AnyTask | str) -> camunda_ext.ExternalTask:
        """
        The current state of one external task.

        Args:
            task: A task, or the id of one.

        Raises:
            TaskNotFound: There is no such task, or the user may not see it.
        """
        return self._send(
            Request("get", "GET /external-task/{task_id}", camunda_ext.ExternalTask, _ids(task))
        )

    def error_details(self, task: AnyTask | str) -> str | None:
        """
        The error details of a task's last failure; ``None`` if it was reported without any.

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
        The names of all topics that have tasks. Since 7.13.

        Args:
            with_locked_tasks: Only topics of locked tasks.

            with_unlocked_tasks: Only topics of unlocked tasks. No task is both, so that with both
                arguments the result is empty.

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

    def variable_file(self, scope: camunda_ext.ExternalTask | str, name: str) -> bytes:
        """
        The contents of a variable of type File or Bytes.

        Args:
            scope:
                A task, for the variables of its own scope, such as its input parameters, and those
                of its process instance. Or the id of a process instance or of an execution; with
                the id of a process instance, variables of a task's own scope are not found.

            name: Name of the variable.

        Raises:
            NotFound: There is no such variable there, or no such process instance or execution.
        """
        if isinstance(scope, camunda_ext.ExternalTask):
            # Engines accept the id of any execution in place of a process instance's.
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
        topics: Iterable[camunda_ext.Topic],
        *,
        max_tasks: int,
        use_priority: bool | None = None,
        async_response_timeout: int | timedelta | None = None,
        sorting: Iterable[camunda_ext.Sorting] | None = None,
    ) -> camunda_ext.FetchedTasks:
        """
        Lock tasks for a worker, and return them with their variables.

        There may be fewer tasks than the engine has, or none: other workers may have been quicker.

        Neither `close()` nor Ctrl-C ends a poll on the engine: it keeps waiting, and then locks
        tasks that nobody receives. So poll for some seconds at a time, and let the last poll end.

        Args:
            worker_id: The worker that gets the locks; the engine tells workers apart by it alone.

            topics: The topics to fetch, each once.

            max_tasks: How many tasks at most, over all topics.

            use_priority: Whether tasks of a higher priority come first.

            async_response_timeout:
                How long the engine may wait for a task, in milliseconds, or a `timedelta`. It is
                added to the client's time-outs. Since 7.9.

            sorting: ``[Sorting("createTime", "asc")]``. Since 7.21; older engines ignore it.

        Returns:
            A tuple of the tasks. Tasks that cannot be read, such as one with a date in an unknown
            format, are left out: their ids are in `FetchedTasks.unreadable`, and in the log.

        Raises:
            OutcomeUnknown: There was no answer; tasks may be locked.
        """
        body = camunda_ext.dto.FetchExternalTasks(
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
                camunda_ext.FetchedTasks,
                body=body,
                extra_time=(body.async_response_timeout or 0) / 1000,
            )
        )

    def complete(
        self,
        task: AnyTask | str,
        worker_id: str | None = None,
        variables: camunda_ext.VariablesLike | None = None,
        *,
        local_variables: camunda_ext.VariablesLike | None = None,
    ) -> None:
        """
        Complete a task, so that the process goes on.

        The engine checks which worker locked the task last, not whether the lock has expired.

        Args:
            task: The task, or its id.

            worker_id: The worker that holds the lock; ``None`` for the one that a
                fetched *task* names.

            variables:
                Variables by name, or an attrs instance for its fields. A variable that exists is
                set in its scope, a new one at the process instance.

            local_variables: Variables for the task's own scope, where its output mappings see them.

        Raises:
            TaskNotFound: There is no such task; it may be completed already.

            LockLost: Another worker holds the lock, or nobody does.

            EngineFailure: What follows the task in the process failed; the task is still locked.

            OutcomeUnknown: There was no answer; the task may be completed.
        """
        self._command(
            "complete",
            task,
            camunda_ext.dto.CompleteExternalTask(
                worker_id=_worker_of(task, worker_id),
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
        variables: camunda_ext.VariablesLike | None = None,
        local_variables: camunda_ext.VariablesLike | None = None,
    ) -> None:
        """
        Report that a task could not be done.

        Args:
            task: The task, or its id.

            worker_id: The worker that holds the lock; ``None`` for the one that a
                fetched *task* names.

            retries: New number of retries left, not a difference; 0 opens an incident.

            retry_timeout:
                How long the task cannot be fetched, in milliseconds, or a `timedelta`; ``None`` for
                no such time.

            error_message:
                What went wrong, in short. The engine stores 666 UTF-16 units; the client cuts the
                message there, never inside a character.

            error_details: The full text, such as a traceback; ``None`` keeps what was reported
                before.

            variables, local_variables: As for `complete()`. Since 7.15; older engines ignore them.

        Raises:
            TaskNotFound: There is no such task.

            LockLost: Another worker holds the lock, or nobody does.

            OutcomeUnknown: There was no answer; the engine may have recorded it.
        """
        self._command(
            "failure",
            task,
            camunda_ext.dto.ExternalTaskFailure(
                worker_id=_worker_of(task, worker_id),
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
        variables: camunda_ext.VariablesLike | None = ...,
    ) -> None: ...

    @overload
    def bpmn_error(
        self,
        task: AnyTask,
        *,
        error_code: str,
        error_message: str | None = ...,
        variables: camunda_ext.VariablesLike | None = ...,
    ) -> None: ...

    def bpmn_error(
        self,
        task: AnyTask | str,
        worker_id: str | None = None,
        error_code: str | None = None,
        *,
        error_message: str | None = None,
        variables: camunda_ext.VariablesLike | None = None,
    ) -> None:
        """
        Report a BPMN error, which the process may catch.

        If nothing catches it, the engine by default ends the execution without an error.

        Args:
            task: The task, or its id.

            worker_id: The worker that holds the lock; ``None`` for the one that a
                fetched *task* names.

            error_code: The code that a boundary event or an event subprocess may catch.

            error_message: What went wrong; not blank. Since 7.10; older engines ignore it.

            variables: As for `complete()`. Since 7.10; older engines ignore them.

        Raises:
            TaskNotFound: There is no such task.

            LockLost: Another worker holds the lock, or nobody does.

            OutcomeUnknown: There was no answer; the engine may have recorded it.
        """
        self._command(
            "bpmn_error",
            task,
            camunda_ext.dto.ExternalTaskBpmnError(
                worker_id=_worker_of(task, worker_id),
                error_code=_required("error_code", error_code),
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
        lock_duration: int | timedelta | None = None,
    ) -> None:
        """
        Lock a task for a worker, or renew the worker's lock from now. Since 7.15.

        The engine locks tasks without retries and those of suspended instances, too.

        Args:
            task: The task, or its id.

            worker_id: The worker that gets the lock; ``None`` for the one that a
                fetched *task* names.

            lock_duration: Duration of the lock, in milliseconds from now, or a `timedelta`.

        Raises:
            TaskNotFound: There is no such task.

            LockLost: Another worker holds the lock.
        """
        self._command(
            "lock",
            task,
            camunda_ext.dto.LockExternalTask(
                worker_id=_worker_of(task, worker_id),
                lock_duration=_required("lock_duration", lock_duration),
            ),
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
        new_duration: int | timedelta | None = None,
    ) -> None:
        """
        Let the lock of a task expire *new_duration* from now, not from its old end. Since 7.8.

        After `failure()` this would postpone the retry.

        Args:
            task: The task, or its id.

            worker_id: The worker that holds the lock; ``None`` for the one that a
                fetched *task* names.

            new_duration: New duration in milliseconds, or a `timedelta`; may shorten the lock.

        Raises:
            TaskNotFound: There is no such task; it may be completed.

            LockLost: Another worker holds the lock, or it has expired.
        """
        self._command(
            "extend_lock",
            task,
            camunda_ext.dto.ExtendLockOnExternalTask(
                worker_id=_worker_of(task, worker_id),
                new_duration=_required("new_duration", new_duration),
            ),
            path="extendLock",
            since="7.8",
        )

    def unlock(self, task: AnyTask | str, *, worker_id: str | None = None) -> None:
        """
        Remove the lock of a task, whichever worker holds it.

        Args:
            task: The task, or its id.

            worker_id:
                The worker that holds the lock, as far as the caller knows; ``None`` for the one
                that *task* names. It is not sent: if there is no answer, the client looks at the
                task and compares.

        Raises:
            TaskNotFound: There is no such task.

            OutcomeUnknown: There was no answer, and a look at the task does not show whether the
                lock was removed.
        """
        if worker_id is None:
            worker_id = getattr(task, "worker_id", None)
        else:
            checks.worker_id("worker_id", worker_id)
        self._command("unlock", task, None, worker_id=worker_id)

    def recover(
        self,
        worker_id: str,
        *,
        known: Iterable[AnyTask | str] = (),
        failed: bool = False,
        async_response_timeout: int | timedelta = 0,
    ) -> tuple[camunda_ext.ExternalTask, ...]:
        """
        The tasks that are locked for a worker, but that the worker never received.

        A `fetch_and_lock()` whose answer was lost leaves such tasks. Complete a task, unlock it, or
        let its lock expire. The returned tasks have no variables.

        No other worker may use the same worker id, or the tasks may be that worker's.

        Args:
            known: The tasks that the worker is working on, or their ids.

            failed:
                Whether to include tasks whose retries were set, by a failure or by an operator. A
                task that waits for its retry looks like one that was fetched again and lost: after
                `failure()` the engine keeps the worker's id, and stores the time of the retry as
                the end of the lock. Unlocking it would bring the retry forward. So pass `True` only
                if *known* has the ids of all tasks whose failures this worker has reported.

            async_response_timeout:
                That of the lost fetch, in milliseconds, or a `timedelta`. The engine does not
                notice that a client hung up: it keeps waiting for tasks, and locks the first ones.
                So this looks once a second until there are such tasks, or until this time and one
                more second are over. With 0 it looks once and does not wait, for a caller that
                repeats the call itself.
        """
        checks.worker_id("worker_id", worker_id)
        in_hand = set(_task_ids("known", known))
        timeout = checks.milliseconds("async_response_timeout", async_response_timeout, low=0)
        until = monotonic() + (timeout + 1000) / 1000 if timeout else monotonic()
        checks.flag("failed", failed)
        query = camunda_ext.ExternalTaskQuery().worker_id(worker_id).locked()
        while True:
            stranded = tuple(
                task
                for task in self.iterate(query)
                if task.id not in in_hand
                and (failed or task.retries is None)
                and task.worker_id == worker_id  # Some databases compare without case.
            )
            remaining = until - monotonic()
            if stranded or remaining <= 0:
                return stranded
            sleep(min(1.0, remaining))

    def set_priority(self, task: AnyTask | str, priority: int) -> None:
        """
        Set the priority of a task.

        Args:
            task: The task, or its id.

            priority: Any integer of 64 bits.

        Raises:
            TaskNotFound: There is no such task.
        """
        body = camunda_ext.dto.Priority(priority=priority)
        self._command("set_priority", task, body, method="PUT", path="priority")

    def set_retries(self, task: AnyTask | str, retries: int) -> None:
        """
        Set the number of retries left of a task.

        Args:
            task: The task, or its id.

            retries: New number of retries left; 0 opens an incident, more than 0 closes it.

        Raises:
            TaskNotFound: There is no such task.
        """
        body = camunda_ext.dto.Retries(retries=retries)
        self._command("set_retries", task, body, method="PUT", path="retries")

    # --------------------------------------------------------------------------- commands on many

    def set_retries_of(
        self,
        retries: int,
        *,
        external_task_ids: Iterable[AnyTask | str] | None = None,
        external_task_query: camunda_ext.ExternalTaskQuery | None = None,
        process_instance_ids: Iterable[str] | None = None,
        process_instance_query: Mapping[str, Any] | None = None,
        historic_process_instance_query: Mapping[str, Any] | None = None,
        everything: bool = False,
    ) -> None:
        """
        Set the number of retries left of many tasks in one transaction. Since 7.8.

        The tasks of all arguments together are changed.

        Args:
            retries: New number of retries left; 0 opens incidents, more than 0 closes them.

            external_task_ids: Tasks, or their ids.

            external_task_query:
                The tasks that match a query. Before anything is changed, the client checks that the
                engine knows its filters, see `check()`. Engines up to 7.24 fail on
                ``process_variable()`` here without saying that nothing was changed, which raises an
                `OutcomeUnknown`: pass the ids of `list()` instead.

            process_instance_ids: All tasks of these process instances.

            process_instance_query, historic_process_instance_query:
                All tasks of the process instances that match. The mappings are sent as they are, as
                bodies of the engine's own queries: the engine ignores a misspelt key.

            everything: Whether a query without any filter is accepted; it changes every task.

        Raises:
            ValueError: Nothing is selected, or a query has no filter, or one that the engine does
                not know.

            TaskNotFound: There is no task with one of the ids; nothing was changed.

            BadRequest: No task was selected, or more than the engine allows.
        """
        body = self._to_bulk(
            camunda_ext.dto.SetRetriesForExternalTasks(
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
        external_task_query: camunda_ext.ExternalTaskQuery | None = None,
        process_instance_ids: Iterable[str] | None = None,
        process_instance_query: Mapping[str, Any] | None = None,
        historic_process_instance_query: Mapping[str, Any] | None = None,
        everything: bool = False,
    ) -> camunda_ext.BatchRun:
        """
        Start a batch of the engine that sets the number of retries left of many tasks. Since 7.8.

        Arguments have the same meaning as for `set_retries_of()`. With an unknown id, a job of the
        batch fails later.

        Returns:
            The batch; `~BatchRun.wait()` waits until it is finished.

        Raises:
            ValueError: Nothing is selected, or a query has no filter, or one that the engine does
                not know.

            BadRequest: No task was selected, or more than the engine allows.

            OutcomeUnknown: There was no answer; the engine may have created a batch.
        """
        body = self._to_bulk(
            camunda_ext.dto.SetRetriesForExternalTasks(
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
                camunda_ext.Batch,
                body=body,
                since="7.8",
            )
        )
        return camunda_ext.BatchRun(self, batch)

    # --------------------------------------------------------------------------------- the history

    def log_list(
        self,
        query: camunda_ext.HistoricExternalTaskLogQuery | None = None,
        *,
        first_result: int | None = None,
        max_results: int | None = None,
        via: Via = "POST",
    ) -> tuple[camunda_ext.HistoricExternalTaskLog, ...]:
        """
        The entries of the historic external task log that match. Since 7.7, at history level full.

        Arguments have the same meaning as for `list()`. Entries cannot be sorted by ``id``, but
        without a sorting they are in that order: do not sort if you cut pages by hand, or use
        `select()`. If the engine is too old for a filter there is a warning, as in `list()`.
        """
        page = _page_params(first_result, max_results)
        query = _to_query(query, camunda_ext.HistoricExternalTaskLogQuery)
        kind = tuple[camunda_ext.HistoricExternalTaskLog, ...]
        return self._query("log_list", query, kind, via, page)

    def log_count(
        self, query: camunda_ext.HistoricExternalTaskLogQuery | None = None, *, via: Via = "POST"
    ) -> int:
        """
        The number of entries of the historic external task log that match. Since 7.7.

        If the engine is too old for a filter there is a warning, as in `list()`.
        """
        query = _to_query(query, camunda_ext.HistoricExternalTaskLogQuery)
        return self._query("log_count", query, camunda_ext.dto.CountResult, via).count

    def log_get(
        self, entry: camunda_ext.HistoricExternalTaskLog | str
    ) -> camunda_ext.HistoricExternalTaskLog:
        """
        One entry of the historic external task log. Since 7.7.

        Raises:
            NotFound: There is no such entry.
        """
        return self._send(
            Request(
                "log_get",
                "GET /history/external-task-log/{log_id}",
                camunda_ext.HistoricExternalTaskLog,
                {"log_id": _log_id(entry)},
                since="7.7",
            )
        )

    def log_error_details(self, entry: camunda_ext.HistoricExternalTaskLog | str) -> str | None:
        """
        The error details of a log entry; ``None`` if it has none. Since 7.7.

        Raises:
            NotFound: There is no such entry.
        """
        return self._send(
            Request[str | None](
                "log_error_details",
                "GET /history/external-task-log/{log_id}/error-details",
                str,
                {"log_id": _log_id(entry)},
                since="7.7",
            )
        )

    # ------------------------------------------------------------------------------------- batches

    def batch(self, batch: AnyBatch | str) -> camunda_ext.Batch:
        """
        The current state of a batch that is not finished.

        Args:
            batch: A batch, or the id of one.

        Raises:
            NotFound: There is no such batch. The engine deletes a finished batch when it next
                checks, by default up to 30 seconds later.
        """
        return self._send(
            Request(
                "batch", "GET /batch/{batch_id}", camunda_ext.Batch, {"batch_id": _batch_id(batch)}
            )
        )

    def batch_statistics(self, batch: AnyBatch | str) -> camunda_ext.BatchStatistics | None:
        """
        The progress of a batch; ``None`` if there is no such batch.

        The engine deletes a finished batch when it next checks, by default up to 30 seconds later.

        Args:
            batch: A batch, or the id of one.
        """
        batch_id = _batch_id(batch)
        segment("batch_id", batch_id)
        statistics = self._send(
            Request(
                "batch_statistics",
                "GET /batch/statistics",
                tuple[camunda_ext.BatchStatistics, ...],
                params={"batchId": batch_id},
            )
        )
        return next(iter(statistics), None)

    def suspend_batch(self, batch: AnyBatch | str) -> None:
        """
        Suspend a batch until `activate_batch()`.

        Args:
            batch: A batch, or the id of one.

        Raises:
            NotFound: There is no such batch. The engine deletes a finished batch when it next
                checks, by default up to 30 seconds later.
        """
        self._suspend("suspend_batch", batch, suspended=True)

    def activate_batch(self, batch: AnyBatch | str) -> None:
        """
        Continue a batch that is suspended.

        Args:
            batch: A batch, or the id of one.

        Raises:
            NotFound: There is no such batch, see `suspend_batch()`.
        """
        self._suspend("activate_batch", batch, suspended=False)

    def _suspend(self, operation: str, batch: AnyBatch | str, *, suspended: bool) -> None:
        self._send(
            Request(
                operation,
                "PUT /batch/{batch_id}/suspended",
                NoneType,
                {"batch_id": _batch_id(batch)},
                body=camunda_ext.dto.SuspensionState(suspended=suspended),
            )
        )

    def delete_batch(self, batch: AnyBatch | str, *, cascade: bool = False) -> None:
        """
        Delete a batch; changes that it has made already are kept.

        Args:
            batch: A batch, or the id of one.

            cascade: Whether to delete its history too.

        Raises:
            NotFound: There is no such batch. The engine deletes a finished batch when it next
                checks, by default up to 30 seconds later.
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

    def follow(self, batch: AnyBatch | str) -> camunda_ext.BatchRun:
        """
        A `BatchRun` that can wait for a batch; nothing is sent yet.

        Args:
            batch: A batch, or the id of one.
        """
        return camunda_ext.BatchRun(self, batch)

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
        Send a request to any other path of the engine's REST API, with this client's credentials,
        time-outs, hooks and errors.

        It is sent once, for only the caller knows what a second time would do; and once more where
        the engine has refused the credentials and the auth object has renewed them.

        Args:
            method: The HTTP method.

            path:
                The path below the engine's URL, with ``{name}`` where an id belongs, such as
                ``/process-definition/key/{key}/start``.

            ids: The ids by name; each goes as one segment of the path, percent-encoded.

            params:
                The query of the URL: texts, numbers, bools, aware dates and lists of these. A list
                becomes one comma-separated value, as the engine reads it; ``None`` is left out.
                The engine ignores a misspelt name.

            json:
                The body, sent as JSON: mappings, lists and values, aware dates and `Variables` too.
                Names are not converted: use the engine's, such as ``businessKey``.

            content, content_type: Body and media type to send as they are in place of *json*, such
                as a deployment.

        Returns:
            The decoded JSON, or `str` or `bytes` for an answer of another type; ``None`` for an
            empty answer.

        Raises:
            TypeError, ValueError: An argument cannot be sent as it is; nothing was.

            NotFound: There is no such path, or nothing with such an id.

            OutcomeUnknown: There was no answer to a request other than a GET; it may have taken
                effect.
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
        given = checks.mapping("params", {} if params is None else params)
        query = {name: value for name, value in given.items() if value is not None}
        rule = rule_of("request")
        return self._send(
            Request(
                "request",
                f"{method} {path}",
                AnyAnswer,
                ids,
                params=to_params(encode(query, self._sender.dates)),
                body=body,
                rule=attrs.evolve(rule, doubt=None) if method == "GET" else rule,
            )
        )

    def ping(self, *, timeout: float | timedelta = 5.0) -> camunda_ext.dto.Ping:
        """
        Check that the engine works, and return its version and how long it took to answer.

        The check reads from the database of this client's engine and needs its credentials; how
        long that took is told. A second request asks for the version. Neither is repeated, but for
        once with renewed credentials. `version()` alone proves nothing: a server answers it even
        for an engine name that does not exist.

        Args:
            timeout: How long each of the two requests may take, in seconds, or a `timedelta`,
                instead of the client's time-outs.

        Raises:
            CamundaError: The engine cannot be reached, or refuses the credentials.
        """
        client = self.with_options(timeout=timeout, retry=False)
        begun = monotonic()
        # A count by primary key is quick however many tasks there are.
        body = {"externalTaskId": "ping"}
        client._send(
            Request("ping", "POST /external-task/count", camunda_ext.dto.CountResult, body=body)
        )
        milliseconds = (monotonic() - begun) * 1000
        try:
            version = client.version()
        except (Refused, NoAnswer):  # It came with 7.8, and a gateway may hide it.
            version = None
        return camunda_ext.dto.Ping(version=version, milliseconds=milliseconds)

    def version(self) -> str | None:
        """
        The version of the engine, as its vendor numbers it; ``None`` if the engine's packaging
        does not state one.

        Operaton and CIB seven started again at 1: do not compare versions of different vendors.
        """
        return self._send(
            Request("version", "GET /version", camunda_ext.dto.Version, since="7.8")
        ).version

    # -------------------------------------------------------------------------- requests and checks

    def _query(
        self,
        operation: str,
        query: Query,
        returns: type[T],
        via: Via,
        page: Mapping[str, str] | None = None,
    ) -> T:
        """
        Send a query as it is; there is a warning for each filter that the engine is too old for.
        """
        from camunda_ext.query import resource_of

        checks.literal("via", via, Via)
        resource = resource_of(query)
        path = resource.path + ("/count" if returns is camunda_ext.dto.CountResult else "")
        params = {} if via == "POST" else project(encode(query, self._sender.dates))
        request = Request(
            operation,
            f"{via} {path}",
            returns,
            params={**params, **(page or {})},
            body=query if via == "POST" else None,
            since=resource.since,
        )
        self._proof(query).warn_of_newer(query)
        return self._send(request)

    def _command(
        self,
        operation: str,
        task: AnyTask | str,
        body: object,
        *,
        method: str = "POST",
        path: str | None = None,
        since: str = OLDEST,
        worker_id: str | None = None,
    ) -> None:
        request = Request(
            operation,
            f"{method} /external-task/{{task_id}}/{path or operation}",
            NoneType,
            _ids(task),
            body=body,
            since=since,
            worker_id=worker_id,
        )
        try:
            self._send(request)
        except TaskNotFound as error:
            if _are_swapped(request.ids["task_id"], getattr(body, "worker_id", worker_id)):
                error.hint += " Or is the worker's id where the task's belongs? The task is first."
            raise

    def _to_bulk(
        self, body: camunda_ext.dto.SetRetriesForExternalTasks, *, everything: bool
    ) -> camunda_ext.dto.SetRetriesForExternalTasks:
        """
        Return the body of a bulk command, once it is sure that it selects some tasks and not all.

        Raises:
            ValueError: It has no selection, or one without a filter, or a filter that the engine
                does not know.
        """
        selections = {
            name: value
            for name, value in attrs.asdict(body, recurse=False).items()
            if name != "retries" and value is not None
        }
        if not selections:
            raise ValueError("nothing is selected: pass ids, or a query")
        if not isinstance(body.external_task_query, (camunda_ext.ExternalTaskQuery, NoneType)):
            raise TypeError("external_task_query must be an ExternalTaskQuery")
        for name, value in selections.items():
            if name.endswith("_query") and not everything and not _has_filter(value):
                raise ValueError(
                    f"{name} has no filter and would change every task; pass everything=True if "
                    "that is meant"
                )
        if isinstance(body.external_task_query, camunda_ext.ExternalTaskQuery):
            self.check(body.external_task_query)
        return body

    def _proof(self, query: Query) -> FilterProof:
        """
        The `FilterProof` for a type of query; the client keeps what it learns about the engine.
        """
        from camunda_ext._many.proof import FilterProof  # only now: not all programs have queries
        from camunda_ext.query import resource_of

        resource = resource_of(query)
        operation = "count" if isinstance(query, camunda_ext.ExternalTaskQuery) else "log_count"

        def count(body: Mapping[str, object]) -> int:
            target = f"POST {resource.path}/count"
            request = Request(
                operation, target, camunda_ext.dto.CountResult, body=body, since=resource.since
            )
            return self._send(request).count

        return FilterProof(
            noun=resource.noun,
            facts=self._facts,
            count=count,
            # The version is only for messages, so one attempt is enough.
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


def _id_of(task: AnyTask | str, name: str = "task") -> str:
    if isinstance(task, str):
        return task
    if isinstance(task, (camunda_ext.ExternalTask, camunda_ext.UnreadableTask)):
        return task.id
    raise TypeError(f"{name} must be a task or its id, not {type(task).__name__}")


@overload
def _task_ids(name: str, tasks: None) -> None: ...


@overload
def _task_ids(name: str, tasks: Iterable[AnyTask | str]) -> tuple[str, ...]: ...


def _task_ids(name: str, tasks: Iterable[AnyTask | str] | None) -> tuple[str, ...] | None:
    if tasks is None:
        return None
    if isinstance(tasks, camunda_ext.Selection):
        raise TypeError(f"{name} must not be a Selection: its own methods refuse one of everything")
    if isinstance(tasks, (str, bytes)) or not isinstance(tasks, Iterable):
        raise TypeError(f"{name} must be an iterable of tasks or of their ids, not {tasks!r:.80}")
    return tuple(_id_of(task, f"each of {name}") for task in tasks)


def _worker_of(task: AnyTask | str, worker_id: str | None) -> str:
    """
    The id of the worker for whom a command on a task is sent.

    Raises:
        TypeError: A task was passed in its place, or nothing names the worker.
    """
    if isinstance(worker_id, (camunda_ext.ExternalTask, camunda_ext.UnreadableTask)):
        raise TypeError("worker_id must be a str: the task comes first, then the worker's id")
    if not isinstance(worker_id, (str, NoneType)):
        raise TypeError(
            f"worker_id must be a str, not {type(worker_id).__name__}: with a task alone, pass the "
            "rest by name, such as variables="
        )
    if worker_id is not None:
        return worker_id
    if not isinstance(task, camunda_ext.LockedExternalTask):
        raise TypeError(
            "worker_id is missing: only a fetched task names the worker that has it; a listed one "
            "names whoever has locked it"
        )
    if task.worker_id is None:
        raise ValueError(f"worker_id is missing: the task {task.id!r:.80} names none")
    return task.worker_id


def _required(name: str, value: Any) -> Any:
    if value is None:
        raise TypeError(f"{name} is missing: with a task alone, pass it by name")
    return value


def _log_id(entry: camunda_ext.HistoricExternalTaskLog | str) -> str:
    return entry.id if isinstance(entry, camunda_ext.HistoricExternalTaskLog) else entry


def _batch_id(batch: AnyBatch | str) -> str:
    return batch.id if isinstance(batch, (camunda_ext.Batch, camunda_ext.BatchRun)) else batch


#: Ids as an engine generates them by default: a number or a UUID.
_GENERATED_ID: Final = r"\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _are_swapped(task_id: str, worker_id: str | None) -> bool:
    """
    Whether the worker id looks like an id that the engine generated, and the task id does not.
    """
    return bool(
        worker_id
        and re.fullmatch(_GENERATED_ID, worker_id, re.ASCII)
        and not re.fullmatch(_GENERATED_ID, task_id, re.ASCII)
    )


def _to_policy(retry: object) -> RetryPolicy:
    if isinstance(retry, bool):
        return Retry() if retry else Retry(attempts=1)
    if isinstance(retry, type) or not callable(getattr(retry, "wait", None)):
        raise TypeError(f"retry must be a Retry, another policy or False, not {retry!r:.80}")
    policy: RetryPolicy = retry  # type: ignore[assignment]  # its method was checked
    return policy


def _rule_of_bulk(body: camunda_ext.dto.SetRetriesForExternalTasks) -> Rule:
    """
    The rule for resending a bulk command: by ids it may be resent, as they name the same tasks a
    second time; by a query it may not.
    """
    without_ids = attrs.evolve(body, retries=0, external_task_ids=None)
    is_by_ids = without_ids == camunda_ext.dto.SetRetriesForExternalTasks(retries=0)
    return rule_of("set_retries_of" if is_by_ids else "set_retries_of by query")


def _to_zone(zone: tzinfo | str | None) -> tzinfo | None:
    if not isinstance(zone, str):
        return zone
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only now: few clients need zones

    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no zone of the name {zone!r}") from None


def _page_params(first_result: int | None, max_results: int | None) -> dict[str, str]:
    """
    The parameters of the URL that select a page of the results.
    """
    if first_result is not None and max_results is None:
        max_results = checks.INT32  # Without it, 7.6 cuts before it sorts.
    bounds = {"first_result": first_result, "max_results": max_results}
    # The engine accepts -1 too, and returns nothing.
    return {
        wire_name(name): str(checks.integer(name, value, low=0, high=checks.INT32))
        for name, value in bounds.items()
        if value is not None
    }


def _has_filter(value: camunda_ext.ExternalTaskQuery | Mapping[str, Any]) -> bool:
    if isinstance(value, camunda_ext.ExternalTaskQuery):
        return value.has_filter()
    return any(_can_filter(field) for name, field in value.items() if name not in _NO_FILTERS)


#: Fields of a query's body that exclude nothing on their own.
_NO_FILTERS: Final = ("sorting", "variableNamesIgnoreCase", "variableValuesIgnoreCase")


def _can_filter(value: object) -> bool:
    """
    Whether a value in a query's body can exclude anything; null, false and empty values cannot.
    """
    if isinstance(value, Mapping):
        return any(map(_can_filter, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_can_filter, value))
    return value is not None and value is not False and value != ""
