"""
Typed variables, as a server of Camunda 7.24 took them and showed them.
"""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from camunda_ext.testing._errors import EngineError
from camunda_ext.testing.values import variable
from camunda_ext.testing.values.variable import Value

JSON_OBJECT = {
    "objectTypeName": "java.util.ArrayList",
    "serializationDataFormat": "application/json",
}
JAVA_OBJECT = {
    "objectTypeName": "java.util.ArrayList",
    "serializationDataFormat": "application/x-java-serialized-object",
}
TOO_LONG = (
    "An exception occurred in the persistence layer. Please check the server logs for a "
    "detailed message and the entire exception stack trace."
)


def typed(type_name: str, value: Any = None, **info: Any) -> dict[str, Any]:
    return {"type": type_name, "value": value, "valueInfo": info}


def refusal(error: EngineError) -> tuple[int, str, str | None, int | None]:
    return error.status, error.type, error.message, error.code


@pytest.mark.parametrize(
    ("dto", "shown"),
    [
        (typed("String", "5"), "5"),
        (typed("String", 'a\\n"b'), 'a\\n"b'),
        (typed("String", "\ud83d"), "\ud83d"),
        (typed("String"), None),
        (typed("Boolean", True), True),
        (typed("Boolean", "false"), False),
        (typed("boolean", True), True),
        (typed("Short", "-32768"), -32768),
        (typed("Integer", 5), 5),
        (typed("Integer"), None),
        (typed("Long", 9223372036854775807), 9223372036854775807),
        (typed("Long", "9007199254740993"), 9007199254740993),
        (typed("Double", 5), 5.0),
        (typed("Double", "1.5e3"), 1500.0),
        (typed("Double", "-Infinity"), "-Infinity"),
        (typed("Double", "NaN"), "NaN"),
        (typed("Date", "2013-01-23T14:42:45.000+0200"), "2013-01-23T12:42:45.000+0000"),
        (typed("Bytes", "YQ=="), "YQ=="),
        (typed("Bytes", ""), ""),
        (typed("Bytes"), None),
        (typed("Null"), None),
        (typed("Json", "kaputt"), "kaputt"),
        (typed("Xml", "<a/>"), "<a/>"),
    ],
)
def test_value_is_one_of_its_type(dto: dict[str, Any], shown: object) -> None:
    """
    It has the JSON type of its type, or is the text of such a value.
    """
    value = variable.read(dto)
    type_name = dto["type"].capitalize()

    assert variable.show(value) == {"type": type_name, "value": shown, "valueInfo": {}}


@pytest.mark.parametrize(
    ("type_name", "value", "said", "java"),
    [
        ("Boolean", 1, "1", "java.lang.Boolean"),
        ("Boolean", "tRue", "tRue", "java.lang.Boolean"),
        ("Short", 32768, "32768", "java.lang.Short"),
        ("Integer", 2147483648, "2147483648", "java.lang.Integer"),
        ("Integer", 1.0, "1.0", "java.lang.Integer"),
        ("Integer", True, "true", "java.lang.Integer"),
        ("integer", "5\\", "5\\", "java.lang.Integer"),
        ("Long", "9223372036854775808", "9223372036854775808", "java.lang.Long"),
        ("Double", "1d", "1d", "java.lang.Double"),
        ("Double", "+Infinity", "+Infinity", "java.lang.Double"),
        ("Double", " NaN ", " NaN ", "java.lang.Double"),
        ("Date", 1358952165000, "1358952165000", "java.util.Date"),
        ("Bytes", "YQ", "YQ", "[B"),
        ("Bytes", "-_-_", "-_-_", "[B"),
        ("Null", "", "", "javax.lang.model.type.NullType"),
        ("Number", "x", "x", "java.lang.Number"),
    ],
)
def test_value_that_does_not_convert_is_refused(
    type_name: str, value: object, said: str, java: str
) -> None:
    """
    The answer names the value, and the type as the request does.
    """
    with pytest.raises(EngineError) as caught:
        variable.read({"type": type_name, "value": value})

    message = f"Cannot convert value '{said}' of type '{type_name}' to java type {java}"
    assert refusal(caught.value) == (400, "InvalidRequestException", message, None)


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("String", 5),
        ("String", [1, "a"]),
        ("String", {"a": 1}),
        ("Boolean", "TRUE"),
        ("Integer", ""),
        ("Integer", "null"),
        ("Integer", " 5 "),
        ("Integer", '5"x'),
        ("Integer", "\u0665"),
        ("Double", ".5"),
        ("Double", "-INF"),
        ("Double", 10**400),
        ("Date", " "),
        ("Date", "2013-13-01T00:00:00.000+0000"),
        ("Bytes", "YWJj\nYWJj"),
        ("Number", 5),
    ],
)
def test_value_that_java_would_bend_is_refused(type_name: str, value: object) -> None:
    """
    Camunda makes something of it; the client does not send it.
    """
    with pytest.raises(EngineError, match=f"Cannot convert value (?s:.*) of type '{type_name}'"):
        variable.read({"type": type_name, "value": value})


@pytest.mark.parametrize(
    ("dto", "error"),
    [
        ("x", (400, "InvalidRequestException", "", None)),
        ({"type": {}}, (400, "InvalidRequestException", "", None)),
        ({"valueInfo": []}, (400, "InvalidRequestException", "", None)),
        ({"type": "STRING"}, (400, "RestException", "Unsupported value type 'STRING'", None)),
        ({"type": 5}, (400, "RestException", "Unsupported value type '5'", None)),
        ({"type": ""}, (400, "RestException", "Unsupported value type ''", None)),
        (
            typed("Json", {"a": 1}),
            (
                400,
                "InvalidRequestException",
                "Must provide 'null' or String value for value of SerializableValue type 'Json'.",
                None,
            ),
        ),
    ],
)
def test_malformed_variable_is_refused(dto: object, error: object) -> None:
    """
    What is wrong with a variable itself is found before anything else is looked at.
    """
    with pytest.raises(EngineError) as caught:
        variable.read(dto)

    assert refusal(caught.value) == error


OBJECT = "An Object needs objectTypeName and serializationDataFormat in its valueInfo, as text"


@pytest.mark.parametrize(
    ("dto", "message"),
    [
        (typed("Integer", transient=None), "transient in valueInfo must be true or false"),
        (typed("Json", "1", transient="true"), "transient in valueInfo must be true or false"),
        (typed("Object", "[]", **{**JSON_OBJECT, "objectTypeName": 5}), OBJECT),
        (typed("Object", "[]", objectTypeName="a.B"), OBJECT),
        (typed("Object", "[]", serializationDataFormat="foo/bar"), OBJECT),
        (
            typed("Object"),
            "An Object needs serializationDataFormat in its valueInfo, as text",
        ),
        ({"type": "File"}, "filename in the valueInfo of a File must be text such as 'a.pdf'"),
        (
            typed("File", "YQ==", filename=" "),
            "filename in the valueInfo of a File must be text such as 'a.pdf'",
        ),
        (
            typed("File", "YQ==", filename="a", mimeType=None),
            "mimeType in the valueInfo of a File must be text such as 'application/pdf'",
        ),
        (
            typed("File", "YQ==", filename="a", encoding=5),
            "encoding in the valueInfo of a File must be text such as 'UTF-8'",
        ),
        (typed("File", None, filename="a"), "The value of a File must be text in base64"),
        (typed("File", "Y W", filename="a"), "The value of a File must be text in base64"),
    ],
)
def test_what_is_said_of_a_value_must_be_whole(dto: object, message: str) -> None:
    """
    Camunda would fail, now or when the variable is read.
    """
    with pytest.raises(EngineError) as caught:
        variable.read(dto)

    assert refusal(caught.value) == (400, "InvalidRequestException", message, None)


@pytest.mark.parametrize(
    "mime_type", ["kaputt", "a/b/c", "text /plain", "text/plain; a", "a#b/c", "a/b\r\nX: y", ""]
)
def test_file_with_a_malformed_type_is_refused(mime_type: str) -> None:
    """
    Camunda would store it, and could not give it back.
    """
    with pytest.raises(EngineError, match="mimeType in the valueInfo of a File"):
        variable.read(typed("File", "YQ==", filename="a", mimeType=mime_type))


@pytest.mark.parametrize(
    ("value", "type_name", "shown"),
    [
        (None, "Null", None),
        ("2013-01-23T14:42:45.000+0200", "String", "2013-01-23T14:42:45.000+0200"),
        (True, "Boolean", True),
        (-2147483648, "Integer", -2147483648),
        (2147483648, "Long", 2147483648),
        (1.5, "Double", 1.5),
        (float("inf"), "Double", "Infinity"),
    ],
)
def test_type_is_inferred_from_json(value: object, type_name: str, shown: object) -> None:
    """
    A date is a text, and an integer is as small as it can be.
    """
    read = variable.read({"value": value})

    assert variable.show(read) == {"type": type_name, "value": shown, "valueInfo": {}}


@pytest.mark.parametrize(
    ("value", "java"),
    [
        ([1, "ä", None, {"b": 1.5}], "java.util.ArrayList"),
        ({"a": []}, "java.util.LinkedHashMap"),
        (9223372036854775808, "java.math.BigInteger"),
    ],
)
def test_json_without_a_type_is_serialized_by_java(value: object, java: str) -> None:
    """
    It may be set, it comes back as base64 or as it was, and the base64 cannot be sent again.
    """
    read = variable.read({"value": value})
    shown = variable.show(read)

    variable.check_all({"v": read})
    assert shown["type"] == "Object"
    assert shown["value"].startswith("rO0AB")
    assert shown["valueInfo"] == {**JAVA_OBJECT, "objectTypeName": java}
    assert variable.show(read, deserialize=True)["value"] == value
    with pytest.raises(EngineError) as caught:
        variable.check_all({"v": variable.read(shown)})
    message = (
        "ENGINE-17007 Cannot set variable with name v. Java serialization format is prohibited"
    )
    assert refusal(caught.value) == (500, "ProcessEngineException", message, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n" * 256, Value("Null")),
        ("😀" * 128, Value("Null")),
        ("v", Value("String", text="a" * 4001)),
        ("v", Value("String", text="😀" * 2000 + "a")),
        ("v", Value("File", text="a" * 4001)),
        ("v", Value("File", text="a", info={"mimeType": "a" * 4000})),
        ("v", Value("Object", info={**JSON_OBJECT, "objectTypeName": "a" * 4001})),
        ("v", Value("Object", info={**JSON_OBJECT, "serializationDataFormat": "a" * 94})),
    ],
)
def test_what_is_too_long_cannot_be_stored(name: str, value: Value) -> None:
    """
    The database counts UTF-16 units.
    """
    with pytest.raises(EngineError) as caught:
        variable.check_all({name: value})

    assert refusal(caught.value) == (500, "ProcessEnginePersistenceException", TOO_LONG, 10002)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n" * 255, Value("Null")),
        ("n" * 256, Value("Null", transient=True)),
        ("v", Value("String", text="a" * 4000)),
        ("v", Value("Json", text="a" * 9000)),
        ("v", Value("File", text="a", info={"mimeType": "a" * 3999})),
        ("v", Value("Object", info={**JSON_OBJECT, "serializationDataFormat": "a" * 93})),
    ],
)
def test_what_is_long_can_be_stored(name: str, value: Value) -> None:
    """
    Serialized text has no limit, and a transient value is not stored.
    """
    variable.check_all({name: value})


def test_file_keeps_what_is_said_of_it() -> None:
    """
    But for the contents, which are asked for by another operation.
    """
    info = {"filename": "a.txt", "mimeType": "text/plain; a=b", "encoding": "UTF-8"}
    value = variable.read(typed("File", "YQ==", **info))

    assert variable.show(value) == {"type": "File", "value": None, "valueInfo": info}
    assert value.data == b"a"


DISPOSITION = ("Content-Disposition", "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt")


@pytest.mark.parametrize(
    ("info", "content_type"),
    [
        ({}, "application/octet-stream"),
        ({"encoding": "UTF-8"}, "application/octet-stream;charset=UTF-8"),
        ({"mimeType": "text/plain", "encoding": "utf-8"}, "text/plain;charset=utf-8"),
        ({"mimeType": 'text/x;a=b;c="d e"'}, 'text/x;a=b;c="d e"'),
    ],
)
def test_contents_of_a_file_have_its_type(info: dict[str, str], content_type: str) -> None:
    """
    And its encoding.
    """
    value = Value("File", text="a.txt", data=b"x", info={"filename": "a.txt", **info})

    answer = variable.file_answer(value, "instance")

    assert answer == (b"x", [("Content-Type", content_type), DISPOSITION])


@pytest.mark.parametrize(
    ("filename", "disposition"),
    [
        ("a b*~.txt", "attachment; filename=\"a b*~.txt\"; filename*=UTF-8''a%20b*%7E.txt"),
        ("ä\n", "attachment; filename=\"ä \"; filename*=UTF-8''%C3%A4%0A"),
    ],
)
def test_contents_of_a_file_have_its_name(filename: str, disposition: str) -> None:
    """
    The name comes twice, once as it is, but for control characters.
    """
    _, headers = variable.file_answer(Value("File", text=filename), "instance")

    assert headers[1:] == [("Content-Disposition", disposition)]


def test_name_beyond_latin_1_is_left_out() -> None:
    """
    The server cannot write the header, so there is none.
    """
    _, headers = variable.file_answer(Value("File", text="€.txt"), "instance")

    assert headers == [("Content-Type", "application/octet-stream")]


def test_only_bytes_and_files_have_contents() -> None:
    """
    Bytes have no name; of other values, the answer names what they are a variable of.
    """
    octets = [("Content-Type", "application/octet-stream")]
    assert variable.file_answer(Value("Bytes", data=b"a"), "i") == (b"a", octets)
    assert variable.file_answer(Value("Bytes"), "i") == (b"", octets)
    with pytest.raises(EngineError) as caught:
        variable.file_answer(Value("Null"), "i")

    message = "Value of variable with id i is not a binary value."
    assert refusal(caught.value) == (400, "InvalidRequestException", message, None)


@pytest.mark.parametrize(
    ("text", "held"), [('[1,"a"]', [1, "a"]), ('{"a":{}}', {"a": {}}), ("0", 0), (None, None)]
)
def test_deserialized_object_is_shown_as_json(text: str | None, held: object) -> None:
    """
    With the class that it was sent with; Camunda adds those of its elements.
    """
    shown = variable.show(Value("Object", text=text, info=JSON_OBJECT), deserialize=True)

    assert shown == {"type": "Object", "value": held, "valueInfo": JSON_OBJECT}


@pytest.mark.parametrize("type_name", ["Json", "Xml"])
def test_json_and_xml_are_always_shown_as_text(type_name: str) -> None:
    """
    Camunda has a wrapper instead, without the content.
    """
    shown = variable.show(Value(type_name, text="<a>"), deserialize=True)

    assert shown == {"type": type_name, "value": "<a>", "valueInfo": {}}


@pytest.mark.parametrize(
    ("text", "format_name", "reason"),
    [
        ("05", "application/json", "Extra data"),
        ("[NaN]", "application/json", "Out of range float values"),
        ("[1e400]", "application/json", "Out of range float values"),
        ("[" * 100_000, "application/json", "maximum recursion depth exceeded"),
        ("1" * 5_000, "application/json", "Exceeds the limit"),
        ("<a/>", "application/xml", "it is not serialized as JSON"),
        ("", "foo/bar", "it is not serialized as JSON"),
    ],
)
def test_what_is_no_json_cannot_be_deserialized(text: str, format_name: str, reason: str) -> None:
    """
    It was stored unseen, and can be shown as text.
    """
    info = {"objectTypeName": "a.B", "serializationDataFormat": format_name}
    value = Value("Object", text=text, info=info)
    with pytest.raises(EngineError) as caught:
        variable.show(value, deserialize=True, name="v")

    error = caught.value
    assert (error.status, error.type) == (500, "ProcessEngineException")
    assert str(error.message).startswith(f"Cannot deserialize object in variable 'v': {reason}")
    assert variable.show(value)["value"] == text


@pytest.mark.parametrize("dtos", ["", "x", 5, True, []])
def test_variables_are_an_object(dtos: object) -> None:
    """
    Any other JSON cannot be read.
    """
    with pytest.raises(EngineError) as caught:
        variable.read_all(dtos)

    assert refusal(caught.value) == (400, "InvalidRequestException", "", None)


@pytest.mark.parametrize("dtos", [None, {}])
def test_no_variables_are_fine(dtos: object) -> None:
    """
    The property may be null or missing.
    """
    assert variable.read_all(dtos) == {}


@pytest.mark.parametrize(
    ("dtos", "type_name"),
    [
        ({"a": None, "b": {"type": "Foo"}}, "NullPointerException"),
        ({"b": {"type": "Foo"}, "a": None}, "RestException"),
        ({"b": {"type": "Foo"}, "a": "x"}, "InvalidRequestException"),
    ],
)
def test_first_malformed_variable_is_refused(dtos: object, type_name: str) -> None:
    """
    But JSON of the wrong kind comes before all.
    """
    with pytest.raises(EngineError) as caught:
        variable.read_all(dtos)

    assert caught.value.type == type_name


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", Value("String", text="x")),
        ("", Value("Null")),
        (" null ", Value("Null")),
        ("\t", Value("String", text="\t")),
        ("2013-01-23T14:42:45.000+0200", Value("Date", long=1358944965000)),
        ("2013-13-01T00:00:00.000+0200", Value("String", text="2013-13-01T00:00:00.000+0200")),
        (5, Value("Integer", long=5)),
        (None, Value("Null")),
    ],
)
def test_text_of_a_query_may_be_a_date(value: object, expected: Value) -> None:
    """
    Text that the engine reads as a date is one, or null if it is blank.
    """
    assert variable.queried(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, Value("Integer", long=5)),
        ("x", Value("String", text="x")),
        ({"type": "Json", "value": "[]"}, Value("Json", text="[]")),
        ({"type": "Long", "value": 5, "valueInfo": {}}, Value("Long", long=5)),
    ],
)
def test_python_values_become_variables(value: object, expected: Value) -> None:
    """
    As JSON does, and typed values may be given as they go over the wire.
    """
    assert variable.of_python(value) == expected


@pytest.mark.parametrize("value", [[1], {"a": 1}, {"value": 1}, 2**63, b"x", object()])
def test_python_value_of_no_type_is_refused(value: object) -> None:
    """
    Nobody wants a Java serialization by accident.
    """
    with pytest.raises(TypeError, match="say which"):
        variable.of_python(value)


def test_typed_python_value_is_checked() -> None:
    """
    The error says what the engine would say.
    """
    with pytest.raises(ValueError, match="Cannot convert value 'x' of type 'Integer'"):
        variable.of_python({"type": "Integer", "value": "x"})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "-0.0"])
def test_any_double_survives_a_database(number: str) -> None:
    """
    SQLite makes null of what is not a number, so that is kept as text.
    """
    value = variable.read(typed("Double", number))
    with closing(sqlite3.connect(":memory:")) as connection:
        row = connection.execute("SELECT ?, ?", (value.text, value.double)).fetchone()

    stored = Value("Double", text=row[0], double=row[1])

    assert variable.show(stored)["value"] == (0.0 if number == "-0.0" else number)


def test_transient_value_says_so() -> None:
    """
    The flag counts with and without a type, and is shown only when it is set.
    """
    for dto in (
        typed("Integer", 1, transient=True),
        {"value": 1, "valueInfo": {"transient": True}},
    ):
        value = variable.read(dto)

        assert value == Value("Integer", long=1, transient=True)
        assert variable.show(value)["valueInfo"] == {"transient": True}
