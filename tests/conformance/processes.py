"""
The processes that the cases start, as BPMN.
"""

from collections.abc import Mapping
from typing import Final

_DEFINITIONS: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="conformance">
  <error id="e1" errorCode="E1"/>
  <process id="{key}" name="My process" isExecutable="true" camunda:historyTimeToLive="1">
    <startEvent id="start"/>
    <sequenceFlow id="first" sourceRef="start" targetRef="{first}"/>
    {elements}
    <endEvent id="end"/>
  </process>
</definitions>
"""

_TASK: Final = """
    <serviceTask id="work" camunda:type="external" camunda:topic="{topic_a}">
      <extensionElements>
        <camunda:properties><camunda:property name="k" value="v"/></camunda:properties>
        {inputs}
      </extensionElements>
    </serviceTask>
    <sequenceFlow id="worked" sourceRef="work" targetRef="after"/>
    <userTask id="after"/>
    <sequenceFlow id="last" sourceRef="after" targetRef="end"/>
"""

_INPUT: Final = """
        <camunda:inputOutput>
          <camunda:inputParameter name="l">local</camunda:inputParameter>
        </camunda:inputOutput>
"""

# The braces of expressions are doubled, as the text is a format.
_EXPRESSIONS: Final = """
        <camunda:inputOutput>
          <camunda:inputParameter name="number"> ${{number}} </camunda:inputParameter>
          <camunda:inputParameter name="nothing">#{{ nothing }}</camunda:inputParameter>
          <camunda:inputParameter name="contents">${{file}}</camunda:inputParameter>
          <camunda:inputParameter name="object">${{json_list}}</camunda:inputParameter>
          <camunda:inputParameter name="list">
            <camunda:list><camunda:value> a </camunda:value><camunda:list/></camunda:list>
          </camunda:inputParameter>
          <camunda:inputParameter name="map">
            <camunda:map><camunda:entry key="b"/><camunda:entry key="a">1</camunda:entry>
            </camunda:map>
          </camunda:inputParameter>
          <camunda:inputParameter name="topic">{topic_a}</camunda:inputParameter>
        </camunda:inputOutput>
"""

_BOUNDARY: Final = """
    <boundaryEvent id="boundary" attachedToRef="work"><errorEventDefinition errorRef="e1"/>
    </boundaryEvent>
    <sequenceFlow id="thrown" sourceRef="boundary" targetRef="caught"/>
    <userTask id="caught"/>
    <sequenceFlow id="done" sourceRef="caught" targetRef="end"/>
"""

_PARALLEL: Final = """
    <parallelGateway id="fork"/>
    <sequenceFlow id="to_a" sourceRef="fork" targetRef="work_a"/>
    <sequenceFlow id="to_b" sourceRef="fork" targetRef="work_b"/>
    <serviceTask id="work_a" camunda:type="external" camunda:topic="{topic_a}"/>
    <serviceTask id="work_b" camunda:type="external" camunda:topic="{topic_b}"/>
    <sequenceFlow id="from_a" sourceRef="work_a" targetRef="join"/>
    <sequenceFlow id="from_b" sourceRef="work_b" targetRef="join"/>
    <parallelGateway id="join"/>
    <sequenceFlow id="last" sourceRef="join" targetRef="end"/>
"""

_SEQUENCE: Final = """
    <serviceTask id="work" camunda:type="external" camunda:topic="{topic_a}"/>
    <sequenceFlow id="worked" sourceRef="work" targetRef="again"/>
    <serviceTask id="again" camunda:type="external" camunda:topic="{topic_a}"/>
    <sequenceFlow id="last" sourceRef="again" targetRef="end"/>
"""

#: How many equal external tasks process F has at the same time.
FAN: Final = 100

_FAN: Final = (
    '<parallelGateway id="fork"/><parallelGateway id="join"/>'
    + "".join(
        f"""
    <sequenceFlow id="to_{number}" sourceRef="fork" targetRef="work_{number}"/>
    <serviceTask id="work_{number}" camunda:type="external" camunda:topic="{{topic_a}}"/>
    <sequenceFlow id="from_{number}" sourceRef="work_{number}" targetRef="join"/>"""
        for number in range(FAN)
    )
    + '<sequenceFlow id="last" sourceRef="join" targetRef="end"/>'
)

#: By the name that the contract has for it: the first element, and all between start and end.
_PROCESSES: Final[Mapping[str, tuple[str, str]]] = {
    # One external task, and a user task after it.
    "P": ("work", _TASK.replace("{inputs}", "")),
    # The same with an input parameter, a variable in the external task's own scope.
    "P_with_input": ("work", _TASK.replace("{inputs}", _INPUT)),
    # The same, with a topic and a priority from variables, and parameters of each kind.
    "P_with_expressions": (
        "work",
        _TASK.replace("{inputs}", _EXPRESSIONS).replace(
            '"{topic_a}"', '"${{topic}}" camunda:taskPriority="#{{number}}"'
        ),
    ),
    # As P, but its topic has a blank at the end, which some databases do not see.
    "P_of_a_padded_topic": (
        "work",
        _TASK.replace("{inputs}", "").replace("{topic_a}", "{topic_a} "),
    ),
    # Two external tasks at the same time.
    "Q": ("fork", _PARALLEL),
    # Many external tasks of one topic at the same time.
    "F": ("fork", _FAN),
    # Two external tasks of one topic, one after the other.
    "S": ("work", _SEQUENCE),
    # As P, and a boundary event that catches the error E1.
    "R": ("work", _TASK.replace("{inputs}", "") + _BOUNDARY),
}


def bpmn(name: str, *, key: str, topic_a: str, topic_b: str) -> str:
    """
    The model of one process, with a key and topics of the caller's own.
    """
    first, elements = _PROCESSES[name]
    filled = elements.format(topic_a=topic_a, topic_b=topic_b)
    return _DEFINITIONS.format(key=key, first=first, elements=filled)
