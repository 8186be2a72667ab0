"""
One external task of a model, without the process around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from camunda_ext import ExternalTaskClient, LockedExternalTask, Topic
from camunda_ext.testing import Engine, EngineError

_BPMN: Final = "http://www.omg.org/spec/BPMN/20100524/MODEL"
_CAMUNDA: Final = "http://camunda.org/schema/1.0/bpmn"
_OPERATON: Final = "http://operaton.org/schema/1.0/bpmn"
_EXTERNAL: Final = 'camunda:type="external" camunda:topic="a"'
_TASK: Final = f'<serviceTask id="t" {_EXTERNAL}/>'
_ERRORS: Final = '<error id="e1" errorCode="E1"/><error id="e2" errorCode="E2"/>'


def _definitions(content: str, *, extensions: str = _CAMUNDA, encoding: str = "UTF-8") -> bytes:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<definitions xmlns="{_BPMN}" '
        f'xmlns:camunda="{extensions}" targetNamespace="t">\n{content}\n</definitions>'
    )
    return text.encode(encoding)


def _process(body: str, attributes: str = 'isExecutable="true"') -> str:
    return f'<process id="p" name="Invoices" {attributes}>\n{body}\n</process>'


def _task(inner: str = "", attributes: str = _EXTERNAL, tag: str = "serviceTask") -> str:
    return f'<{tag} id="t" {attributes}>{inner}</{tag}>'


def _extended(extensions: str) -> str:
    return f"<extensionElements>{extensions}</extensionElements>"


def _input(value: str) -> str:
    parameter = f'<camunda:inputParameter name="i">{value}</camunda:inputParameter>'
    return _extended(f"<camunda:inputOutput>{parameter}</camunda:inputOutput>")


def _message_event(tag: str) -> str:
    properties = '<camunda:properties><camunda:property name="k" value="{}"/></camunda:properties>'
    message = _extended(properties.format("of the message"))
    return (
        f'<{tag} id="t">{_extended(properties.format("of the event"))}'
        f'<messageEventDefinition {_EXTERNAL} camunda:taskPriority="4">{message}'
        f"</messageEventDefinition></{tag}>"
    )


def _catching(id_: str, reference: str, variable: str) -> str:
    """
    An error event definition in a boundary event of *id_*; or of an event subprocess, for "".
    """
    error = f'errorRef="{reference}"' if reference else ""
    definition = f'<errorEventDefinition {error} camunda:errorCodeVariable="{variable}"/>'
    if id_:
        return f'<boundaryEvent id="{variable}" attachedToRef="{id_}">{definition}</boundaryEvent>'
    start = f'<startEvent id="{variable}">{definition}</startEvent>'
    return f'<subProcess id="of_{variable}" triggeredByEvent="true">{start}</subProcess>'


@attrs.define
class Made:
    """
    An engine, and the file of a model.
    """

    engine: Engine
    client: ExternalTaskClient
    file: Path

    def task_of(self, content: str | bytes, activity_id: str = "t", **options: Any) -> str:
        """
        The id of one task of a model.
        """
        self.file.write_bytes(content if isinstance(content, bytes) else _definitions(content))
        return self.engine.create_task_of(self.file, activity_id, **options)

    def fetch(self) -> LockedExternalTask:
        """
        The only task, locked, with all that a worker may ask for.
        """
        [task] = self.client.list()
        assert task.topic_name is not None
        topic = Topic(task.topic_name, lock_duration=60_000, include_extension_properties=True)
        [locked] = self.client.fetch_and_lock("w1", [topic], max_tasks=10)
        return locked

    def local_variables(self, task: LockedExternalTask) -> dict[str, Any]:
        """
        The values in the task's own scope.
        """
        path = f"/execution/{task.execution_id}/localVariables"
        answer = self.engine.session().get(self.engine.local_url + path)
        return {name: value["value"] for name, value in answer.json().items()}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """
    An engine, and the file of a model.
    """
    with Engine(history_time_to_live=1) as engine, engine.client(retry=False) as client:
        yield Made(engine, client, tmp_path / "invoices.bpmn")


def test_task_is_that_of_the_model(made: Made) -> None:
    """
    A worker gets what it would get of the whole process; the variables are the process's, the input
    parameters the task's own.
    """
    model = _process(
        '<startEvent id="s"><timerEventDefinition/></startEvent>'
        + _task(
            _extended(
                '<camunda:inputOutput><camunda:inputParameter name="mode">careful'
                '</camunda:inputParameter><camunda:inputParameter name="sum">${ amount }'
                '</camunda:inputParameter><camunda:outputParameter name="o">${out.of.reach}'
                "</camunda:outputParameter></camunda:inputOutput><camunda:properties>"
                '<camunda:property name="bot" value="${x}"/></camunda:properties>'
            ),
            f'name="Charge" {_EXTERNAL} camunda:taskPriority="#{{amount}}"',
        ),
        'isExecutable="true" camunda:versionTag="2.1" camunda:historyTimeToLive="PT1M"',
    )
    task_id = made.task_of(model, variables={"amount": 50, "vip": True}, business_key="order-17")
    task = made.fetch()

    assert (task.id, task.activity_id, task.business_key) == (task_id, "t", "order-17")
    assert (task.topic_name, task.priority, task.retries) == ("a", 50, None)
    assert (task.process_definition_key, task.process_definition_version_tag) == ("p", "2.1")
    assert task.extension_properties == {"bot": "${x}"}
    assert task.variables == {"amount": 50, "vip": True, "mode": "careful", "sum": 50}
    assert made.local_variables(task) == {"mode": "careful", "sum": 50}
    assert made.engine.variables(str(task.process_instance_id)) == {"amount": 50, "vip": True}


@pytest.mark.parametrize(
    ("content", "priority", "properties"),
    [
        pytest.param(_process(_TASK), 0, {}, id="service task"),
        pytest.param(_process(_task(tag="sendTask")), 0, {}, id="send task"),
        pytest.param(_process(_task(tag="businessRuleTask")), 0, {}, id="business rule task"),
        pytest.param(
            _process(_message_event("intermediateThrowEvent")),
            4,
            {"k": "of the event"},
            id="throwing message event",
        ),
        pytest.param(
            _process(_message_event("endEvent")),
            4,
            {"k": "of the event"},
            id="message end event",
        ),
        pytest.param(_process(_TASK, 'isExecutable="false"'), 0, {}, id="not executable"),
        pytest.param(
            _process(_TASK, 'isExecutable="true" camunda:taskPriority="7"'),
            7,
            {},
            id="priority of the process",
        ),
        pytest.param(
            _process(f'<subProcess id="o"><transaction id="i">{_TASK}</transaction></subProcess>'),
            0,
            {},
            id="nested",
        ),
        pytest.param(
            _process(
                '<subProcess id="o" triggeredByEvent="true"><startEvent id="s">'
                f"<signalEventDefinition/></startEvent>{_TASK}</subProcess>"
            ),
            0,
            {},
            id="event subprocess",
        ),
        pytest.param(
            _process(
                _task('<multiInstanceLoopCharacteristics camunda:collection="${all.of.them}"/>')
            ),
            0,
            {},
            id="multi-instance",
        ),
        pytest.param(
            '<process id="x"><serviceTask id="u" camunda:class="A"/></process>'
            + _process(_TASK)
            + '<collaboration id="c"><participant id="pa" processRef="p"/></collaboration>',
            0,
            {},
            id="collaboration",
        ),
        pytest.param(
            _process(
                _task(
                    _extended(
                        '<camunda:executionListener event="start" class="A"/><camunda:invented/>'
                    ),
                    f'{_EXTERNAL} camunda:asyncBefore="true" isForCompensation="true" '
                    'camunda:class="A" default="nowhere" made="up"',
                )
                + '<callActivity id="t2"/><exclusiveGateway default="nothing"/><made:up '
                'xmlns:made="urn:up"/><sequenceFlow id="f" sourceRef="t" targetRef="nobody"/>'
            ),
            0,
            {},
            id="what is not run",
        ),
    ],
)
def test_anything_may_be_around_a_task(
    made: Made, content: str, priority: int, properties: dict[str, str]
) -> None:
    """
    It is found wherever it is, whatever else it has.
    """
    made.task_of(content)
    task = made.fetch()

    assert (task.topic_name, task.activity_id, task.process_definition_key) == ("a", "t", "p")
    assert (task.priority, task.extension_properties) == (priority, properties)


@pytest.mark.parametrize(
    ("encoding", "bom"),
    [("UTF-8", b""), ("UTF-8", b"\xef\xbb\xbf"), ("UTF-16", b""), ("ISO-8859-1", b"")],
)
def test_file_may_have_any_encoding(made: Made, encoding: str, bom: bytes) -> None:
    """
    It says which.
    """
    task = _task(_input("Stra\u00dfe"), 'camunda:type="external" camunda:topic="\u00e4"')
    made.task_of(bom + _definitions(_process(task), encoding=encoding))
    locked = made.fetch()

    assert locked.topic_name == "\u00e4"
    assert locked.variables == {"i": "Stra\u00dfe"}


def test_extensions_may_be_those_of_operaton(made: Made) -> None:
    """
    Prefix and namespace are the file's business.
    """
    task = _task(_input("1"), f'{_EXTERNAL} camunda:taskPriority="3"')
    model = _definitions(_process(task), extensions=_OPERATON)
    made.task_of(model.replace(b"camunda:", b"o:").replace(b"xmlns:camunda", b"xmlns:o"))
    locked = made.fetch()

    assert (locked.topic_name, locked.priority) == ("a", 3)
    assert locked.variables == {"i": "1"}


@pytest.mark.parametrize(
    ("content", "variables", "message"),
    [
        pytest.param(
            _process(_TASK + '<sendTask id="u" camunda:type="external" camunda:topic="b"/>'),
            None,
            "there is no activity 'x'; external tasks are: 't', 'u'",
            id="unknown",
        ),
        pytest.param(
            _process(""), None, "there is no activity 'x'; external tasks are: none", id="no task"
        ),
        pytest.param("", None, "there is no activity 'x'; external tasks are: none", id="nothing"),
        *(
            pytest.param(
                _process(_TASK + other),
                None,
                "activity 'x' is no external task; external tasks are: 't'",
                id=f"no external task {number}",
            )
            for number, other in enumerate(
                [
                    '<userTask id="x" camunda:type="external" camunda:topic="b"/>',
                    '<serviceTask id="x" camunda:class="A" camunda:topic="b"/>',
                    '<serviceTask id="x" camunda:type="mail"/>',
                    f'<businessRuleTask id="x" {_EXTERNAL} camunda:decisionRef="d"/>',
                    f'<endEvent id="x" {_EXTERNAL}/>',
                    '<endEvent id="x"><messageEventDefinition camunda:class="A"/></endEvent>',
                    '<subProcess id="x"/>',
                ]
            )
        ),
        pytest.param(
            _process(_TASK.replace('"t"', '"x"') * 2),
            None,
            "more than one activity has the id 'x'; external tasks are: 'x', 'x'",
            id="twice",
        ),
        pytest.param(
            f"<process>\n{_TASK}\n</process>".replace('"t"', '"x"'),
            None,
            "activity 'x' cannot be made alone: Its process has no id (line 3)",
            id="process without id",
        ),
        pytest.param(
            _process('<serviceTask id="x" camunda:type="external"/>'),
            None,
            "activity 'x' cannot be made alone: <serviceTask> 'x' has no camunda:topic (line 4)",
            id="no topic",
        ),
        pytest.param(
            _process(
                '<serviceTask id="x" camunda:type="external" camunda:topic="${a.b}"\n'
                'camunda:taskPriority="high"/>'
            ),
            None,
            "activity 'x' cannot be made alone: camunda:taskPriority of <serviceTask> 'x' is no "
            "whole number: 'high' (line 4); The embedded engine does not run the expression "
            "'${a.b}' as camunda:topic of <serviceTask> 'x'; it evaluates single variables only "
            "(line 4)",
            id="two problems",
        ),
        pytest.param(
            _process(_task(_input("\n<camunda:script/>")).replace('"t"', '"x"')),
            None,
            "activity 'x' cannot be made alone: The embedded engine does not run <camunda:script> "
            "as input parameter 'i' in <serviceTask> 'x' (line 5)",
            id="script",
        ),
        pytest.param(
            _process(
                _task(
                    _extended(
                        '<camunda:inputOutput><camunda:inputParameter name="i">${b}'
                        '</camunda:inputParameter><camunda:inputParameter name="j">#{a}'
                        '</camunda:inputParameter><camunda:inputParameter name="k">${c}'
                        "</camunda:inputParameter></camunda:inputOutput>"
                    ),
                    'camunda:type="external" camunda:topic="${i}"',
                ).replace('"t"', '"x"')
            ),
            {"c": 1},
            "activity 'x' needs the variables 'b', 'a'",
            id="missing variables",
        ),
        pytest.param(
            _process('<serviceTask id="x" camunda:type="external" camunda:topic="${a}"/>'),
            {},
            "activity 'x' needs the variables 'a'",
            id="missing topic",
        ),
        pytest.param(
            _process('<serviceTask id="x" camunda:type="external" camunda:topic="${a}"/>'),
            {"a": 5},
            "activity 'x' cannot be made alone: The topic ${a} must be a String, "
            "not of type Integer",
            id="topic of a wrong type",
        ),
        pytest.param(
            _process(f'<serviceTask id="x" {_EXTERNAL} camunda:taskPriority="${{a}}"/>'),
            {"a": "high"},
            "activity 'x' cannot be made alone: Priority value is not an Integer",
            id="priority of a wrong type",
        ),
        pytest.param(
            _process(_TASK.replace('"t"', '"x"')).replace('"p"', '"' + 256 * "p" + '"'),
            None,
            "activity 'x' cannot be made alone: An exception occurred in the persistence layer. "
            "Please check the server logs for a detailed message and the entire exception stack "
            "trace.",
            id="key of 256 letters",
        ),
    ],
)
def test_what_is_no_task_alone_is_a_value_error(
    made: Made, content: str, variables: dict[str, Any] | None, message: str
) -> None:
    """
    It names the file and the activity, and nothing was created.
    """
    with pytest.raises(ValueError, match=f"^{re.escape(f'invoices.bpmn: {message}')}$"):
        made.task_of(content, "x", variables=variables)

    assert made.client.count() == 0
    assert made.engine.session().get(f"{made.engine.local_url}/deployment").json() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Could not parse 'invoices.bpmn'. no element found: line 1, column 0"),
        (b"<a>", "Could not parse 'invoices.bpmn'. no element found: line 1, column 3"),
        (b"<!DOCTYPE a><a/>", "A document type is not allowed: line 1"),
    ],
)
def test_file_that_is_no_xml_is_a_value_error(made: Made, content: bytes, message: str) -> None:
    """
    The activity is named, too.
    """
    with pytest.raises(ValueError, match=f"activity 't' cannot be made alone.*{message}$"):
        made.task_of(content)


def test_arguments_have_types(made: Made) -> None:
    """
    Wrong ones are refused before anything is done.
    """
    with pytest.raises(TypeError, match=r"^activity_id is text, not 5$"):
        made.engine.create_task_of(made.file, 5)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(FileNotFoundError, match=r"invoices\.bpmn"):
        made.engine.create_task_of(str(made.file), "t")
    with pytest.raises(TypeError, match="say which, for example"):
        made.task_of(_process(_TASK), variables={"a": [1]})
    with pytest.raises(ValueError, match="Unsupported value type 'No'"):
        made.task_of(_process(_TASK), variables={"a": {"value": 1, "type": "No"}})


def test_completing_it_ends_its_instance(made: Made) -> None:
    """
    Flows and output parameters lead nowhere.
    """
    model = _process(
        _task(
            _extended(
                "<camunda:inputOutput><camunda:outputParameter name="
                '"o">1</camunda:outputParameter></camunda:inputOutput>'
            )
        )
        + '<sequenceFlow id="f" sourceRef="t" targetRef="u"/><userTask id="u"/>'
    )
    made.task_of(model)
    task = made.fetch()
    made.client.complete(task, variables={"paid": True})

    assert not made.engine.is_running(str(task.process_instance_id))
    assert made.engine.variables(str(task.process_instance_id)) == {"paid": True}


@pytest.mark.parametrize(
    ("code", "variables"),
    [("E1", {"c": "E1", "m": "no funds"}), ("E2", {}), ("E3", {"all": "E3"})],
)
def test_error_that_the_model_catches_is_caught(
    made: Made, code: str, variables: dict[str, str]
) -> None:
    """
    The variables of the event that catches it are set; the instance ends, as after any error.
    """
    variable = 'camunda:errorCodeVariable="c" camunda:errorMessageVariable="m"'
    made.task_of(
        _ERRORS
        + _process(
            f'{_TASK}<boundaryEvent id="b0" attachedToRef="t"><errorEventDefinition '
            'camunda:errorCodeVariable="all"/></boundaryEvent>'
            f'<boundaryEvent id="b1" attachedToRef="t"><errorEventDefinition errorRef="e1" '
            f"{variable}/></boundaryEvent>"
            '<boundaryEvent id="b2" attachedToRef="t"><errorEventDefinition errorRef="e2"/>'
            '</boundaryEvent><sequenceFlow id="f" sourceRef="b1" targetRef="u"/>'
            '<userTask id="u"/>'
        )
    )
    task = made.fetch()
    made.client.bpmn_error(task, error_code=code, error_message="no funds")

    assert made.engine.variables(str(task.process_instance_id)) == variables
    assert not made.engine.is_running(str(task.process_instance_id))


_IN: Final = '<subProcess id="o">{}</subProcess>'


@pytest.mark.parametrize(
    ("body", "caught"),
    [
        (_IN.format(_TASK + _catching("t", "", "own")) + _catching("o", "e1", "outer"), "own"),
        (_IN.format(_TASK + _catching("t", "e2", "own")) + _catching("o", "e1", "outer"), "outer"),
        (_IN.format(_TASK + _catching("", "", "event")) + _catching("o", "e1", "outer"), "event"),
        (_TASK + _catching("t", "", "every") + _catching("t", "e1", "one"), "one"),
        (_IN.format(_TASK) + _catching("", "E1", "process"), "process"),
        (
            '<subProcess id="o" triggeredByEvent="true"><startEvent id="s"><errorEventDefinition '
            f'camunda:errorCodeVariable="within"/></startEvent>{_TASK}</subProcess>'
            + _catching("", "", "beside"),
            "beside",
        ),
        (_TASK + _catching("t", "e2", "own"), None),
    ],
)
def test_error_is_caught_by_the_event_that_comes_first(
    made: Made, body: str, caught: str | None
) -> None:
    """
    From the task outwards; in a scope, an event subprocess before a boundary event, and one code
    before all; but no event subprocess catches what is thrown in it.
    """
    made.task_of(_ERRORS + _process(body))
    task = made.fetch()
    made.client.bpmn_error(task, error_code="E1")

    expected = {} if caught is None else {caught: "E1"}
    assert made.engine.variables(str(task.process_instance_id)) == expected


def test_failure_is_one_whatever_its_conditions(made: Made) -> None:
    """
    An error event definition of Camunda's own would throw an error, if its condition held.
    """
    condition = '<camunda:errorEventDefinition errorRef="e1" expression="${true}"/>'
    made.task_of(_ERRORS + _process(_task(_extended(condition)) + _catching("t", "e1", "c")))
    made.client.failure(made.fetch(), error_message="no answer", retries=2)
    [task] = made.client.list()

    assert (task.error_message, task.retries) == ("no answer", 2)


def test_process_itself_is_not_there(made: Made) -> None:
    """
    It cannot be started, and one that was deployed is what it was.
    """
    made.task_of(_process(_TASK))
    with pytest.raises(EngineError, match="No matching process definition with key: p"):
        made.engine.start("p")

    whole = '<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="u"/>'
    made.engine.deploy(_definitions(_process(f'{whole}<userTask id="u"/>')))
    made.task_of(_process(_TASK))
    made.engine.start("p")
    user_tasks = made.engine.session().get(f"{made.engine.local_url}/task").json()

    assert [task["taskDefinitionKey"] for task in user_tasks] == ["u"]


def test_file_is_deployed_when_it_has_changed(made: Made) -> None:
    """
    Tasks of the same model belong to the same definition, and may be of any number.
    """
    ids = [made.task_of(_process(_TASK)), made.task_of(_process(_TASK))]
    ids.append(made.task_of(_process(_TASK.replace('"a"', '"b"'))))
    tasks = [made.client.get(each) for each in ids]

    assert [task.topic_name for task in tasks] == ["a", "a", "b"]
    definitions = [str(task.process_definition_id) for task in tasks]
    assert [each.rpartition(":")[0] for each in definitions] == ["p:1", "p:1", "p:2"]
    assert definitions[0] == definitions[1]


def test_another_engine_on_the_file_knows_it(tmp_path: Path) -> None:
    """
    What becomes of the task is in the database, not in the engine that created it.
    """
    file, db = tmp_path / "invoices.bpmn", tmp_path / "engine.db"
    file.write_bytes(_definitions(_ERRORS + _process(_TASK + _catching("t", "e1", "c"))))
    with Engine(db) as one, Engine(db) as other, other.client() as client:
        one.create_task_of(file, "t")
        [task] = client.fetch_and_lock("w1", [Topic("a", lock_duration=60_000)], max_tasks=1)
        client.bpmn_error(task, error_code="E1")

        assert one.variables(str(task.process_instance_id)) == {"c": "E1"}
