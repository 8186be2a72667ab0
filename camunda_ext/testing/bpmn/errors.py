"""
Reads which BPMN errors an event catches.
"""

from __future__ import annotations

from collections.abc import Mapping

from camunda_ext.testing.bpmn.extensions import attribute
from camunda_ext.testing.bpmn.findings import Findings
from camunda_ext.testing.bpmn.model import ErrorCatch
from camunda_ext.testing.bpmn.xml import Element

#: The codes of the errors of a file, by their ids; ``None`` for an error without a code.
ErrorCodes = Mapping[str, str | None]


def error_codes(root: Element, findings: Findings) -> ErrorCodes:
    """
    The codes of the errors of a file. Problems are added to the *findings*.
    """
    codes: dict[str, str | None] = {}
    for element in root.all("error"):
        id_ = element.get("id")
        if id_ is None:
            findings.add("<error> has no id", element)
        else:
            codes[id_] = element.get("errorCode")
    return codes


def error_catch(
    event_id: str, definition: Element, codes: ErrorCodes, *, outgoing: tuple[str, ...] = ()
) -> ErrorCatch:
    """
    What an event with an error event definition catches.
    """
    reference = definition.get("errorRef")
    return ErrorCatch(
        id=event_id,
        # A reference to an error that is not in the file is the code itself.
        error_code=None if reference is None else codes.get(reference, reference),
        code_variable=attribute(definition, "errorCodeVariable"),
        message_variable=attribute(definition, "errorMessageVariable"),
        outgoing=outgoing,
    )
