"""
SDK for the External Task REST API of Camunda 7 and its living forks, Operaton and CIB seven.

Each name is loaded when it is first used, so that a program pays only for what it needs.
"""

from importlib import import_module as _import_module
from logging import NullHandler as _NullHandler, getLogger as _getLogger
from typing import TYPE_CHECKING

from camunda_ext._version import __version__ as __version__

if TYPE_CHECKING:  # for type checkers and editors: what the table below says, as a test holds
    from camunda_ext import dto as dto, errors as errors, hooks as hooks, worker as worker
    from camunda_ext._call.backoff import (
        Retry as Retry,
        RetryPolicy as RetryPolicy,
    )
    from camunda_ext._display.explanation import (
        Explanation as Explanation,
    )
    from camunda_ext._http.credentials import (
        Auth as Auth,
        Basic as Basic,
        Bearer as Bearer,
    )
    from camunda_ext._http.messages import (
        Timeout as Timeout,
    )
    from camunda_ext._http.oauth2 import (
        OAuth2ClientCredentials as OAuth2ClientCredentials,
    )
    from camunda_ext._many.summary import (
        BulkFailed as BulkFailed,
        BulkProblem as BulkProblem,
        BulkSummary as BulkSummary,
    )
    from camunda_ext.batch_run import (
        BatchFailed as BatchFailed,
        BatchResult as BatchResult,
        BatchRun as BatchRun,
    )
    from camunda_ext.client import (
        ExternalTaskClient as ExternalTaskClient,
        Via as Via,
    )
    from camunda_ext.dto import (
        Batch as Batch,
        BatchStatistics as BatchStatistics,
        ExternalTask as ExternalTask,
        FetchedTasks as FetchedTasks,
        HistoricExternalTaskLog as HistoricExternalTaskLog,
        LockedExternalTask as LockedExternalTask,
        LogEvent as LogEvent,
        Operator as Operator,
        Sorting as Sorting,
        SortOrder as SortOrder,
        Topic as Topic,
        UnreadableTask as UnreadableTask,
    )
    from camunda_ext.errors import (
        BadRequest as BadRequest,
        CamundaError as CamundaError,
        Conflict as Conflict,
        EngineBusy as EngineBusy,
        EngineFailure as EngineFailure,
        Forbidden as Forbidden,
        LockLost as LockLost,
        NoAnswer as NoAnswer,
        NotFound as NotFound,
        NotSent as NotSent,
        NotTheEngine as NotTheEngine,
        OutcomeUnknown as OutcomeUnknown,
        Refused as Refused,
        Suspended as Suspended,
        TaskNotFound as TaskNotFound,
        Unauthorized as Unauthorized,
    )
    from camunda_ext.history import (
        HistoricExternalTaskLogQuery as HistoricExternalTaskLogQuery,
        LogSortBy as LogSortBy,
    )
    from camunda_ext.query import (
        ExternalTaskQuery as ExternalTaskQuery,
        SortBy as SortBy,
    )
    from camunda_ext.selection import (
        LogSelection as LogSelection,
        NotOne as NotOne,
        Selection as Selection,
    )
    from camunda_ext.variables import (
        File as File,
        JavaObject as JavaObject,
        Variables as Variables,
        VariablesLike as VariablesLike,
        VariableValue as VariableValue,
        typed as typed,
    )
    from camunda_ext.worker import (
        Handlers as Handlers,
        Worker as Worker,
    )

#: The names that each module gives to this one.
_NAMES = {
    "_call.backoff": "Retry RetryPolicy",
    "_display.explanation": "Explanation",
    "_http.messages": "Timeout",
    "_http.oauth2": "OAuth2ClientCredentials",
    "_many.summary": "BulkFailed BulkProblem BulkSummary",
    "_http.credentials": "Auth Basic Bearer",
    "batch_run": "BatchFailed BatchResult BatchRun",
    "client": "ExternalTaskClient Via",
    "dto": (
        "Batch BatchStatistics ExternalTask FetchedTasks HistoricExternalTaskLog "
        "LockedExternalTask LogEvent Operator Sorting SortOrder Topic UnreadableTask"
    ),
    "errors": (
        "BadRequest CamundaError Conflict EngineBusy EngineFailure Forbidden LockLost "
        "NoAnswer NotFound NotSent NotTheEngine OutcomeUnknown Refused Suspended TaskNotFound "
        "Unauthorized"
    ),
    "history": "HistoricExternalTaskLogQuery LogSortBy",
    "query": "ExternalTaskQuery SortBy",
    "selection": "LogSelection NotOne Selection",
    "worker": "Handlers Worker",
    "variables": "File JavaObject typed Variables VariablesLike VariableValue",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

#: The modules that have names for users besides.
_MODULES = ("dto", "errors", "hooks", "worker")

__all__ = sorted([*_HOMES, "__version__"])

if not TYPE_CHECKING:  # or a misspelt name would be any name

    def __getattr__(name):
        if name in _MODULES:
            return _import_module(f"{__name__}.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return [*_HOMES, *_MODULES, "__version__"]


_getLogger(__name__).addHandler(_NullHandler())
