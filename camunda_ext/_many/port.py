"""
The part of a client that selections and bulk writes use.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from camunda_ext.batch_run import BatchClient, BatchRun
from camunda_ext.dto import ExternalTask, HistoricExternalTaskLog
from camunda_ext.history import HistoricExternalTaskLogQuery
from camunda_ext.query import ExternalTaskQuery


@runtime_checkable
class TaskClient(BatchClient, Protocol):
    """
    A client that reads and changes the external tasks of an engine, and reads its log of them.
    """

    @property
    def url(self) -> str: ...

    def list(
        self,
        query: ExternalTaskQuery | None = None,
        *,
        first_result: int | None = None,
        max_results: int | None = None,
    ) -> tuple[ExternalTask, ...]: ...

    def count(self, query: ExternalTaskQuery | None = None) -> int: ...

    def get(self, task: str, /) -> ExternalTask: ...

    def log_list(
        self,
        query: HistoricExternalTaskLogQuery | None = None,
        *,
        first_result: int | None = None,
        max_results: int | None = None,
    ) -> tuple[HistoricExternalTaskLog, ...]: ...

    def log_count(self, query: HistoricExternalTaskLogQuery | None = None) -> int: ...

    def unlock(self, task: str, /, *, worker_id: str | None = None) -> None: ...

    def set_priority(self, task: str, /, priority: int) -> None: ...

    def set_retries(self, task: str, /, retries: int) -> None: ...

    def set_retries_of(
        self, retries: int, *, external_task_ids: Iterable[str] | None = None
    ) -> None: ...

    def set_retries_async(
        self, retries: int, *, external_task_ids: Iterable[str] | None = None
    ) -> BatchRun: ...
