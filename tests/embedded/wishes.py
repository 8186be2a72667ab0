"""
What can be asked of an engine at random: mostly sensible things, and now and then odd ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st

Json = Any
Wish = st.SearchStrategy[Any]

PROCESSES: Final = ("single", "input", "parallel", "boundary", "sequence")
TENANTS: Final = (None, None, None, "t1", "t2")
TOPICS: Final = ("a", "b")
WORKERS: Final = ("w1", "w2")

#: Durations of locks: one that is over at once, and one that outlives the run.
LONG: Final = 600_000
SHORT: Final = 1

#: More tasks than there are.
ALL: Final = 100

_NAMES: Final = ("x", "y", "Xx", "l", "n_1")
_DATE: Final = "2020-01-01T00:00:00.000+0000"
_TEXTS: Final = ("text", "TEXT", "a%b", "a_b", _DATE, "", "5", "ü")

_HEAD: Final = """\
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="differential">
"""
_PROCESSES: Final = {
    "single": """\
  <process id="single" name="My process" isExecutable="true" camunda:historyTimeToLive="1"
      camunda:versionTag="v1.0">
    <startEvent id="start"/>
    <sequenceFlow id="s1" sourceRef="start" targetRef="work"/>
    <serviceTask id="work" name="Work" camunda:type="external" camunda:topic="a">
      <extensionElements><camunda:properties>
        <camunda:property name="k" value="v"/><camunda:property name="k2" value=""/>
      </camunda:properties></extensionElements>
    </serviceTask>
    <sequenceFlow id="s2" sourceRef="work" targetRef="after"/>
    <userTask id="after" name="After"/>
    <sequenceFlow id="s3" sourceRef="after" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
""",
    "input": """\
  <process id="input" name="my other process" isExecutable="true" camunda:historyTimeToLive="1"
      camunda:versionTag="v1_0" camunda:taskPriority="7">
    <startEvent id="start"/>
    <sequenceFlow id="s1" sourceRef="start" targetRef="work"/>
    <serviceTask id="work" camunda:type="external" camunda:topic="a">
      <extensionElements><camunda:inputOutput>
        <camunda:inputParameter name="l">local</camunda:inputParameter>
        <camunda:inputParameter name="x">text</camunda:inputParameter>
      </camunda:inputOutput></extensionElements>
    </serviceTask>
    <sequenceFlow id="s2" sourceRef="work" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
""",
    "parallel": """\
  <process id="parallel" isExecutable="true" camunda:historyTimeToLive="1">
    <startEvent id="start"/>
    <sequenceFlow id="s1" sourceRef="start" targetRef="fork"/>
    <parallelGateway id="fork"/>
    <sequenceFlow id="s2" sourceRef="fork" targetRef="work_a"/>
    <sequenceFlow id="s3" sourceRef="fork" targetRef="work_b"/>
    <serviceTask id="work_a" camunda:type="external" camunda:topic="a" camunda:taskPriority="3"/>
    <serviceTask id="work_b" camunda:type="external" camunda:topic="b" camunda:taskPriority="-3"/>
    <sequenceFlow id="s4" sourceRef="work_a" targetRef="join"/>
    <sequenceFlow id="s5" sourceRef="work_b" targetRef="join"/>
    <parallelGateway id="join"/>
    <sequenceFlow id="s6" sourceRef="join" targetRef="after"/>
    <userTask id="after"/>
    <sequenceFlow id="s7" sourceRef="after" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
""",
    "boundary": """\
  <error id="e1" errorCode="E1"/>
  <process id="boundary" name="My_process" isExecutable="true" camunda:historyTimeToLive="1">
    <startEvent id="start"/>
    <sequenceFlow id="s1" sourceRef="start" targetRef="work"/>
    <serviceTask id="work" camunda:type="external" camunda:topic="b" camunda:taskPriority="5"/>
    <sequenceFlow id="s2" sourceRef="work" targetRef="end"/>
    <boundaryEvent id="caught_one" attachedToRef="work">
      <errorEventDefinition errorRef="e1" camunda:errorCodeVariable="code"
          camunda:errorMessageVariable="message"/>
    </boundaryEvent>
    <sequenceFlow id="s3" sourceRef="caught_one" targetRef="caught"/>
    <userTask id="caught"/>
    <sequenceFlow id="s4" sourceRef="caught" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
""",
    "sequence": """\
  <process id="sequence" isExecutable="true" camunda:historyTimeToLive="1">
    <startEvent id="start"/>
    <sequenceFlow id="s1" sourceRef="start" targetRef="work"/>
    <serviceTask id="work" camunda:type="external" camunda:topic="b"/>
    <sequenceFlow id="s2" sourceRef="work" targetRef="again"/>
    <serviceTask id="again" camunda:type="external" camunda:topic="a" camunda:taskPriority="9"/>
    <sequenceFlow id="s3" sourceRef="again" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
""",
}


def models() -> dict[str, tuple[str, str]]:
    """
    The processes, as the files of a form.
    """
    names = {f"{key}.bpmn": _HEAD + model for key, model in _PROCESSES.items()}
    return {name: (name, content) for name, content in names.items()}


# ----------------------------------------------------------------------------------------- oddities

_ODD: Final[Sequence[Json]] = (
    None, "", "nope", 0, 1, -1, 5, 1.5, 2.0, True, False, "true", "True", "null", " 5 ", "5.5",
    2**31, 2**63, [], {}, [None], [""], ["a"], {"a": 1}, "%",
)  # fmt: skip


@st.composite
def _one(draw: st.DrawFn, sensible: Wish, odd: Wish) -> Json:
    return draw(odd if draw(st.integers(0, 19)) == 13 else sensible)


def mostly(sensible: Wish, odd: Wish | None = None) -> Wish:
    """
    Something sensible, but now and then something odd.
    """
    return _one(sensible, st.sampled_from(_ODD) if odd is None else odd)


@st.composite
def _name_of(draw: st.DrawFn, kind: str) -> str:
    return f"<{kind} {draw(st.integers(0, 6))}>"


def references(kind: str) -> Wish:
    """
    The name of something that both engines have, or of nothing.
    """
    return mostly(_name_of(kind), st.sampled_from(("", "nope")))


@st.composite
def some(draw: st.DrawFn, properties: Mapping[str, Wish], most: int = 3) -> dict[str, Json]:
    """
    An object with a few of these properties.
    """
    chosen = draw(st.lists(st.sampled_from(sorted(properties)), max_size=most, unique=True))
    return {name: draw(properties[name]) for name in chosen}


@st.composite
def _body(draw: st.DrawFn, required: Mapping[str, Wish], /, **optional: Wish) -> dict[str, Json]:
    """
    A body with all that it needs, now and then without one of it, and a few things more.
    """
    body = {name: draw(wish) for name, wish in required.items()}
    left_out = draw(_one(st.none(), st.sampled_from(sorted(required))))
    body.pop(left_out, None)
    return {**body, **(draw(some(optional, most=2)) if optional else {})}


# ---------------------------------------------------------------------------------------- variables

_VALUES: Final[Sequence[Json]] = (
    *({"value": text, "type": "String"} for text in _TEXTS),
    *({"value": 5, "type": name} for name in ("Integer", "Long", "Short", "Double")),
    {"value": 5}, {"value": -2.5}, {"value": "text"}, {"value": 3_000_000_000}, {"value": True},
    {"value": "true", "type": "Boolean"}, {"value": False, "type": "boolean"}, {"value": None},
    {"value": 2**53 + 1, "type": "Long"}, {"value": "NaN", "type": "Double"},
    {"value": 1e22, "type": "Double"}, {"value": "7", "type": "Integer"}, {},
    *({"value": None, "type": name} for name in (
        "String", "Integer", "Long", "Short", "Double", "Boolean", "Date", "Bytes", "Json", "Xml",
        "Null",
    )),
    {"value": _DATE, "type": "Date"},
    {"value": "AAEC", "type": "Bytes"}, {"value": '{"a": 1}', "type": "Json"},
    {"value": "<a/>", "type": "Xml"},
    {"value": "AAEC", "type": "File", "valueInfo": {"filename": "f.txt", "mimeType": "a/b"}},
    {"value": "[1]", "type": "Object", "valueInfo": {
        "objectTypeName": "java.util.ArrayList", "serializationDataFormat": "application/json",
    }},
    {"value": "gone", "valueInfo": {"transient": True}},
)  # fmt: skip
_ODD_VALUES: Final[Sequence[Json]] = (
    None, "text", {"value": 1, "type": "Foo"}, {"value": 2**31, "type": "Integer"},
    {"value": {"a": 1}, "type": "Json"}, {"value": "x", "type": "Boolean"},
    {"value": "x", "type": "Date"}, {"value": 1, "type": "Null"}, {"value": "x", "type": "Number"},
    {"value": [1, "a"]}, {"value": {"a": 1}}, {"value": 2**70}, {"value": "x" * 4001},
    {"value": "x", "type": 5},
)  # fmt: skip


def variables() -> Wish:
    """
    Typed variables, as commands have them.
    """
    values = mostly(st.sampled_from(_VALUES), st.sampled_from(_ODD_VALUES))
    sensible = st.dictionaries(st.sampled_from(_NAMES), values, max_size=3)
    return st.one_of(st.none(), sensible, sensible)


def _conditions(operators: Sequence[str], values: Sequence[Json]) -> Wish:
    return _body(
        {
            "name": mostly(st.sampled_from(_NAMES)),
            "operator": mostly(st.sampled_from(operators)),
            "value": mostly(st.sampled_from((*values, 5, 5.0, -2.5, True, None, 10**10))),
        }
    )


_CONDITIONS: Final = st.one_of(
    _conditions(("eq", "neq", "gt", "gteq", "lt", "lteq"), (*_TEXTS, "te%")),
    # No dates: the embedded engine refuses them as patterns.
    _conditions(
        ("like", "notLike"),
        (*(text for text in _TEXTS if text != _DATE), "te%", "%E%", "_ext", "a\\_b"),
    ),
)

# ------------------------------------------------------------------------------------------ queries

_FLAGS: Final = mostly(st.just(True))
_DATES: Final = mostly(
    st.sampled_from((_DATE, "2100-01-01T00:00:00.000+0530", "<in 5 minutes>")),
    # Of what Camunda takes for dates besides, the embedded engine takes none.
    st.sampled_from((None, "nope", True, [], {"a": 1})),
)
_PRIORITIES: Final = mostly(st.sampled_from((-3, 0, 5, "5", 2**62)))


def _lists(elements: Wish) -> Wish:
    return mostly(st.lists(mostly(elements), max_size=3))


TASK_FILTERS: Final[Mapping[str, Wish]] = {
    "externalTaskId": references("task"),
    "externalTaskIdIn": _lists(references("task")),
    "topicName": mostly(st.sampled_from(TOPICS)),
    "workerId": mostly(st.sampled_from(WORKERS)),
    "locked": _FLAGS,
    "notLocked": _FLAGS,
    "withRetriesLeft": _FLAGS,
    "noRetriesLeft": _FLAGS,
    "lockExpirationBefore": _DATES,
    "lockExpirationAfter": _DATES,
    "activityId": mostly(st.sampled_from(("work", "work_a", "again"))),
    "activityIdIn": _lists(st.sampled_from(("work", "work_a", "work_b", "again"))),
    "executionId": references("execution"),
    "processInstanceId": references("instance"),
    "processInstanceIdIn": _lists(references("instance")),
    "processDefinitionId": references("definition"),
    "processDefinitionKey": mostly(st.sampled_from(PROCESSES)),
    "processDefinitionKeyIn": _lists(st.sampled_from(PROCESSES)),
    "processDefinitionName": mostly(st.sampled_from(("My process", "My_process", "my process"))),
    "processDefinitionNameLike": mostly(
        st.sampled_from(("My%", "%process", "My_process", "%OTHER%", "My\\_%", "my"))
    ),
    "tenantIdIn": _lists(st.sampled_from(("t1", "t2"))),
    "active": _FLAGS,
    "suspended": _FLAGS,
    "priorityHigherThanOrEquals": _PRIORITIES,
    "priorityLowerThanOrEquals": _PRIORITIES,
    "variableNamesIgnoreCase": _FLAGS,
    "variableValuesIgnoreCase": _FLAGS,
    "processVariables": mostly(st.lists(mostly(_CONDITIONS), min_size=1, max_size=2)),
    "unknownFilter": _FLAGS,
}

LOG_FILTERS: Final[Mapping[str, Wish]] = {
    "logId": references("log"),
    "externalTaskId": references("task"),
    "topicName": mostly(st.sampled_from(TOPICS)),
    "workerId": mostly(st.sampled_from(WORKERS)),
    "errorMessage": mostly(st.sampled_from(("m", "other"))),
    "activityIdIn": _lists(st.sampled_from(("work", "work_a", "work_b", "again"))),
    "activityInstanceIdIn": _lists(references("activity")),
    "executionIdIn": _lists(references("execution")),
    "processInstanceId": references("instance"),
    "processDefinitionId": references("definition"),
    "processDefinitionKey": mostly(st.sampled_from(PROCESSES)),
    "priorityHigherThanOrEquals": _PRIORITIES,
    "priorityLowerThanOrEquals": _PRIORITIES,
    "tenantIdIn": _lists(st.sampled_from(("t1", "t2"))),
    "withoutTenantId": _FLAGS,
    "creationLog": _FLAGS,
    "failureLog": _FLAGS,
    "successLog": _FLAGS,
    "deletionLog": _FLAGS,
}

INSTANCE_FILTERS: Final[Mapping[str, Wish]] = {
    "processInstanceIds": _lists(references("instance")),
    "businessKey": mostly(st.sampled_from(("b1", "b2"))),
    "processDefinitionKey": mostly(st.sampled_from(PROCESSES)),
    "processDefinitionId": references("definition"),
    "active": _FLAGS,
    "suspended": _FLAGS,
    "tenantIdIn": _lists(st.sampled_from(("t1", "t2"))),
    "withoutTenantId": _FLAGS,
}

HISTORIC_FILTERS: Final[Mapping[str, Wish]] = {
    "processInstanceIds": _lists(references("instance")),
    "processInstanceId": references("instance"),
    "processInstanceBusinessKey": mostly(st.sampled_from(("b1", "b2"))),
    "processDefinitionKey": mostly(st.sampled_from(PROCESSES)),
    "processDefinitionId": references("definition"),
    "tenantIdIn": _lists(st.sampled_from(("t1", "t2"))),
    "withoutTenantId": _FLAGS,
}

#: What a query can be sorted by, and the property of the answer that shows it.
TASK_ORDERS: Final = {
    "id": "id",
    "lockExpirationTime": "lockExpirationTime",
    "processInstanceId": "processInstanceId",
    "processDefinitionId": "processDefinitionId",
    "processDefinitionKey": "processDefinitionKey",
    "taskPriority": "priority",
    "tenantId": "tenantId",
    "createTime": "createTime",
}
LOG_ORDERS: Final = {
    "timestamp": "timestamp",
    "externalTaskId": "externalTaskId",
    "retries": "retries",
    "priority": "priority",
    "topicName": "topicName",
    "workerId": "workerId",
    "activityId": "activityId",
    "processInstanceId": "processInstanceId",
    "processDefinitionId": "processDefinitionId",
    "processDefinitionKey": "processDefinitionKey",
    "tenantId": "tenantId",
}


def sortings(orders: Mapping[str, str]) -> Wish:
    """
    The criteria by which a list shall be sorted.
    """
    criterion = _body(
        {
            "sortBy": mostly(st.sampled_from(sorted(orders)), st.sampled_from(("nope", None, 5))),
            "sortOrder": mostly(st.sampled_from(("asc", "desc")), st.sampled_from(("ASC", None))),
        }
    )
    return mostly(st.lists(mostly(criterion), max_size=2))


_NUMBERS: Final = st.one_of(st.none(), st.integers(0, 4).map(str), st.integers(0, 4).map(str))
_PAGE_NUMBERS: Final = mostly(
    _NUMBERS, st.sampled_from(("-1", "-2", "", "abc", "1.5", str(2**31), "+1", " 1"))
)


@st.composite
def pages(draw: st.DrawFn) -> dict[str, str]:
    """
    The parameters that ask for a page.
    """
    chosen = {"firstResult": draw(_PAGE_NUMBERS), "maxResults": draw(_PAGE_NUMBERS)}
    return {name: value for name, value in chosen.items() if value is not None}


def in_url(filters: Mapping[str, Json]) -> dict[str, str]:
    """
    Filters as the parameters of a URL.
    """
    return {name: _in_url(value) for name, value in filters.items()}


def _in_url(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(_in_url(each) for each in value)
    if isinstance(value, dict) and "operator" in value:
        return "_".join(_in_url(value[name]) for name in ("name", "operator", "value"))
    return json.dumps(value)


# ---------------------------------------------------------------------------------------- commands

_TEXT_OR_NONE: Final = mostly(st.sampled_from((None, "m", "other", "m" * 700)))
_DURATIONS: Final = mostly(
    st.sampled_from((SHORT, LONG, LONG, LONG)), st.sampled_from((0, -1, None, "5", "x"))
)
_RETRIES: Final = mostly(
    st.sampled_from((0, 1, 2, 2, 3)), st.sampled_from((-1, None, "2", 2.9, "x", 2**31))
)


WORKER: Final = mostly(
    st.sampled_from(WORKERS), st.sampled_from((None, "", "nobody", 5, "w" * 256))
)

COMPLETE: Final = _body({"workerId": WORKER}, variables=variables(), localVariables=variables())
FAILURE: Final = _body(
    {
        "workerId": WORKER,
        "errorMessage": _TEXT_OR_NONE,
        "retries": _RETRIES,
        "retryTimeout": mostly(
            st.sampled_from((LONG, 0, SHORT)), st.sampled_from((-1, None, "0", "x"))
        ),
    },
    errorDetails=mostly(st.sampled_from((None, "d", "", "ä\n"))),
    variables=variables(),
    localVariables=variables(),
)
BPMN_ERROR: Final = _body(
    {"workerId": WORKER, "errorCode": mostly(st.sampled_from(("E1", "E1", "E2")))},
    errorMessage=mostly(st.sampled_from((None, "m", " "))),
    variables=variables(),
)
LOCK: Final = _body({"workerId": WORKER, "lockDuration": _DURATIONS})
EXTEND_LOCK: Final = _body({"workerId": WORKER, "newDuration": _DURATIONS})
PRIORITY: Final = _body({"priority": mostly(st.sampled_from((-3, 0, 5, 9, 2**62)))})
RETRIES: Final = _body({"retries": _RETRIES})
SUSPENDED: Final = _body({"suspended": mostly(st.booleans())})
START: Final = _body(
    {"businessKey": mostly(st.sampled_from((None, "b1", "b2"))), "variables": variables()},
    withVariablesInReturn=st.booleans(),
)

_FETCH_TOPICS: Final = _body(
    {"topicName": mostly(st.sampled_from(TOPICS)), "lockDuration": _DURATIONS},
    variables=mostly(st.lists(mostly(st.sampled_from(_NAMES)), max_size=3)),
    localVariables=_FLAGS,
    businessKey=mostly(st.sampled_from(("b1", "b2"))),
    processDefinitionId=references("definition"),
    processDefinitionIdIn=_lists(references("definition")),
    processDefinitionKey=mostly(st.sampled_from(PROCESSES)),
    processDefinitionKeyIn=_lists(st.sampled_from(PROCESSES)),
    processDefinitionVersionTag=mostly(st.sampled_from(("v1.0", "v1_0", "v%", "V1.0", "v1\\_0"))),
    withoutTenantId=_FLAGS,
    tenantIdIn=_lists(st.sampled_from(("t1", "t2"))),
    processVariables=mostly(
        st.dictionaries(
            st.sampled_from(_NAMES),
            mostly(st.sampled_from((*_TEXTS, 5, 5.0, -2.5, True, None, 3_000_000_000))),
            max_size=2,
        )
    ),
    includeExtensionProperties=_FLAGS,
)

_FETCH_ORDER: Final = _body(
    {
        "sortBy": mostly(st.just("createTime")),
        "sortOrder": mostly(st.sampled_from(("asc", "desc"))),
    }
)
FETCH: Final = _body(
    {
        "workerId": WORKER,
        "maxTasks": mostly(st.sampled_from((ALL, ALL, 2, 1))),
        "topics": mostly(st.lists(mostly(_FETCH_TOPICS), min_size=1, max_size=3)),
    },
    usePriority=_FLAGS,
    sorting=mostly(st.lists(mostly(_FETCH_ORDER), max_size=2)),
    asyncResponseTimeout=mostly(
        st.sampled_from((None, 0, -1)), st.sampled_from((1_800_001, "0", "x"))
    ),
    includeExtensionProperties=_FLAGS,
)

_NO_QUERY: Final[st.SearchStrategy[Any]] = st.sampled_from((None, {}, [], "x"))
SELECTION: Final = _body(
    {"retries": _RETRIES},
    externalTaskIds=_lists(references("task")),
    externalTaskQuery=mostly(some(TASK_FILTERS, most=2), _NO_QUERY),
    processInstanceIds=_lists(references("instance")),
    processInstanceQuery=mostly(some(INSTANCE_FILTERS, most=2), _NO_QUERY),
    historicProcessInstanceQuery=mostly(some(HISTORIC_FILTERS, most=2), _NO_QUERY),
)
