"""
SDK for the External Task REST API of Camunda 7 and its living forks, Operaton and CIB seven.
"""

from logging import NullHandler as _NullHandler
from logging import getLogger as _getLogger

from camunda_ext._call.backoff import Retry, RetryPolicy
from camunda_ext._display.explanation import Explanation
from camunda_ext._http.messages import Timeout
from camunda_ext._http.oauth2 import OAuth2ClientCredentials
from camunda_ext._many.summary import BulkFailed, BulkProblem, BulkSummary
from camunda_ext._version import __version__
from camunda_ext.auth import Auth, Basic, Bearer
from camunda_ext.batch_run import BatchFailed, BatchResult, BatchRun
from camunda_ext.client import ExternalTaskClient, Via
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
    LockedExternalTask,
    LockExternalTask,
    Operator,
    Priority,
    Retries,
    SetRetriesForExternalTasks,
    Sorting,
    SortOrder,
    SuspensionState,
    Topic,
    UnreadableTask,
    VariableQueryParameter,
    Version,
)
from camunda_ext.errors import (
    Attempt,
    BadRequest,
    CamundaError,
    Conflict,
    EngineBusy,
    EngineFailure,
    Forbidden,
    LockLost,
    MissingAuthorization,
    NoAnswer,
    NotFound,
    NotSent,
    NotTheEngine,
    OutcomeUnknown,
    Problem,
    Refused,
    ResourceReport,
    Suspended,
    TaskNotFound,
    Unauthorized,
)
from camunda_ext.history import HistoricExternalTaskLogQuery, LogSortBy
from camunda_ext.hooks import Ended, Failed, Hook, Outgoing
from camunda_ext.query import ExternalTaskQuery, SortBy
from camunda_ext.selection import NotOne, Selection
from camunda_ext.variables import (
    File,
    JavaObject,
    Variables,
    VariablesLike,
    VariableValue,
    typed,
)

__all__ = [
    "Attempt",
    "Auth",
    "BadRequest",
    "Basic",
    "Batch",
    "BatchFailed",
    "BatchResult",
    "BatchRun",
    "BatchStatistics",
    "Bearer",
    "BulkFailed",
    "BulkProblem",
    "BulkSummary",
    "CamundaError",
    "CompleteExternalTask",
    "Conflict",
    "CountResult",
    "Ended",
    "EngineBusy",
    "EngineFailure",
    "Explanation",
    "ExtendLockOnExternalTask",
    "ExternalTask",
    "ExternalTaskBpmnError",
    "ExternalTaskClient",
    "ExternalTaskFailure",
    "ExternalTaskQuery",
    "Failed",
    "FetchExternalTasks",
    "FetchedTasks",
    "File",
    "Forbidden",
    "HistoricExternalTaskLog",
    "HistoricExternalTaskLogQuery",
    "Hook",
    "JavaObject",
    "LockExternalTask",
    "LockLost",
    "LockedExternalTask",
    "LogSortBy",
    "MissingAuthorization",
    "NoAnswer",
    "NotFound",
    "NotOne",
    "NotSent",
    "NotTheEngine",
    "OAuth2ClientCredentials",
    "Operator",
    "OutcomeUnknown",
    "Outgoing",
    "Priority",
    "Problem",
    "Refused",
    "ResourceReport",
    "Retries",
    "Retry",
    "RetryPolicy",
    "Selection",
    "SetRetriesForExternalTasks",
    "SortBy",
    "SortOrder",
    "Sorting",
    "Suspended",
    "SuspensionState",
    "TaskNotFound",
    "Timeout",
    "Topic",
    "Unauthorized",
    "UnreadableTask",
    "VariableQueryParameter",
    "VariableValue",
    "Variables",
    "VariablesLike",
    "Version",
    "Via",
    "__version__",
    "typed",
]

_getLogger(__name__).addHandler(_NullHandler())
