"""
Which BPMN the embedded engine runs, and how it refuses the rest.

What a real engine refuses too is answered in its words, recorded from Camunda 7.24.
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
from camunda_ext.testing.bpmn.processes import Boundary, Node, Process, parse
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
_NO_TIME_TO_LIVE: Final = (
    "ENGINE-12018 History Time To Live (TTL) cannot be null. TTL is necessary for the History "
    "Cleanup to work. The following options are possible:\n"
    "* Set historyTimeToLive in the model\n"
    "* Set a default historyTimeToLive as a global process engine configuration\n"
    "* (Not recommended) Deactivate the enforceTTL config to disable this check"
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
                boundaries=(
                    Boundary(
                        id="declined",
                        error_code="DECLINED",
                        code_variable=None,
                        message_variable=None,
                        outgoing=("call",),
                    ),
                    Boundary(
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
    Whatever a task is called, it is external if its type is, in any case.
    """
    task = f'<{tag} id="t" camunda:type="External" camunda:topic="a"/>'

    assert _only(_model(_START + task)).nodes["t"] == Node(
        id="t", kind="external", name=None, outgoing=(), incoming=0, topic="a"
    )


@pytest.mark.parametrize(
    ("given", "priority"),
    [("7", 7), ("-5", -5), ("+5", 5), ("\u0663", 3), ("2147483647", 2147483647)],
)
def test_priority_is_a_number_as_java_reads_it(given: str, priority: int) -> None:
    """
    A sign and digits of any script are fine; the range is that of 32 bits.
    """
    task = _task(attributes=f'{_EXTERNAL} camunda:taskPriority="{given}"')

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

    assert process.nodes["t"].boundaries == (
        Boundary(id="b", error_code=code, code_variable=None, message_variable=None, outgoing=()),
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
                "it runs constant text only"
            ),
        ),
        (
            _task(attributes=f'{_EXTERNAL} camunda:taskPriority="#{{x}}"'),
            (
                "the expression '#{x}' as camunda:taskPriority of <serviceTask> 't'; "
                "it runs constant text only"
            ),
        ),
        (
            _inputs('<camunda:inputParameter name="i">${x}</camunda:inputParameter>'),
            (
                "the expression '${x}' as input parameter 'i' of <serviceTask> 't'; "
                "it runs constant text only"
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
            _inputs(f'<camunda:inputParameter name="i"><camunda:{kind}/></camunda:inputParameter>'),
            f"<camunda:{kind}> as input parameter 'i' in <serviceTask> 't'",
        )
        for kind in ["list", "map", "script"]
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
    model = _model('<startEvent id="s">\n<timerEventDefinition id="d"/></startEvent>')

    assert _problems(model) == [
        _at(
            6,
            31,
            "The embedded engine does not run <timerEventDefinition> in <startEvent> 's'",
            "d",
            "s",
        )
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
    The schema's come first, then the engine's in the order in which it reads a process.
    """
    model = _model(
        '<endEvent id="end"/>\n'
        '<serviceTask id="t" camunda:type="external"/>\n'
        '<sequenceFlow id="f" sourceRef="t" targetRef="zz"/>\n'
        '<serviceTask id="u" camunda:type="external" camunda:taskPriority="q"/>',
        attributes="",
    )
    no_time_to_live = f"{_NO_TIME_TO_LIVE}: {_NO_TIME_TO_LIVE}"
    refusal = _refusal(model)

    assert (refusal.status, refusal.type, refusal.code) == (400, "ParseException", 0)
    assert refusal.message == (
        "ENGINE-09005 Could not parse BPMN process. Errors: \n"
        "* cvc-id.1: There is no ID/IDREF binding for IDREF 'zz'."
        " | resource x.bpmn | line 10 | column 15\n"
        f"* {no_time_to_live} | resource x.bpmn | line 4 | column 40\n"
        "* process must define a startEvent element | resource x.bpmn | line 4 | column 40\n"
        "* External tasks must specify a 'topic' attribute in the camunda namespace"
        " | resource x.bpmn | line 6 | column 46\n"
        "* External tasks must specify a 'topic' attribute in the camunda namespace"
        " | resource x.bpmn | line 8 | column 71\n"
        "* Value 'q' for attribute 'taskPriority' is not a valid number"
        " | resource x.bpmn | line 8 | column 71\n"
        "* Invalid destination 'zz' of sequence flow 'f'"
        " | resource x.bpmn | line 7 | column 52"
    )
    assert refusal.details["details"]["x.bpmn"]["errors"][1] == {
        "message": no_time_to_live,
        "line": 4,
        "column": 40,
        "mainElementId": "p",
        "\u0435lementIds": ["p"],
    }


_NAMESPACE: Final = '"http://www.omg.org/spec/BPMN/20100524/MODEL":'
_TOPIC: Final = "External tasks must specify a 'topic' attribute in the camunda namespace"
_ONE_OF: Final = (
    "One of the attributes 'class', 'delegateExpression', 'type', or 'expression' is mandatory on "
)
_PLUGIN: Final = (
    " If you are using a connector, make sure the connect process engine plugin is registered "
    "with the process engine."
)
_AFTER_FLOW: Final = (
    f"{_NAMESPACE}artifact, {_NAMESPACE}resourceRole, "
    f"{_NAMESPACE}correlationSubscription, {_NAMESPACE}supports"
)


def _at(line: int, column: int, message: str, *ids: str) -> dict[str, Any]:
    return {
        "message": message,
        "line": line,
        "column": column,
        "mainElementId": ids[-1] if ids else None,
        "\u0435lementIds": list(ids),
    }


#: Models, and the problems that Camunda 7.24 has with them.
RECORDED: Final[dict[str, tuple[bytes, list[dict[str, Any]]]]] = {
    "no topic": (
        _model(_task(attributes='camunda:type="external"')),
        [_at(6, 45, _TOPIC, "t")],
    ),
    "no type": (
        _model(f'{_START}<serviceTask id="t"/>'),
        [_at(6, 22, f"{_ONE_OF}serviceTask.{_PLUGIN}", "t")],
    ),
    "no type of a send task": (
        _model(f'{_START}<sendTask id="t"/>'),
        [_at(6, 19, f"{_ONE_OF}sendTask.", "t")],
    ),
    "unknown type": (
        _model(f'{_START}<serviceTask id="t" camunda:type="foo"/>'),
        [
            _at(6, 41, "Invalid usage of type attribute on serviceTask: 'foo'", "t"),
            _at(6, 41, f"{_ONE_OF}serviceTask.{_PLUGIN}", "t"),
        ],
    ),
    "priority beyond 32 bits": (
        _model(_task(attributes=f'{_EXTERNAL} camunda:taskPriority="2147483648"')),
        [_at(6, 97, "Value '2147483648' for attribute 'taskPriority' is not a valid number", "t")],
    ),
    "priority of jobs": (
        _model(_START, attributes='camunda:historyTimeToLive="1" camunda:jobPriority=" 1"'),
        [_at(4, 94, "Value ' 1' for attribute 'jobPriority' is not a valid number", "p")],
    ),
    "time to live is no number of days": (
        _model(_START, attributes='camunda:historyTimeToLive="P1M"'),
        [
            _at(
                4,
                71,
                'Cannot parse historyTimeToLive: For input string: "P1M": '
                'Cannot parse historyTimeToLive: For input string: "P1M"',
                "p",
            )
        ],
    ),
    "time to live is negative": (
        _model(_START, attributes='camunda:historyTimeToLive="-1"'),
        [
            _at(
                4,
                70,
                "Cannot parse historyTimeToLive: negative value is not allowed: "
                "Cannot parse historyTimeToLive: negative value is not allowed",
                "p",
            )
        ],
    ),
    "no start event": (
        _model('<endEvent id="e"/>'),
        [_at(4, 69, "process must define a startEvent element", "p")],
    ),
    "two start events": (
        _model('<startEvent id="a"/><startEvent id="b"/>'),
        [
            _at(
                4,
                69,
                "multiple none start events or timer start events not supported on process "
                "definition",
                "p",
                "b",
            )
        ],
    ),
    "flow from nothing": (
        _model(f'{_START}<sequenceFlow sourceRef="zz" targetRef="s"/>'),
        [
            _at(8, 15, "cvc-id.1: There is no ID/IDREF binding for IDREF 'zz'."),
            _at(6, 45, "Invalid source 'zz' of sequence flow 'null'"),
        ],
    ),
    "flow to a flow": (
        _model(f'{_START}<sequenceFlow id="f" sourceRef="s" targetRef="f"/>'),
        [_at(6, 51, "Invalid destination 'f' of sequence flow 'f'", "f")],
    ),
    "flow to nowhere": (
        _model(f'{_START}<sequenceFlow id="f" sourceRef="s"/>'),
        [
            _at(
                6,
                37,
                "cvc-complex-type.4: Attribute 'targetRef' must appear on element 'sequenceFlow'.",
            ),
            _at(6, 37, "Invalid destination 'null' of sequence flow 'f'", "f"),
        ],
    ),
    "boundary event on nothing": (
        _model(_START + _CATCH),
        [
            _at(
                6,
                41,
                "Invalid reference in boundary event. Make sure that the referenced activity is "
                "defined in the same scope as the boundary event",
                "b",
            )
        ],
    ),
    "boundary event of no kind": (
        _model(f'{_START}{_TASK}<boundaryEvent id="b" attachedToRef="t"/>'),
        [_at(6, 105, "Unsupported boundary event type", "b")],
    ),
    "error without id": (
        _model(_START, before='<error errorCode="E"/>\n'),
        [_at(4, 23, "'id' is mandatory on error definition")],
    ),
    "input parameter without name": (
        _model(_inputs("\n<camunda:inputParameter>x</camunda:inputParameter>")),
        [_at(7, 25, "Missing attribute 'name' for inputParameter", "t")],
    ),
    "input parameters of a gateway": (
        _model(
            f'{_START}<parallelGateway id="g"><extensionElements><camunda:inputOutput/>'
            "</extensionElements></parallelGateway>"
        ),
        [
            _at(
                6,
                25,
                "camunda:inputOutput mapping unsupported for element type 'parallelGateway'.",
                "g",
            )
        ],
    ),
    "association with nothing": (
        _model(f'{_START}<association id="a" sourceRef="s" targetRef="zz"/>'),
        [_at(6, 51, "Invalid reference targetRef 'zz' of association element ", "a")],
    ),
    "lane of nothing": (
        _model(f"<laneSet><lane><flowNodeRef>zz</flowNodeRef></lane></laneSet>{_START}"),
        [_at(8, 15, "cvc-id.1: There is no ID/IDREF binding for IDREF 'zz'.")],
    ),
    "one id twice": (
        _model(f'{_START}<endEvent id="s"/>'),
        [
            _at(6, 19, "cvc-id.2: There are multiple occurrences of ID value 's'."),
            _at(
                6,
                19,
                "cvc-attribute.3: The value 's' of attribute 'id' on element 'endEvent' is not "
                "valid with respect to its type, 'ID'.",
            ),
        ],
    ),
    "id that is no name": (
        _model('<startEvent id="a b"/>'),
        [
            _at(5, 23, "cvc-datatype-valid.1.2.1: 'a b' is not a valid value for 'NCName'."),
            _at(
                5,
                23,
                "cvc-attribute.3: The value 'a b' of attribute 'id' on element 'startEvent' is "
                "not valid with respect to its type, 'ID'.",
            ),
        ],
    ),
    "truth that is none": (
        _model(_START).replace(b'isExecutable="true"', b'isExecutable="TRUE"'),
        [
            _at(4, 69, "cvc-datatype-valid.1.2.1: 'TRUE' is not a valid value for 'boolean'."),
            _at(
                4,
                69,
                "cvc-attribute.3: The value 'TRUE' of attribute 'isExecutable' on element "
                "'process' is not valid with respect to its type, 'boolean'.",
            ),
        ],
    ),
    "unknown attribute": (
        _model('<startEvent id="s" foo="1"/>'),
        [
            _at(
                5,
                29,
                "cvc-complex-type.3.2.2: Attribute 'foo' is not allowed to appear in element "
                "'startEvent'.",
            )
        ],
    ),
    "unknown element": (
        _model(f'{_START}<foo id="f"/><bar/>'),
        [
            _at(
                6,
                14,
                "cvc-complex-type.2.4.a: Invalid content was found starting with element "
                f"'{{{_NAMESPACE}foo}}'. One of '{{{_NAMESPACE}flowElement, {_AFTER_FLOW}}}' is "
                "expected.",
            )
        ],
    ),
    "element in the wrong place": (
        _model(f'<textAnnotation id="x"/>\n{_START}'),
        [
            _at(
                6,
                21,
                "cvc-complex-type.2.4.a: Invalid content was found starting with element "
                f"'{{{_NAMESPACE}startEvent}}'. One of '{{{_AFTER_FLOW}}}' is expected.",
            )
        ],
    ),
    "element where nothing follows": (
        _model(_START, before='<error id="e"><extensionElements/><documentation/></error>\n'),
        [
            _at(
                4,
                51,
                "cvc-complex-type.2.4.d: Invalid content was found starting with element "
                "'documentation'. No child element is expected at this point.",
            )
        ],
    ),
    "element of BPMN as extension": (
        _model(_extended("<task/>")),
        [
            _at(
                6,
                89,
                "cvc-complex-type.2.4.a: Invalid content was found starting with element "
                f"'{{{_NAMESPACE}task}}'. One of '{{WC[##other:{_NAMESPACE[:-1]}]}}' is expected.",
            )
        ],
    ),
    "text between elements": (
        _model(f"hello {_START}"),
        [
            _at(
                7,
                13,
                "cvc-complex-type.2.3: Element 'process' cannot have character [children], "
                "because the type's content type is element-only.",
            )
        ],
    ),
    "no target namespace": (
        _model(_START).replace(b' targetNamespace="t"', b""),
        [
            _at(
                3,
                56,
                "cvc-complex-type.4: Attribute 'targetNamespace' must appear on element "
                "'definitions'.",
            )
        ],
    ),
    "no BPMN": (
        b"<definitions/>",
        [_at(1, 15, "cvc-elt.1.a: Cannot find the declaration of element 'definitions'.")],
    ),
}


@pytest.mark.parametrize("name", RECORDED)
def test_problem_is_told_as_by_the_engine(name: str) -> None:
    """
    What both refuse, both refuse in the same words, at the same place.
    """
    content, problems = RECORDED[name]

    assert _problems(content) == problems


#: Files that the engine cannot read at all, and what it says.
UNREADABLE: Final[dict[str, tuple[bytes, str]]] = {
    "empty": (b"", "ENGINE-09003 Could not parse 'x.bpmn'. Premature end of file."),
    "text": (b"hello", "ENGINE-09003 Could not parse 'x.bpmn'. Content is not allowed in prolog."),
    "tags that do not match": (
        b"<a><b></a>",
        (
            "ENGINE-09003 Could not parse 'x.bpmn'. "
            'The element type "b" must be terminated by the matching end-tag "</b>".'
        ),
    ),
    "half a file": (
        b"<a>",
        (
            "ENGINE-09003 Could not parse 'x.bpmn'. "
            "XML document structures must start and end within the same entity."
        ),
    ),
    "two files": (
        b"<a/><b/>",
        (
            "ENGINE-09003 Could not parse 'x.bpmn'. "
            "The markup in the document following the root element must be well-formed."
        ),
    ),
    "more than a file": (
        b"<a/>x",
        "ENGINE-09003 Could not parse 'x.bpmn'. Content is not allowed in trailing section.",
    ),
    "line before the first": (
        b'\n<?xml version="1.0"?><a/>',
        (
            "ENGINE-09003 Could not parse 'x.bpmn'. "
            'The processing instruction target matching "[xX][mM][lL]" is not allowed.'
        ),
    ),
    "document type": (
        b'<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>',
        (
            "ENGINE-09003 Could not parse 'x.bpmn'. DOCTYPE is disallowed when the feature "
            '"http://apache.org/xml/features/disallow-doctype-decl" set to true.'
        ),
    ),
    "one definition of errors too many": (
        _model(_START + _TASK + _CATCH.replace("<err", "<errorEventDefinition/><err", 1)),
        (
            "ENGINE-01009 Error while parsing process. Parsing exception: "
            "multiple elements with tag name errorEventDefinition found."
        ),
    ),
    "properties twice": (
        _model(_extended("<camunda:properties/><camunda:properties/>")),
        (
            "ENGINE-01009 Error while parsing process. Parsing exception: "
            "multiple elements with tag name properties found."
        ),
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_file_that_cannot_be_read_is_an_error_of_the_server(name: str) -> None:
    """
    Such a file has no list of problems.
    """
    content, message = UNREADABLE[name]
    refusal = _refusal(content)

    assert (refusal.status, refusal.type, refusal.message, refusal.code, refusal.details) == (
        500,
        "ProcessEngineException",
        message,
        0,
        {},
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<a:b/>", "Unbound prefix in line 1, column 1."),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "unknown encoding: klingon"),
    ],
)
def test_other_malformed_xml_is_told_in_words_of_its_own(content: bytes, reason: str) -> None:
    """
    Not everything that Java's parser says can be said as well.
    """
    refusal = _refusal(content)

    assert (refusal.status, refusal.message) == (
        500,
        f"ENGINE-09003 Could not parse 'x.bpmn'. {reason}",
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


#: Said by Camunda 7.24 of the same models.
_FORMS: Final = {
    '<camunda:formField type="string"/>': (
        "attribute id must be set for FormFieldGroup and must have a non-empty value"
    ),
    '<camunda:formField id="" type="string"/>': (
        "attribute id must be set for FormFieldGroup and must have a non-empty value"
    ),
    '<camunda:formField id="a"/>': "form field must have a 'type' attribute",
    '<camunda:formField id="a" type="text"/>': "unknown type 'text'",
    (
        '<camunda:formField id="a" type="string"><camunda:validation><camunda:constraint '
        'name="foo"/></camunda:validation></camunda:formField>'
    ): "Cannot find validator implementation for name 'foo'.",
}


@pytest.mark.parametrize(("field", "said"), _FORMS.items())
def test_a_form_that_is_none_is_refused(field: str, said: str) -> None:
    """
    In the engine's own words.
    """
    assert [one["message"] for one in _problems(_user_task(content=_form(field)))] == [said]


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            'camunda:formKey="a" camunda:formRef="b" camunda:formRefBinding="latest"',
            (
                "Invalid element definition: only one of the attributes formKey and formRef is "
                "allowed."
            ),
        ),
        (
            'camunda:formRef="b"',
            (
                "Invalid element definition: value for formRefBinding attribute has to be one of "
                "[deployment, latest, version] but was null"
            ),
        ),
        (
            'camunda:assignee="${a.b}"',
            (
                "The embedded engine does not run the expression '${a.b}' as camunda:assignee of "
                "<userTask> 'u'; it runs constant text only"
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
            'camunda:priority="5.5"',
            (
                "The embedded engine does not run <userTask> 'u' with camunda:priority '5.5', "
                "which is no whole number"
            ),
        ),
    ],
)
def test_what_would_fail_later_is_refused(attributes: str, said: str) -> None:
    """
    Or what nobody can tell yet.
    """
    assert [one["message"] for one in _problems(_user_task(attributes))] == [said]


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
    ("attributes", "variables", "said"),
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
    attributes: str, variables: dict[str, Any], said: str | None
) -> None:
    """
    And fails whoever completes the task before it.
    """
    with Engine() as engine, engine.client(retry=False) as client:
        engine.deploy(_user_task(attributes))
        engine.start("p", variables=variables)
        [task] = client.fetch_and_lock("w1", [Topic("a", lock_duration=1000)], max_tasks=1)
        if said is None:
            client.complete(task.id, "w1")
            return
        with pytest.raises(EngineFailure, match=re.escape(said)) as raised:
            client.complete(task.id, "w1")

        assert (raised.value.type, raised.value.code) == ("ProcessEngineException", 0)
        assert client.get(task.id).worker_id == "w1"
