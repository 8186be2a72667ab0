"""
What each engine does: a table of rows, each of which says how it differs from the one above.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone
from typing import Any, Final

import attrs

from camunda_ext import CamundaError, OutcomeUnknown


@attrs.frozen(kw_only=True)
class Dialect:
    """
    The facts in which engines differ; the defaults are those of Camunda 7.24.
    """

    #: Errors have a ``code``.
    error_code: bool = True

    #: Tasks have a ``createTime``, and can be sorted by it.
    create_time: bool = True

    #: Queries know the definition's key and name, and process variables; ignored otherwise.
    young_filters: bool = True

    #: JSON may not be nested deeper than a thousand times.
    nesting_limit: bool = True

    #: There is an operation that locks one task.
    lock: bool = True

    #: Fetched tasks have extension properties, if a topic asks for them.
    extension_properties: bool = True

    #: A fetch waits for tasks; without it, the time-out is ignored.
    long_polling: bool = True

    #: Topics can be narrowed by business key and process variables; ignored otherwise.
    topic_filters: bool = True

    #: A list of ids narrows a query; ignored otherwise.
    id_lists: bool = True

    #: Tasks have a ``businessKey`` and the definition's version tag, but no ``errorDetails``.
    business_key: bool = True

    #: ``topic-names`` is an operation, and no id.
    topic_names: bool = True

    #: A lock can be extended.
    extend_lock: bool = True

    #: Retries of many tasks can be set at once.
    bulk_retries: bool = True

    #: A BPMN error brings variables along; ignored otherwise.
    bpmn_error_variables: bool = True

    #: There is a variable type Json, by the plugin that brings it.
    json_variables: bool = True

    #: The engine refuses what it would have to deserialize from Java.
    refuses_java_objects: bool = True

    #: What a client must be told of the server's dates.
    date_options: Mapping[str, Any] = attrs.field(factory=dict)

    #: Answers of the container are JSON of the engine, not HTML.
    container_answers_json: bool = True

    #: The container says in HTML what is wrong with a URL, not only by the status.
    page_for_bad_urls: bool = True

    #: A page without a length is cut from the sorted tasks, not from tasks in any order.
    sorts_before_it_cuts: bool = True

    #: Retries must be given to be set; what is left out counts as 0 otherwise.
    retries_are_required: bool = True

    #: Status of an invalid query.
    not_valid: int = 400

    #: Characters that the database does not take.
    refused_characters: str = ""

    #: The database compares texts as Java does, and takes all that Java has.
    is_like_java: bool = True

    #: The database takes texts for equal that differ in blanks at their end.
    pads_texts: bool = False

    #: The database keeps no fractions of seconds, or nothing is told of them: times are cut.
    whole_seconds: bool = False

    #: What is left of a message that is cut within a character beyond the first 65,536; ``None`` if
    #: the database takes no such character.
    half_a_character: str | None = "\ud83d"

    #: A lock that ends beyond all time ends before it begins; the database refuses it otherwise.
    endless_locks: bool = True

    #: What the loser of a race hears besides: the client's error, status and type.
    too_late: frozenset[tuple[type[CamundaError], int, str | None]] = frozenset()

    def error(
        self, status: int, java_type: str, message: str | None, code: int | None = None
    ) -> tuple[int, dict[str, Any]]:
        """
        The status and the body of an error, as this engine writes it.
        """
        body = {"type": java_type, "message": message}
        return status, body | ({"code": code} if self.error_code else {})


_7_24: Final = Dialect()
_7_18: Final = attrs.evolve(_7_24, create_time=False, young_filters=False, nesting_limit=False)
_7_14: Final = attrs.evolve(_7_18, error_code=False, lock=False)
_7_13: Final = attrs.evolve(_7_14, extension_properties=False)
_7_6: Final = attrs.evolve(
    _7_13,
    long_polling=False,
    topic_filters=False,
    id_lists=False,
    business_key=False,
    topic_names=False,
    extend_lock=False,
    bulk_retries=False,
    bpmn_error_variables=False,
    json_variables=False,
    refuses_java_objects=False,
    date_options={"date_format": "%Y-%m-%dT%H:%M:%S", "date_zone": timezone.utc},
    container_answers_json=False,
    page_for_bad_urls=False,
    sorts_before_it_cuts=False,
    retries_are_required=False,
    whole_seconds=True,
    not_valid=500,
    # The container's page about a NullPointerException, which nobody can tell from a gateway's.
    too_late=frozenset({(OutcomeUnknown, 500, None)}),
)

_ON_POSTGRESQL: Final = attrs.evolve(
    _7_24,
    refused_characters="\0",
    is_like_java=False,
    half_a_character="?",
    endless_locks=False,
)
_ON_MARIADB: Final = attrs.evolve(
    _7_24,
    refused_characters="\U0001f600",
    is_like_java=False,
    pads_texts=True,
    whole_seconds=True,
    half_a_character=None,
    endless_locks=False,
)

#: The row of each engine.
DIALECTS: Final[Mapping[str, Dialect]] = {
    "camunda-7.24": _7_24,
    "operaton-1.0": _7_24,
    "camunda-7.18": _7_18,
    "camunda-7.14": _7_14,
    "camunda-7.13": _7_13,
    "camunda-7.6": _7_6,
    "postgresql": _ON_POSTGRESQL,
    "mariadb": _ON_MARIADB,
    "two-nodes": _ON_POSTGRESQL,
}
