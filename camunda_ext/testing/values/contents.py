"""
The answers that hold the contents of Bytes and File variables.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from camunda_ext.testing._errors import invalid_request
from camunda_ext.testing.values.typed_values import Value

_OCTETS: Final = "application/octet-stream"
#: Characters of a file name for which the server sends a blank.
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def file_answer(value: Value, resource_id: str) -> tuple[bytes, list[tuple[str, str]]]:
    """
    The contents of a variable, and the headers that describe them.

    Args:
        value: The variable.

        resource_id: The id of the process instance or execution in the request's path, for the
            error.

    Raises:
        EngineError: The variable is neither Bytes nor a File.
    """
    content = value.data or b""
    if value.type == "Bytes":
        return content, [("Content-Type", _OCTETS)]
    if value.type != "File":
        raise invalid_request(f"Value of variable with id {resource_id} is not a binary value.")
    media_type, encoding = value.info.get("mimeType", _OCTETS), value.info.get("encoding")
    charset = "" if encoding is None else f";charset={encoding}"
    headers = [("Content-Type", media_type + charset)]
    name = value.text or ""
    # The server leaves out a header that it cannot encode.
    if all(character <= "\xff" for character in name):
        encoded = quote(name, safe="*").replace("~", "%7E")
        plain = _CONTROL.sub(" ", name)
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
        headers.append(("Content-Disposition", disposition))
    return content, headers
