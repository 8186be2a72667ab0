"""
Which BPMN the embedded engine runs, and how it refuses the rest.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from camunda_ext import EngineFailure, Topic
from camunda_ext.testing import Engine
from camunda_ext.testing._errors import EngineError
from camunda_ext.testing.bpmn.model import Evaluated
from camunda_ext.testing.bpmn.processes import ErrorCatch, Node, Process, parse
from tests.conformance import processes

_HERE: Final = Path(__file__).parent
_DEFINITIONS: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="t">
{before}  <process id="p" isExecutable="true" {attributes}>
{body}
  </process>
</definitions>
"""
_EXTERNAL: Final = 'camunda:type="external" camunda:topic="a"'
_TASK: Final = f'<serviceTask id="t" {_EXTERNAL}/>'
_START: Final = '<startEvent id="s"/>\n'
_CATCH: Final = '<boundaryEvent id="b" attachedToRef="t"><errorEventDefinition/></boundaryEvent>'
_INSTEAD: Final = (
    "The embedded engine runs none start and end events, external tasks, user tasks, parallel "
    "gateways, sequence flows without conditions, and error boundary events on external tasks: "
    "deploy a model of these, or take a real engine"
)


def _model(
    body: str, *, attributes: str = 'camunda:historyTimeToLive="1"', before: str = ""
) -> bytes:
    return _DEFINITIONS.format(body=body, attributes=attributes, before=before).encode()


def _task(inner: str = "", attributes: str = _EXTERNAL) -> str:
    return f'{_START}<serviceTask id="t" {attributes}>{inner}</serviceTask>'


def _extended(extensions: str) -> str:
    return _task(f"<extensionElements>{extensions}</extensionElements>")


def _inputs(parameters: str) -> str:
    return _extended(f"<camunda:inputOutput>{parameters}</camunda:inputOutput>")


def _only(content: bytes) -> Process:
    (process,) = parse("x.bpmn", content)
    return process


def _refusal(content: bytes) -> EngineError:
    with pytest.raises(EngineError) as raised:
        parse("x.bpmn", content)
    return raised.value


def _problems(content: bytes) -> list[dict[str, Any]]:
    refusal = _refusal(content)
    assert (refusal.status, refusal.type, refusal.code) == (400, "ParseException", 0)
    report: dict[str, list[dict[str, Any]]] = refusal.details["details"]["x.bpmn"]
    assert report["warnings"] == []
    return report["errors"]


def test_process_is_read_whole() -> None:
    """
    All that a Modeler writes is understood or ignored.
    """
    (process,) = parse("modeler.bpmn", (_HERE / "modeler.bpmn").read_bytes())

    assert process == Process(
        key="modeled",
        name="Modeled",
        version_tag="2.1",
        time_to_live=30,
        start="start",
        nodes={
            "start": Node(
                id="start",
                kind="start",
                name="Invoice\nreceived",
                outgoing=("charge",),
                incoming=0,
            ),
            "charge": Node(
                id="charge",
                kind="external",
                name="Charge",
                outgoing=("end",),
                incoming=1,
                topic="charge-card",
                priority=5,
                properties={"currency": "EUR", "limit": None},
                inputs={"mode": "careful", "nothing": None},
                catches=(
                    ErrorCatch(
                        id="declined",
                        error_code="DECLINED",
                        code_variable=None,
                        message_variable=None,
                        outgoing=("call",),
                    ),
                    ErrorCatch(
                        id="anything",
                        error_code=None,
                        code_variable="code",
                        message_variable="message",
                        outgoing=("call",),
                    ),
                ),
            ),
            "call": Node(
                id="call",
                kind="user",
                name="Call the customer",
                outgoing=("end",),
                incoming=2,
                evaluated=(
                    Evaluated(what="camunda:assignee", text="${clerk}", variable="clerk"),
                    Evaluated(what="camunda:dueDate", text="${due}", variable="due"),
                ),
            ),
            "end": Node(id="end", kind="end", name=None, outgoing=(), incoming=2),
        },
    )


def test_gateway_knows_its_flows() -> None:
    """
    A join waits for as many flows as it has, and a fork leads to all of its own.
    """
    process = _only(processes.bpmn("Q", key="q", topic_a="a", topic_b="b").encode())

    assert process.nodes["fork"] == Node(
        id="fork", kind="parallel", name=None, outgoing=("work_a", "work_b"), incoming=1
    )
    assert process.nodes["join"] == Node(
        id="join", kind="parallel", name=None, outgoing=("end",), incoming=2
    )


@pytest.mark.parametrize("name", ["P", "P_with_input", "Q", "S", "R"])
def test_processes_of_the_conformance_cases_are_run(name: str) -> None:
    """
    Every case can be played on the embedded engine.
    """
    model = processes.bpmn(name, key="p", topic_a="a", topic_b="b")

    assert _only(model.encode()).key == "p"


def test_process_of_the_documentation_is_run() -> None:
    """
    The tutorial works without a server.
    """
    model = _HERE.parents[1] / "docs" / "invoice.bpmn"

    assert _only(model.read_bytes()).nodes["charge"].topic == "invoice"


@pytest.mark.parametrize("tag", ["serviceTask", "sendTask", "businessRuleTask"])
def test_external_tasks_have_three_names(tag: str) -> None:
    """
    Whatever a task is called, and whatever else it has, it is external if its type is, in any case.
    """
    task = f'<{tag} id="t" camunda:type="External" camunda:topic="a" camunda:class="A"/>'

    assert _only(_model(_START + task)).nodes["t"] == Node(
        id="t", kind="external", name=None, outgoing=(), incoming=0, topic="a"
    )


@pytest.mark.parametrize(
    ("text", "priority"),
    [("7", 7), ("-5", -5), ("+5", 5), ("\u0663", 3), ("2147483647", 2147483647)],
)
def test_priority_is_a_number_as_java_reads_it(text: str, priority: int) -> None:
    """
    A sign and digits of any script are fine; the range is that of 32 bits.
    """
    task = _task(attributes=f'{_EXTERNAL} camunda:taskPriority="{text}"')

    assert _only(_model(task)).nodes["t"].priority == priority


def test_own_priority_comes_before_that_of_the_process() -> None:
    """
    The process's priority is for tasks that have none, and 0 is one.
    """
    attributes = 'camunda:historyTimeToLive="1" camunda:taskPriority="-3"'
    own = _task(attributes=f'{_EXTERNAL} camunda:taskPriority="0"')

    assert _only(_model(own, attributes=attributes)).nodes["t"].priority == 0
    assert _only(_model(_task(), attributes=attributes)).nodes["t"].priority == -3


@pytest.mark.parametrize("topic", ["", " a ", r"a\b", "a$b", "a{b}"])
def test_topic_is_taken_as_it_is(topic: str) -> None:
    """
    Only an expression is more than text.
    """
    task = _task(attributes=f'camunda:type="external" camunda:topic="{topic}"')

    assert _only(_model(task)).nodes["t"].topic == topic


def test_last_property_and_parameter_of_a_name_wins() -> None:
    """
    The engine keeps one value for a name.
    """
    model = _extended(
        '<camunda:properties><camunda:property name="k" value="1"/>'
        '<camunda:property name="k" value="${x}"/></camunda:properties>'
        '<camunda:inputOutput><camunda:inputParameter name="i">1</camunda:inputParameter>'
        '<camunda:inputParameter name="i"><![CDATA[ <2> ]]></camunda:inputParameter>'
        "</camunda:inputOutput>"
    )
    node = _only(_model(model)).nodes["t"]

    assert (node.properties, node.inputs) == ({"k": "${x}"}, {"i": "<2>"})


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("", None),
        ('errorRef="e"', "E"),
        ('errorRef="without"', None),
        ('errorRef="unknown"', "unknown"),
    ],
)
def test_boundary_event_catches_the_code_of_its_error(reference: str, code: str | None) -> None:
    """
    Without a code it catches all; a reference to nothing is itself the code.
    """
    catch = _CATCH.replace("<errorEventDefinition", f"<errorEventDefinition {reference}")
    errors = '<error id="e" errorCode="E"/><error id="without"/>\n'
    process = _only(_model(f"{_START}{_TASK}{catch}", before=errors))

    assert process.nodes["t"].catches == (
        ErrorCatch(id="b", error_code=code, code_variable=None, message_variable=None, outgoing=()),
    )


@pytest.mark.parametrize(
    "namespace",
    [
        "http://camunda.org/schema/1.0/bpmn",
        "http://operaton.org/schema/1.0/bpmn",
        "http://activiti.org/bpmn",
    ],
)
def test_extensions_have_three_namespaces(namespace: str) -> None:
    """
    Files of Camunda, its heirs and its predecessor are read alike.
    """
    model = _model(_inputs('<camunda:inputParameter name="i">1</camunda:inputParameter>'))
    content = model.replace(b"http://camunda.org/schema/1.0/bpmn", namespace.encode())
    node = _only(content).nodes["t"]

    assert (node.topic, node.inputs) == ("a", {"i": "1"})


@pytest.mark.parametrize("executable", ['isExecutable="false"', 'isExecutable="1"', ""])
def test_process_that_is_not_executable_is_skipped(executable: str) -> None:
    """
    Nothing in it matters, and "1" is not true for the engine.
    """
    model = _model("<scriptTask/>").replace(b'isExecutable="true"', executable.encode())

    assert parse("x.bpmn", model) == ()


def test_file_has_several_processes() -> None:
    """
    All executable ones are read, in their order.
    """
    another = '<process id="q" isExecutable="true" camunda:historyTimeToLive="P2D">'
    model = _model(_START, before=f'{another}<startEvent id="qs"/></process>\n')

    assert [(each.key, each.time_to_live) for each in parse("x.bpmn", model)] == [
        ("q", 2),
        ("p", 1),
    ]


def test_time_to_live_may_be_left_out_on_older_engines() -> None:
    """
    Only later versions want to know how long to keep the history.
    """
    (process,) = parse("x.bpmn", _model(_START, attributes=""), requires_time_to_live=False)

    assert process.time_to_live is None


def test_white_space_around_ids_is_no_part_of_them() -> None:
    """
    The schema says so.
    """
    flow = '<startEvent id=" s "/><sequenceFlow sourceRef=" s" targetRef="e "/><endEvent id="e"/>'
    process = _only(_model(flow))

    assert (process.start, process.nodes["s"].outgoing) == ("s", ("e",))


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "windows-1252"])
def test_file_says_its_encoding(encoding: str) -> None:
    """
    A topic is the same in any of them.
    """
    task = _task(attributes='camunda:type="external" camunda:topic="\u00e4"')
    text = _model(task).decode().replace("UTF-8", encoding)

    assert _only(text.encode(encoding)).nodes["t"].topic == "\u00e4"


@pytest.mark.parametrize(
    "extension",
    [
        '<camunda:field name="a" stringValue="b"/>',
        "<camunda:failedJobRetryTimeCycle>R3/PT1M</camunda:failedJobRetryTimeCycle>",
        '<other:thing xmlns:other="urn:other"><other:part/></other:thing>',
    ],
)
def test_extension_without_effect_is_ignored(extension: str) -> None:
    """
    It is about jobs or Java classes, or not Camunda's.
    """
    assert _only(_model(_extended(extension))) == _only(_model(_task()))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (f'{_START}<{tag} id="x"/>', f"<{tag}> 'x'")
        for tag in [
            "exclusiveGateway",
            "inclusiveGateway",
            "eventBasedGateway",
            "complexGateway",
            "task",
            "manualTask",
            "scriptTask",
            "receiveTask",
            "subProcess",
            "adHocSubProcess",
            "transaction",
            "callActivity",
            "intermediateCatchEvent",
            "intermediateThrowEvent",
        ]
    ]
    + [
        (f'<startEvent id="s"><{kind}/></startEvent>', f"<{kind}> in <startEvent> 's'")
        for kind in [
            "timerEventDefinition",
            "messageEventDefinition",
            "signalEventDefinition",
            "conditionalEventDefinition",
        ]
    ]
    + [
        (f'{_START}<endEvent id="e"><{kind}/></endEvent>', f"<{kind}> in <endEvent> 'e'")
        for kind in [
            "errorEventDefinition",
            "terminateEventDefinition",
            "messageEventDefinition",
            "escalationEventDefinition",
            "compensateEventDefinition",
        ]
    ]
    + [
        (
            _START + _TASK + _CATCH.replace("errorEventDefinition", kind),
            f"<{kind}> in <boundaryEvent> 'b'",
        )
        for kind in [
            "timerEventDefinition",
            "messageEventDefinition",
            "signalEventDefinition",
            "escalationEventDefinition",
            "compensateEventDefinition",
        ]
    ]
    + [
        (
            f'{_START}<userTask id="t"/>{_CATCH}',
            "<boundaryEvent> 'b' on <userTask> 't'",
        ),
        (
            f'{_START}{_TASK}{_CATCH}<sequenceFlow id="f" sourceRef="s" targetRef="b"/>',
            "<sequenceFlow> 'f' to boundary event 'b'",
        ),
        (
            (
                f'{_START}<sequenceFlow id="f" sourceRef="s" targetRef="s">'
                "<conditionExpression>${x}</conditionExpression></sequenceFlow>"
            ),
            "<conditionExpression> in <sequenceFlow> 'f'",
        ),
        (
            (
                f'{_task(attributes=f"""{_EXTERNAL} default="f" """)}'
                '<sequenceFlow id="f" sourceRef="t" targetRef="t"/>'
            ),
            "the attribute default of <serviceTask> 't'",
        ),
        (
            _task(attributes=f'{_EXTERNAL} isForCompensation="true"'),
            "the attribute isForCompensation of <serviceTask> 't'",
        ),
        (
            _task("<multiInstanceLoopCharacteristics/>"),
            "<multiInstanceLoopCharacteristics> in <serviceTask> 't'",
        ),
        (
            _task("<standardLoopCharacteristics/>"),
            "<standardLoopCharacteristics> in <serviceTask> 't'",
        ),
    ]
    + [
        (
            _task(attributes=f'{_EXTERNAL} camunda:{flag}="true"'),
            f"the attribute camunda:{flag} of <serviceTask> 't'",
        )
        for flag in ["async", "asyncBefore", "asyncAfter"]
    ]
    + [
        (
            f'<startEvent id="s" camunda:{name}="x"/>',
            f"the attribute camunda:{name} of <startEvent> 's'",
        )
        for name in ["initiator", "formHandlerClass"]
    ]
    + [
        (
            _task(attributes=attributes),
            "<serviceTask> 't' unless it has camunda:type=\"external\"",
        )
        for attributes in [
            'camunda:class="org.example.Charge"',
            'camunda:expression="${x}"',
            'camunda:delegateExpression="${x}"',
            'camunda:type="mail"',
            'camunda:type="shell"',
        ]
    ]
    + [
        (
            f'{_START}<businessRuleTask id="t" {_EXTERNAL} camunda:decisionRef="d"/>',
            "<businessRuleTask> 't' unless it has camunda:type=\"external\"",
        ),
        (
            _task(attributes='camunda:type="external" camunda:topic="a-${x}"'),
            (
                "the expression 'a-${x}' as camunda:topic of <serviceTask> 't'; "
                "it evaluates single variables only"
            ),
        ),
        (
            _task(attributes=f'{_EXTERNAL} camunda:taskPriority="#{{x + 1}}"'),
            (
                "the expression '#{x + 1}' as camunda:taskPriority of <serviceTask> 't'; "
                "it evaluates single variables only"
            ),
        ),
        (
            _inputs('<camunda:inputParameter name="i">${x.y}</camunda:inputParameter>'),
            (
                "the expression '${x.y}' as input parameter 'i' of <serviceTask> 't'; "
                "it evaluates single variables only"
            ),
        ),
        (
            _inputs('<camunda:outputParameter name="o">x</camunda:outputParameter>'),
            "<camunda:outputParameter> in <serviceTask> 't'",
        ),
        (
            _extended('<camunda:properties><camunda:property value="x"/></camunda:properties>'),
            "<camunda:property> without a name in <serviceTask> 't'",
        ),
    ]
    + [
        (
            _inputs(f'<camunda:inputParameter name="i">{value}</camunda:inputParameter>'),
            f"{what} input parameter 'i' {where} <serviceTask> 't'",
        )
        for value, what, where in [
            ("<camunda:script/>", "<camunda:script> as", "in"),
            ("<camunda:list><camunda:script/></camunda:list>", "<camunda:script> as", "in"),
            (
                "<camunda:list><camunda:value>${x}</camunda:value></camunda:list>",
                "the expression '${x}' in a list or map, as",
                "of",
            ),
            (
                '<camunda:map><camunda:entry key="#{x}"/></camunda:map>',
                "the expression '#{x}' in a list or map, as",
                "of",
            ),
        ]
    ]
    + [
        (
            _extended(f"<camunda:{extension}/>"),
            f"<camunda:{extension}> in <serviceTask> 't'",
        )
        for extension in ["executionListener", "errorEventDefinition", "connector", "invented"]
    ]
    + [
        (
            (
                f'{_START}<userTask id="u"><extensionElements><camunda:{extension}/>'
                "</extensionElements></userTask>"
            ),
            f"<camunda:{extension}> in <userTask> 'u'",
        )
        for extension in ["taskListener", "executionListener", "inputOutput"]
    ]
    + [
        (
            (
                '<startEvent id="s"><extensionElements><camunda:formData/></extensionElements>'
                "</startEvent>"
            ),
            "<camunda:formData> in <startEvent> 's'",
        ),
        (
            f"<extensionElements><camunda:executionListener/></extensionElements>{_START}",
            "<camunda:executionListener> in <process> 'p'",
        ),
        (
            (
                f'{_START}<sequenceFlow id="f" sourceRef="s" targetRef="s"><extensionElements>'
                "<camunda:executionListener/></extensionElements></sequenceFlow>"
            ),
            "<camunda:executionListener> in <sequenceFlow> 'f'",
        ),
        ("<startEvent/>", "<startEvent> without an id"),
        (f"{_START}<serviceTask {_EXTERNAL}/>", "<serviceTask> without an id"),
    ],
)
def test_what_is_not_run_is_refused(body: str, what: str) -> None:
    """
    The message names it, and nothing else is said about it.
    """
    (problem,) = _problems(_model(body))

    assert problem["message"] == f"The embedded engine does not run {what}"


def test_refusal_names_the_element_in_the_model() -> None:
    """
    A problem within an element is told of both, and the outer one is the main one.
    """
    model = _model('<startEvent id="s">\n <timerEventDefinition id="d"/></startEvent>')

    assert _problems(model) == [
        {
            "message": (
                "The embedded engine does not run <timerEventDefinition> in <startEvent> 's'"
            ),
            "line": 6,
            "column": 2,
            "mainElementId": "s",
            "\u0435lementIds": ["d", "s"],
        }
    ]


def test_flow_to_what_is_refused_is_not_refused_once_more() -> None:
    """
    One mistake is one problem.
    """
    model = _model(
        f'{_START}<exclusiveGateway id="x"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/>'
        '<boundaryEvent id="b" attachedToRef="x"><errorEventDefinition/></boundaryEvent>'
    )

    assert [problem["mainElementId"] for problem in _problems(model)] == ["x"]


def test_all_problems_are_told_at_once() -> None:
    """
    Each with the file, the line and the element.
    """
    model = _model(
        '<endEvent id="end"/>\n'
        '<serviceTask id="t" camunda:type="external"/>\n'
        '<sequenceFlow id="f" sourceRef="t" targetRef="zz"/>\n'
        '<serviceTask id="u" camunda:type="external" camunda:taskPriority="q"/>',
        attributes="",
    )
    refusal = _refusal(model)

    assert (refusal.status, refusal.type, refusal.code) == (400, "ParseException", 0)
    assert refusal.message == (
        "ENGINE-09005 Could not parse BPMN process. Errors: \n"
        "* <sequenceFlow> 'f' refers to 'zz', which is no id in this file"
        " | resource x.bpmn | line 7 | column 1\n"
        "* camunda:historyTimeToLive of <process> 'p' is missing: say how long the history is kept,"
        ' such as "P180D", or make the engine with history_time_to_live'
        " | resource x.bpmn | line 4 | column 3\n"
        "* <process> 'p' has no start event | resource x.bpmn | line 4 | column 3\n"
        "* <serviceTask> 't' has no camunda:topic | resource x.bpmn | line 6 | column 1\n"
        "* <serviceTask> 'u' has no camunda:topic | resource x.bpmn | line 8 | column 1\n"
        "* camunda:taskPriority of <serviceTask> 'u' is no whole number: 'q'"
        " | resource x.bpmn | line 8 | column 1"
    )


#: Models that Camunda 7.24 refuses, and the line, what is said, and the ids of elements.
REFUSED: Final[dict[str, tuple[bytes, int, str, list[str]]]] = {
    "no topic": (
        _model(_task(attributes='camunda:type="external"')),
        6,
        "<serviceTask> 't' has no camunda:topic",
        ["t"],
    ),
    "no type": (
        _model(f'{_START}<serviceTask id="t"/>'),
        6,
        (
            "The embedded engine does not run <serviceTask> 't' unless it has "
            'camunda:type="external"'
        ),
        ["t"],
    ),
    "unknown type": (
        _model(f'{_START}<sendTask id="t" camunda:type="foo"/>'),
        6,
        "The embedded engine does not run <sendTask> 't' unless it has camunda:type=\"external\"",
        ["t"],
    ),
    "priority beyond 32 bits": (
        _model(_task(attributes=f'{_EXTERNAL} camunda:taskPriority="2147483648"')),
        6,
        "camunda:taskPriority of <serviceTask> 't' is no whole number: '2147483648'",
        ["t"],
    ),
    "priority of jobs": (
        _model(_START, attributes='camunda:historyTimeToLive="1" camunda:jobPriority=" 1"'),
        4,
        "camunda:jobPriority of <process> 'p' is no whole number: ' 1'",
        ["p"],
    ),
    "time to live is no number of days": (
        _model(_START, attributes='camunda:historyTimeToLive="P1M"'),
        4,
        "camunda:historyTimeToLive of <process> 'p' is no number of days: 'P1M'",
        ["p"],
    ),
    "time to live is negative": (
        _model(_START, attributes='camunda:historyTimeToLive="-1"'),
        4,
        "camunda:historyTimeToLive of <process> 'p' is no number of days: '-1'",
        ["p"],
    ),
    "no start event": (
        _model('<endEvent id="e"/>'),
        4,
        "<process> 'p' has no start event",
        ["p"],
    ),
    "two start events": (
        _model('<startEvent id="a"/>\n<startEvent id="b"/>'),
        6,
        "<process> 'p' has more than one start event",
        ["b", "p"],
    ),
    "flow from nothing": (
        _model(f'{_START}<sequenceFlow sourceRef="zz" targetRef="s"/>'),
        6,
        "<sequenceFlow> refers to 'zz', which is no id in this file",
        [],
    ),
    "flow to a flow": (
        _model(f'{_START}<sequenceFlow id="f" sourceRef="s" targetRef="f"/>'),
        6,
        "The target of <sequenceFlow> 'f' is no step of its process: 'f'",
        ["f"],
    ),
    "flow to nowhere": (
        _model(f'{_START}<sequenceFlow id="f" sourceRef="s"/>'),
        6,
        "<sequenceFlow> 'f' has no attribute targetRef",
        ["f"],
    ),
    "boundary event on nothing": (
        _model(_START + _CATCH),
        6,
        "<boundaryEvent> 'b' is attached to no step of its process, but to 't'",
        ["b"],
    ),
    "boundary event of no kind": (
        _model(f'{_START}{_TASK}<boundaryEvent id="b" attachedToRef="t"/>'),
        6,
        "<boundaryEvent> 'b' has no event definition",
        ["b"],
    ),
    "boundary event of two errors": (
        _model(_START + _TASK + _CATCH.replace("<err", "<errorEventDefinition/><err", 1)),
        6,
        "<boundaryEvent> 'b' has more than one <errorEventDefinition>",
        ["b"],
    ),
    "error without id": (
        _model(_START, before='<error errorCode="E"/>\n'),
        4,
        "<error> has no id",
        [],
    ),
    "properties twice": (
        _model(_extended("<camunda:properties/>\n<camunda:properties/>")),
        7,
        "<serviceTask> 't' has more than one <camunda:properties>",
        ["t"],
    ),
    "input parameter without name": (
        _model(_inputs("\n<camunda:inputParameter>x</camunda:inputParameter>")),
        7,
        "An input parameter of <serviceTask> 't' has no name",
        ["t"],
    ),
    "input parameter of two values": (
        _model(
            _inputs(
                '<camunda:inputParameter name="i"><camunda:list/>\n<camunda:list/>'
                "</camunda:inputParameter>"
            )
        ),
        7,
        "<serviceTask> 't' has more than one value in input parameter 'i'",
        ["t"],
    ),
    "entry without a key": (
        _model(
            _inputs(
                '<camunda:inputParameter name="i"><camunda:map>\n<camunda:entry key=""/>'
                "</camunda:map></camunda:inputParameter>"
            )
        ),
        7,
        "An entry in input parameter 'i' of <serviceTask> 't' has no key",
        ["t"],
    ),
    "input parameters of a gateway": (
        _model(
            f'{_START}<parallelGateway id="g"><extensionElements><camunda:inputOutput/>'
            "</extensionElements></parallelGateway>"
        ),
        6,
        "The embedded engine does not run <camunda:inputOutput> in <parallelGateway> 'g'",
        ["g"],
    ),
    "association with nothing": (
        _model(f'{_START}<association id="a" sourceRef="s" targetRef="zz"/>'),
        6,
        "<association> 'a' refers to 'zz', which is no id in this file",
        ["a"],
    ),
    "lane of nothing": (
        _model(f"<laneSet><lane><flowNodeRef>zz</flowNodeRef></lane></laneSet>{_START}"),
        5,
        "<flowNodeRef> refers to 'zz', which is no id in this file",
        [],
    ),
    "one id twice": (
        _model(f'{_START}<endEvent id="s"/>'),
        6,
        "The id 's' is not the only one in this file",
        ["s"],
    ),
    "id that is no name": (
        _model('<startEvent id="a b"/>'),
        5,
        "The attribute id of <startEvent> 'a b' must be a name without blanks, not 'a b'",
        ["a b"],
    ),
    "reference that is no name": (
        _model('<startEvent id="s"><outgoing>a b</outgoing></startEvent>'),
        5,
        "<outgoing> must be a name without blanks, not 'a b'",
        [],
    ),
    "truth that is none": (
        _model(_START).replace(b'isExecutable="true"', b'isExecutable="TRUE"'),
        4,
        "The attribute isExecutable of <process> 'p' must be true or false, not 'TRUE'",
        ["p"],
    ),
    "unknown attribute": (
        _model('<startEvent id="s" foo="1"/>'),
        5,
        "<startEvent> 's' has an attribute that BPMN does not know: foo",
        ["s"],
    ),
    "unknown element": (
        _model(f'{_START}<foo id="f"/><bar/>'),
        6,
        "<foo> 'f' may not stand at this place in <process> 'p'",
        ["f"],
    ),
    "element in the wrong place": (
        _model(f'<textAnnotation id="x"/>\n{_START}'),
        6,
        "<startEvent> 's' may not stand at this place in <process> 'p'",
        ["s"],
    ),
    "element where nothing follows": (
        _model(_START, before='<error id="e"><extensionElements/><documentation/></error>\n'),
        4,
        "<documentation> may not stand at this place in <error> 'e'",
        [],
    ),
    "element of BPMN as extension": (
        _model(_extended("<task/>")),
        6,
        "<task> is no extension of BPMN",
        [],
    ),
    "text between elements": (
        _model(f"hello {_START}"),
        4,
        "<process> 'p' has text between its elements",
        ["p"],
    ),
    "no target namespace": (
        _model(_START).replace(b' targetNamespace="t"', b""),
        2,
        "<definitions> has no attribute targetNamespace",
        [],
    ),
    "no BPMN": (
        b"<definitions/>",
        1,
        (
            "The root must be <definitions> of the namespace "
            "http://www.omg.org/spec/BPMN/20100524/MODEL"
        ),
        [],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_camunda_refuses_is_refused(name: str) -> None:
    """
    One mistake is one problem, in words that say what to look at.
    """
    content, line, message, ids = REFUSED[name]
    [problem] = _problems(content)
    del problem["column"]

    assert problem == {
        "message": message,
        "line": line,
        "mainElementId": ids[-1] if ids else None,
        "\u0435lementIds": ids,
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no element found: line 1, column 0"),
        (b"hello", "syntax error: line 1, column 0"),
        (b"<a>\n<b></a>", "mismatched tag: line 2, column 5"),
        (b"<a>", "no element found: line 1, column 3"),
        (b"<a/><b/>", "junk after document element: line 1, column 4"),
        (b"<a:b/>", "unbound prefix: line 1, column 0"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "unknown encoding: klingon"),
        (
            b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>',
            "A document type is not allowed: line 1",
        ),
    ],
)
def test_file_that_is_no_xml_is_an_error_of_the_server(content: bytes, reason: str) -> None:
    """
    As in Camunda, it has no list of problems; Python's parser says what is wrong, and where.
    """
    refusal = _refusal(content)

    assert (refusal.status, refusal.type, refusal.message, refusal.code, refusal.details) == (
        500,
        "ProcessEngineException",
        f"ENGINE-09003 Could not parse 'x.bpmn'. {reason}",
        0,
        {},
    )


def test_what_to_do_is_said_once() -> None:
    """
    Behind all that is refused, in sub processes as well.
    """
    refusal = _refusal(
        _model(
            f'{_START}<exclusiveGateway id="x"/><subProcess id="a"><startEvent id="b"/>'
            '<subProcess id="c"><scriptTask id="d"/><userTask id="e" camunda:asyncBefore="true"/>'
            "</subProcess></subProcess>"
        )
    )

    assert [line.partition(" | ")[0] for line in str(refusal.message).splitlines()[1:]] == [
        "* The embedded engine does not run <exclusiveGateway> 'x'",
        "* The embedded engine does not run <subProcess> 'a'",
        "* The embedded engine does not run <subProcess> 'c'",
        "* The embedded engine does not run <scriptTask> 'd'",
        "* The embedded engine does not run the attribute camunda:asyncBefore of <userTask> 'e'",
        _INSTEAD,
    ]
    assert _INSTEAD not in str(_refusal(_model("")).message)


# ------------------------------------------------------------------------------------- user tasks


def _user_task(attributes: str = "", content: str = "") -> bytes:
    return _model(
        f'{_START}<sequenceFlow id="f" sourceRef="s" targetRef="t"/>'
        f'<serviceTask id="t" {_EXTERNAL}/><sequenceFlow id="g" sourceRef="t" targetRef="u"/>'
        f'<userTask id="u" {attributes}>{content}</userTask>'
    )


def _form(field: str) -> str:
    return f"<extensionElements><camunda:formData>{field}</camunda:formData></extensionElements>"


_TYPES: Final = "string, long, date, boolean, enum"
#: Camunda 7.24 refuses the same forms.
_FORMS: Final = {
    '<camunda:formField type="string"/>': "<camunda:formField> has no id",
    '<camunda:formField id="" type="string"/>': "<camunda:formField> '' has no id",
    '<camunda:formField id="a"/>': f"<camunda:formField> 'a' needs a type of {_TYPES}",
    '<camunda:formField id="a" type="x"/>': f"<camunda:formField> 'a' needs a type of {_TYPES}",
    '<camunda:formField id="a" type="date" datePattern="dd.nn"/>': (
        "The datePattern of <camunda:formField> 'a' is none of dates"
    ),
    (
        '<camunda:formField id="a" type="string"><camunda:validation><camunda:constraint '
        'name="foo"/></camunda:validation></camunda:formField>'
    ): (
        "A constraint of <camunda:formField> 'a' needs a name of validator, required, readonly, "
        "min, max, minlength, maxlength"
    ),
    (
        '<camunda:formField id="a" type="string"><camunda:validation><camunda:constraint '
        'name="validator"/></camunda:validation></camunda:formField>'
    ): "The validator of <camunda:formField> 'a' has no config",
}


@pytest.mark.parametrize(("field", "message"), _FORMS.items())
def test_a_form_that_is_none_is_refused(field: str, message: str) -> None:
    """
    When it is deployed.
    """
    assert [each["message"] for each in _problems(_user_task(content=_form(field)))] == [message]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            'camunda:formKey="a" camunda:formRef="b" camunda:formRefBinding="latest"',
            "<userTask> 'u' has both camunda:formKey and camunda:formRef",
        ),
        (
            'camunda:formRef="b"',
            "<userTask> 'u' needs a camunda:formRefBinding of deployment, latest, version",
        ),
        (
            'camunda:formRef="b" camunda:formRefBinding="version"',
            "<userTask> 'u' has no camunda:formRefVersion",
        ),
        (
            'camunda:assignee="${a.b}"',
            (
                "The embedded engine does not run the expression '${a.b}' as camunda:assignee of "
                "<userTask> 'u'; it evaluates single variables only"
            ),
        ),
        (
            'camunda:dueDate="soon"',
            (
                "The embedded engine does not run <userTask> 'u' with camunda:dueDate 'soon', "
                "which is no date"
            ),
        ),
        (
            'camunda:priority=""',
            (
                "The embedded engine does not run <userTask> 'u' with camunda:priority '', "
                "which is no whole number"
            ),
        ),
        (
            'camunda:priority="5.5"',
            (
                "The embedded engine does not run <userTask> 'u' with camunda:priority '5.5', "
                "which is no whole number"
            ),
        ),
    ],
)
def test_what_would_fail_later_is_refused(attributes: str, message: str) -> None:
    """
    Or what nobody can tell yet.
    """
    assert [each["message"] for each in _problems(_user_task(attributes))] == [message]


@pytest.mark.parametrize(
    "attributes",
    [
        'camunda:dueDate="2026-01-01T00:00:00" camunda:priority="5"',
        'camunda:dueDate="2026-01-01" camunda:followUpDate="P1DT2H"',
        'camunda:candidateUsers="" name="costs $5" camunda:formKey="${x.y}"',
    ],
)
def test_what_is_constant_is_run(attributes: str) -> None:
    """
    As Camunda runs it.
    """
    with Engine() as engine:
        engine.deploy(_user_task(attributes))


@pytest.mark.parametrize(
    ("attributes", "variables", "message"),
    [
        ('camunda:assignee="${x}"', {"x": "kim"}, None),
        ('camunda:assignee="${x}"', {}, "Cannot resolve identifier 'x'"),
        ('name="#{x}"', {}, "Unknown property used in expression: #{x}."),
        (
            'camunda:dueDate="${x}"',
            {"x": {"type": "Date", "value": "2026-01-01T00:00:00.000+0000"}},
            None,
        ),
        ('camunda:dueDate="${x}"', {"x": "2026-01-01"}, None),
        ('camunda:dueDate="${x}"', {"x": "soon"}, "Exception while resolving duedate 'soon'"),
        ('camunda:priority="${x}"', {"x": 5}, None),
        ('camunda:priority="${x}"', {"x": "high"}, "Priority does not resolve to a number: high"),
    ],
)
def test_a_variable_is_evaluated_when_the_task_comes_to_be(
    attributes: str, variables: dict[str, Any], message: str | None
) -> None:
    """
    And fails whoever completes the task before it.
    """
    with Engine() as engine, engine.client(retry=False) as client:
        engine.deploy(_user_task(attributes))
        engine.start("p", variables=variables)
        [task] = client.fetch_and_lock("w1", [Topic("a", lock_duration=1000)], max_tasks=1)
        if message is None:
            client.complete(task.id, "w1")
            return
        with pytest.raises(EngineFailure, match=re.escape(message)) as raised:
            client.complete(task.id, "w1")

        assert (raised.value.type, raised.value.code) == ("ProcessEngineException", 0)
        assert client.get(task.id).worker_id == "w1"


@pytest.mark.parametrize(
    ("task", "variables", "java_type", "code", "message"),
    [
        (
            _inputs('<camunda:inputParameter name="i">${x}</camunda:inputParameter>'),
            {},
            "ProcessEngineException",
            0,
            "Unknown property used in expression: ${x}. Cause: Cannot resolve identifier 'x'",
        ),
        (
            # An input parameter does not see the others.
            _inputs(
                '<camunda:inputParameter name="x">1</camunda:inputParameter>'
                '<camunda:inputParameter name="y">${x}</camunda:inputParameter>'
            ),
            {},
            "ProcessEngineException",
            0,
            "Unknown property used in expression: ${x}. Cause: Cannot resolve identifier 'x'",
        ),
        (
            _inputs('<camunda:inputParameter name="i">${x}</camunda:inputParameter>'),
            {
                "x": {
                    "type": "Object",
                    "value": "<a/>",
                    "valueInfo": {
                        "objectTypeName": "A",
                        "serializationDataFormat": "application/xml",
                    },
                }
            },
            "ProcessEngineException",
            0,
            "Cannot deserialize object in variable 'x': it is not serialized as JSON",
        ),
        (
            _task(attributes='camunda:type="external" camunda:topic="${x}"'),
            {},
            "ProcessEngineException",
            0,
            "Unknown property used in expression: ${x}. Cause: Cannot resolve identifier 'x'",
        ),
        (
            _task(attributes='camunda:type="external" camunda:topic="${x}"'),
            {"x": 5},
            "ClassCastException",
            None,
            "The topic ${x} must be a String, not of type Integer",
        ),
        (
            _task(attributes='camunda:type="external" camunda:topic="${x}"'),
            {"x": None},
            "ClassCastException",
            None,
            "The topic ${x} must be a String, not of type Null",
        ),
        (
            _task(attributes=f'{_EXTERNAL} camunda:taskPriority="${{x}}"'),
            {"x": "5"},
            "ProcessEngineException",
            0,
            ": Priority value is not an Integer",
        ),
        (
            _task(attributes=f'{_EXTERNAL} camunda:taskPriority="${{x}}"'),
            {"x": 5.0},
            "ProcessEngineException",
            0,
            ": Priority value must be either Short, Integer, or Long",
        ),
    ],
)
def test_external_task_that_cannot_be_evaluated_is_none(
    task: str, variables: dict[str, Any], java_type: str, code: int | None, message: str
) -> None:
    """
    The command that would create it fails, and nothing has happened.
    """
    flow = '<sequenceFlow sourceRef="s" targetRef="t"/>'
    with Engine() as engine, engine.client() as client:
        engine.deploy(_model(task + flow))
        with pytest.raises(EngineError) as raised:
            engine.start("p", variables=variables)

        refusal = raised.value
        assert (refusal.type, refusal.code, refusal.message) == (java_type, code, message)
        assert client.count() == 0


@pytest.mark.parametrize(
    ("process", "task", "variables", "priority"),
    [
        ("", "${x}", {"x": 7}, 7),
        ("", "${x}", {"x": 2**40}, 2**40),
        ("${y}", "", {"y": -7}, -7),
        ("${y}", "${x}", {"x": 7, "y": 8}, 7),
        # Only a process application, which the engine has not, would miss the variable.
        ("", "${x}", {}, 0),
        ("5", "${x}", {}, 0),
    ],
)
def test_priority_may_be_a_variable(
    process: str, task: str, variables: dict[str, int], priority: int
) -> None:
    """
    Of the task, or of its process.
    """
    attributes = [f'camunda:taskPriority="{each}"' if each else "" for each in (process, task)]
    model = _model(
        _task(attributes=f"{_EXTERNAL} {attributes[1]}")
        + '<sequenceFlow sourceRef="s" targetRef="t"/>',
        attributes=f'camunda:historyTimeToLive="1" {attributes[0]}',
    )
    with Engine() as engine, engine.client() as client:
        engine.deploy(model)
        engine.start("p", variables=variables)

        assert [each.priority for each in client.list()] == [priority]


def test_lists_and_maps_are_constants() -> None:
    """
    The name of an element with text does not matter; of equal keys the last counts.
    """
    model = _inputs(
        '<camunda:inputParameter name="text"><camunda:value> 1 </camunda:value>'
        "</camunda:inputParameter>"
        '<camunda:inputParameter name="list"><camunda:list><camunda:value>a</camunda:value>'
        "<camunda:value/><camunda:list/></camunda:list></camunda:inputParameter>"
        '<camunda:inputParameter name="map">text<camunda:map><camunda:entry key="b">1'
        '</camunda:entry><camunda:entry key="a"><camunda:map/></camunda:entry>'
        '<camunda:entry key="b">2</camunda:entry></camunda:map></camunda:inputParameter>'
    )
    inputs = _only(_model(model)).nodes["t"].inputs

    # As text, as the order of the keys is compared, too.
    assert str(inputs) == "{'text': '1', 'list': ['a', None, []], 'map': {'a': {}, 'b': '2'}}"
