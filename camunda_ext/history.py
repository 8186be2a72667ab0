"""
Queries for the historic external task log, built like those of `camunda_ext.query`.
"""

from enum import Enum
from typing import ClassVar, Final

import attrs

from camunda_ext._wire import checks
from camunda_ext._wire.value import exported
from camunda_ext.query import Query, Resource, filter_field

#: What is asked for by `HistoricExternalTaskLogQuery`.
LOG: Final = Resource("/history/external-task-log", "7.7", "entries")


@exported
class LogSortBy(str, Enum):
    """
    The criteria that entries of the historic external task log can be sorted by.
    """

    TIMESTAMP = "timestamp"
    EXTERNAL_TASK_ID = "externalTaskId"
    RETRIES = "retries"
    #: Not ``taskPriority``, as for external tasks.
    PRIORITY = "priority"
    TOPIC_NAME = "topicName"
    WORKER_ID = "workerId"
    ACTIVITY_ID = "activityId"
    ACTIVITY_INSTANCE_ID = "activityInstanceId"
    EXECUTION_ID = "executionId"
    PROCESS_INSTANCE_ID = "processInstanceId"
    PROCESS_DEFINITION_ID = "processDefinitionId"
    PROCESS_DEFINITION_KEY = "processDefinitionKey"
    TENANT_ID = "tenantId"


@exported
@attrs.frozen(slots=False, init=False, eq=False, repr=False)
class HistoricExternalTaskLogQuery(Query):
    """
    A query for entries of the historic external task log; an entry must match all filters.

    A query is immutable: each method returns a new one. Setting a filter again replaces its value;
    for a filter with several values, it adds more of them. Engines have the log since 7.7, at
    history level full.
    """

    _resource: ClassVar[Resource] = LOG
    _criteria: ClassVar[type[Enum]] = LogSortBy

    _log_id: str | None = filter_field(since="7.7")
    _external_task_id: str | None = filter_field(since="7.7")
    _topic_name: str | None = filter_field(since="7.7", method="topic")
    _worker_id: str | None = filter_field(since="7.7")
    _error_message: str | None = filter_field(since="7.7")
    _activity_id_in: tuple[str, ...] | None = filter_field(since="7.7")
    _activity_instance_id_in: tuple[str, ...] | None = filter_field(since="7.7")
    _execution_id_in: tuple[str, ...] | None = filter_field(since="7.7")
    _process_instance_id: str | None = filter_field(since="7.7")
    _process_definition_id: str | None = filter_field(since="7.7")
    _process_definition_key: str | None = filter_field(since="7.7")
    _priority_higher_than_or_equals: int | None = filter_field(since="7.7")
    _priority_lower_than_or_equals: int | None = filter_field(since="7.7")
    _tenant_id_in: tuple[str, ...] | None = filter_field(since="7.7")
    _without_tenant_id: bool | None = filter_field(since="7.12")
    _creation_log: bool | None = filter_field(since="7.7")
    _failure_log: bool | None = filter_field(since="7.7")
    _success_log: bool | None = filter_field(since="7.7")
    _deletion_log: bool | None = filter_field(since="7.7")

    def log_id(self, log_id: str) -> "HistoricExternalTaskLogQuery":
        """
        Only the entry with this id.
        """
        return self._with("_log_id", checks.filled("log_id", log_id))

    def external_task_id(self, external_task_id: str) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about this task.
        """
        return self._with("_external_task_id", checks.filled("external_task_id", external_task_id))

    def topic(self, topic_name: str) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about tasks of this topic.
        """
        return self._with("_topic_name", checks.filled("topic_name", topic_name))

    def worker_id(self, worker_id: str) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about tasks that were locked by this worker.
        """
        return self._with("_worker_id", checks.filled("worker_id", worker_id))

    def error_message(self, error_message: str) -> "HistoricExternalTaskLogQuery":
        """
        Only failures with exactly this message.
        """
        return self._with("_error_message", checks.filled("error_message", error_message))

    def activity_id_in(self, *activity_ids: str) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about one of these elements of the model, or of those of earlier calls.
        """
        return self._adding("_activity_id_in", activity_ids)

    def activity_instance_id_in(
        self, *activity_instance_ids: str
    ) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about one of these executions of an element, or of those of earlier calls.
        """
        return self._adding("_activity_instance_id_in", activity_instance_ids)

    def execution_id_in(self, *execution_ids: str) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about one of these executions of a process, or of those of earlier calls.
        """
        return self._adding("_execution_id_in", execution_ids)

    def process_instance_id(self, process_instance_id: str) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about this process instance.
        """
        return self._with(
            "_process_instance_id", checks.filled("process_instance_id", process_instance_id)
        )

    def process_definition_id(self, process_definition_id: str) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about this deployed version of a process.
        """
        return self._with(
            "_process_definition_id", checks.filled("process_definition_id", process_definition_id)
        )

    def process_definition_key(self, process_definition_key: str) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about all versions of this process.
        """
        checked = checks.filled("process_definition_key", process_definition_key)
        return self._with("_process_definition_key", checked)

    def priority_higher_than_or_equals(self, priority: int) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about tasks of this priority or a higher one.
        """
        return self._with("_priority_higher_than_or_equals", checks.integer("priority", priority))

    def priority_lower_than_or_equals(self, priority: int) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about tasks of this priority or a lower one.
        """
        return self._with("_priority_lower_than_or_equals", checks.integer("priority", priority))

    def tenant_id_in(self, *tenant_ids: str) -> "HistoricExternalTaskLogQuery":
        """
        Only entries of one of these tenants, or of those of earlier calls.
        """
        return self._adding("_tenant_id_in", tenant_ids)

    def without_tenant_id(self) -> "HistoricExternalTaskLogQuery":
        """
        Only entries without a tenant. Since 7.12; older engines ignore it.
        """
        return self._with("_without_tenant_id", True)

    def creation_log(self) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about the creation of a task.
        """
        return self._with("_creation_log", True)

    def failure_log(self) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about a failure that a worker reported.
        """
        return self._with("_failure_log", True)

    def success_log(self) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about the completion of a task.
        """
        return self._with("_success_log", True)

    def deletion_log(self) -> "HistoricExternalTaskLogQuery":
        """
        Only entries about the cancellation of a task, such as by a BPMN error.
        """
        return self._with("_deletion_log", True)
