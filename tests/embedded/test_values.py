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
        (typed("String", 5), "5"),
        (typed("String", True), "true"),
        (typed("String", 1e22), "1.0E22"),
        (typed("String", 1e-5), "1.0E-5"),
        (typed("String", 123456789.125), "1.23456789125E8"),
        (typed("String", [1, "a", None, True, 1.5]), "[1, a, null, true, 1.5]"),
        (typed("String", {"a": 1, "b": {"c": []}}), "{a=1, b={c=[]}}"),
        (typed("String", "\ud83d"), "\ud83d"),
        (typed("String"), None),
        (typed("Boolean", True), True),
        (typed("Boolean", "TRUE"), True),
        (typed("Boolean", " False"), False),
        (typed("Boolean", ""), None),
        (typed("Short", "-32768"), -32768),
        (typed("Integer", " +05 "), 5),
        (typed("Integer", "\u0665"), 5),
        (typed("Integer", "null"), None),
        (typed("Integer", '5"x'), 5),
        (typed("Integer", "\\n5\\u0036"), 56),
        (typed("Long", 9223372036854775807), 9223372036854775807),
        (typed("Long", "9007199254740993"), 9007199254740993),
        (typed("Double", 5), 5.0),
        (typed("Double", ".5"), 0.5),
        (typed("Double", "1."), 1.0),
        (typed("Double", "1e400"), "Infinity"),
        (typed("Double", "-INF"), "-Infinity"),
        (typed("Double", "NaN"), "NaN"),
        (typed("Date", "2013-01-23T14:42:45.000+0200"), "2013-01-23T12:42:45.000+0000"),
        (typed("Date", " "), None),
        (typed("Bytes", "YQ=="), "YQ=="),
        (typed("Bytes", "YR=="), "YQ=="),
        (typed("Bytes", "YWJj\nYWJj"), "YWJjYWJj"),
        (typed("Bytes", "YQ==YQ=="), "YWE="),
        (typed("Bytes", "YQ\\u003d="), "YQ=="),
        (typed("Bytes", ""), ""),
        (typed("Bytes"), None),
        (typed("Null"), None),
        (typed("Json", "kaputt"), "kaputt"),
        (typed("Json", "\ud83d"), "?"),
        (typed("Xml", "<a/>"), "<a/>"),
    ],
)
def test_value_is_converted_to_its_type(dto: dict[str, Any], shown: object) -> None:
    """
    The engine puts a value into quotes and reads it as JSON of the type.
    """
    value = variable.read(dto)

    assert variable.show(value) == {"type": dto["type"], "value": shown, "valueInfo": {}}


@pytest.mark.parametrize(
    ("type_name", "value", "said", "java"),
    [
        ("Boolean", 1, "1", "java.lang.Boolean"),
        ("Boolean", "tRue", "tRue", "java.lang.Boolean"),
        ("Short", 32768, "32768", "java.lang.Short"),
        ("Integer", 2147483648, "2147483648", "java.lang.Integer"),
        ("Integer", 1.0, "1.0", "java.lang.Integer"),
        ("Integer", "5\\", "5\\", "java.lang.Integer"),
        ("integer", {"a": 1}, "{a=1}", "java.lang.Integer"),
        ("Long", "9223372036854775808", "9223372036854775808", "java.lang.Long"),
        ("Double", "1d", "1d", "java.lang.Double"),
        ("Double", "+Infinity", "+Infinity", "java.lang.Double"),
        ("Double", " NaN ", " NaN ", "java.lang.Double"),
        ("Double", "1.e5", "1.e5", "java.lang.Double"),
        ("Date", 1358952165000, "1358952165000", "java.util.Date"),
        ("Bytes", "YQ", "YQ", "[B"),
        ("Bytes", "-_-_", "-_-_", "[B"),
        ("Bytes", "YW\nJj", "YW\nJj", "[B"),
        ("Null", "", "", "javax.lang.model.type.NullType"),
        ("Number", "x", "x", "java.lang.Number"),
        ("String", ["\x00"], "[\x00]", "java.lang.String"),
    ],
)
def test_value_that_does_not_convert_is_refused(
    type_name: str, value: object, said: str, java: str
) -> None:
    """
    The answer names the value as Java writes it, and the type as the request does.
    """
    with pytest.raises(EngineError) as caught:
        variable.read({"type": type_name, "value": value})

    message = f"Cannot convert value '{said}' of type '{type_name}' to java type {java}"
    assert refusal(caught.value) == (400, "InvalidRequestException", message, None)


FILE = "Cannot create file without "


@pytest.mark.parametrize(
    ("dto", "error"),
    [
        ("x", (400, "InvalidRequestException", "", None)),
        ({"type": {}}, (400, "InvalidRequestException", "", None)),
        ({"valueInfo": []}, (400, "InvalidRequestException", "", None)),
        ({"type": "STRING"}, (400, "RestException", "Unsupported value type 'STRING'", None)),
        ({"type": 5}, (400, "RestException", "Unsupported value type '5'", None)),
        (
            {"type": ""},
            (500, "StringIndexOutOfBoundsException", "begin 0, end 1, length 0", None),
        ),
        (
            typed("Integer", transient=None),
            (
                400,
                "InvalidRequestException",
                "Cannot convert value 'null' of type 'Integer' to java type java.lang.Integer",
                None,
            ),
        ),
        (
            typed("Json", "1", transient="true"),
            (
                500,
                "IllegalArgumentException",
                "The property 'transient' should have a value of type 'boolean'.",
                None,
            ),
        ),
        (
            typed("Json", {"a": 1}),
            (
                400,
                "InvalidRequestException",
                "Must provide 'null' or String value for value of SerializableValue type 'Json'.",
                None,
            ),
        ),
        (
            typed("Object", "[]", objectTypeName=5),
            (
                500,
                "ClassCastException",
                (
                    "class java.lang.Integer cannot be cast to class java.lang.String "
                    "(java.lang.Integer and java.lang.String are in module java.base of loader "
                    "'bootstrap')"
                ),
                None,
            ),
        ),
        ({"type": "File"}, (500, "IllegalArgumentException", FILE + "valueInfo.", None)),
        (
            typed("File", "YQ=="),
            (
                500,
                "IllegalArgumentException",
                FILE + "filename! Please set a name into ValueInfo with key filename",
                None,
            ),
        ),
        (
            typed("File", None, filename="a", mimeType=None),
            (
                500,
                "IllegalArgumentException",
                "Provided value is not of File, InputStream or byte[] type.",
                None,
            ),
        ),
        (
            typed("File", "YQ==", filename="a", mimeType=None),
            (
                500,
                "IllegalArgumentException",
                (
                    "The provided mime type is null. Set a non-null value info property with key "
                    "'filename'"
                ),
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
    found = variable.show(variable.read({"value": value}))

    assert found == {"type": type_name, "value": shown, "valueInfo": {}}


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
    ("value", "message"),
    [
        (Value("Number"), "Cannot serialize value of abstract type number"),
        (
            Value("Object", text="[]", info={"objectTypeName": "a.B"}),
            (
                "Cannot find serializer for value 'ObjectValue [value=null, isDeserialized=false, "
                "serializationDataFormat=null, objectTypeName=a.B, serializedValue=2 chars, "
                "isTransient=false]'."
            ),
        ),
        (
            Value("Object", transient=True),
            (
                "Cannot find serializer for value 'ObjectValue [value=null, isDeserialized=false, "
                "serializationDataFormat=null, objectTypeName=null, serializedValue=null, "
                "isTransient=true]'."
            ),
        ),
        (
            Value("Object", text="[]", info={"serializationDataFormat": "foo/bar"}),
            (
                "Cannot write serialized value for variable 'v': "
                "no 'objectTypeName' provided for non-null value."
            ),
        ),
    ],
)
def test_value_without_serializer_cannot_be_set(value: Value, message: str) -> None:
    """
    It is refused before another variable is found too long for the database.
    """
    with pytest.raises(EngineError) as caught:
        variable.check_all({"long": Value("String", text="a" * 4001), "v": value})

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


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, {}),
        ({"mimeType": "text/plain"}, {"mimeType": "text/plain"}),
        ({"encoding": "UTF-8"}, {"encoding": "UTF-8"}),
        ({"mimeType": "", "encoding": ""}, {}),
        ({"mimeType": "a#b/c", "encoding": "d"}, {"mimeType": "a", "encoding": "b/c#d"}),
        ({"mimeType": "#x"}, {"encoding": "x#"}),
        ({"mimeType": 5, "encoding": True}, {"mimeType": "5", "encoding": "true"}),
    ],
)
def test_file_keeps_what_is_said_of_it(given: dict[str, Any], kept: dict[str, Any]) -> None:
    """
    The type and the encoding share a column, divided by a ``#``; the contents are not shown.
    """
    shown = variable.show(variable.read(typed("File", "YQ==", filename="a.txt", **given)))

    assert shown == {"type": "File", "value": None, "valueInfo": {"filename": "a.txt", **kept}}


@pytest.mark.parametrize(
    ("base64", "data"),
    [
        ("YQ", b"a"),
        ("-_-_", b"\xfb\xff\xbf"),
        ("Y W\nJj", b"abc"),
        ("YWJjY", b"abc"),
        ("YQ==YQ==", b"a"),
        ("é", b""),
    ],
)
def test_file_contents_are_read_leniently(base64: str, data: bytes) -> None:
    """
    What is not of the alphabet is skipped, up to the first padding.
    """
    assert variable.read(typed("File", base64, filename="a")).data == data


DISPOSITION = ("Content-Disposition", "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt")


@pytest.mark.parametrize(
    ("info", "content_type"),
    [
        ({}, "application/octet-stream"),
        ({"encoding": "UTF-8"}, "application/octet-stream;charset=UTF-8"),
        ({"mimeType": "text/plain", "encoding": "utf-8"}, "text/plain;charset=utf-8"),
        ({"mimeType": "text/plain", "encoding": "nope"}, "text/plain"),
        ({"mimeType": 'text/x; A=b; c="d e"'}, 'text/x;a=b;c="d e"'),
        ({"mimeType": 'text/x;charset="ascii"', "encoding": "UTF-8"}, "text/x;charset=UTF-8"),
    ],
)
def test_contents_of_a_file_have_its_type(info: dict[str, str], content_type: str) -> None:
    """
    A charset that the server does not know is left out.
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


@pytest.mark.parametrize("mime_type", ["kaputt", "a/b/c", "text /plain", "text/plain; a"])
def test_file_with_a_malformed_type_cannot_be_read(mime_type: str) -> None:
    """
    It is found only now, as the type is stored unseen.
    """
    with pytest.raises(EngineError) as caught:
        variable.file_answer(Value("File", text="a", info={"mimeType": mime_type}), "instance")

    message = f"Error parsing media type '{mime_type}'"
    assert refusal(caught.value) == (500, "IllegalArgumentException", message, None)


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
    ("text", "kind"),
    [("{}", "OBJECT"), (' [1] "x', "ARRAY"), ("1 2", "NUMBER"), ("true]", "BOOLEAN")],
)
def test_deserialized_json_is_shown_without_content(text: str, kind: str) -> None:
    """
    The engine shows its wrapper; what follows the first value is not read.
    """
    shown = variable.show(Value("Json", text=text), deserialize=True)

    assert shown["value"] == {
        "array": kind == "ARRAY",
        "null": False,
        "number": kind == "NUMBER",
        "object": kind == "OBJECT",
        "nodeType": kind,
        "boolean": kind == "BOOLEAN",
        "dataFormatName": "application/json",
        "string": False,
        "value": kind in ("NUMBER", "BOOLEAN"),
    }


@pytest.mark.parametrize(
    ("java", "text", "value", "refined"),
    [
        ("java.util.ArrayList", '[1,"a"]', [1, "a"], "java.util.ArrayList<java.lang.Integer>"),
        ("java.util.List", "[]", [], "java.util.ArrayList<java.lang.Object>"),
        (
            "java.util.List",
            '[{"a":1}]',
            [{"a": 1}],
            "java.util.ArrayList<java.util.LinkedHashMap<java.lang.Object,java.lang.Object>>",
        ),
        (
            "java.util.HashMap",
            '{"a":{}}',
            {"a": {}},
            "java.util.HashMap<java.lang.Object,java.lang.Object>",
        ),
        ("java.util.Date", "0", "1970-01-01T00:00:00.000+0000", "java.util.Date"),
        ("java.lang.String", '"x"', "x", "java.lang.String"),
        ("com.example.Order", None, None, "com.example.Order"),
    ],
)
def test_deserialized_object_is_shown_with_its_class(
    java: str, text: str | None, value: object, refined: str
) -> None:
    """
    The engine names the class that it made, with the classes of the first elements.
    """
    info = {**JSON_OBJECT, "objectTypeName": java}

    shown = variable.show(Value("Object", text=text, info=info), deserialize=True)

    assert shown == {
        "type": "Object",
        "value": value,
        "valueInfo": {**JSON_OBJECT, "objectTypeName": refined},
    }


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Value("Json", text="05"), "SPIN/JACKSON-JSON-01001 Unable to parse input into json node"),
        (Value("Xml", text="<a>"), "SPIN/DOM-XML-01009 Unable to parse input into DOM document"),
        (
            Value("Object", text="{}", info={**JSON_OBJECT, "objectTypeName": "no.Such"}),
            "SPIN/JACKSON-JSON-01007 Cannot construct java type from string 'no.Such'",
        ),
        (
            Value("Object", text="", info={**JSON_OBJECT, "serializationDataFormat": "foo/bar"}),
            "SPIN-PLUGIN-01002 Fallback serializer cannot handle deserialized objects",
        ),
        (Value("Object", text=" 5", info=JSON_OBJECT), "begin 0, end 10, length 1"),
    ],
)
def test_what_is_no_object_cannot_be_deserialized(value: Value, reason: str) -> None:
    """
    It was stored unseen, and can be shown as text.
    """
    with pytest.raises(EngineError) as caught:
        variable.show(value, deserialize=True, name="v")

    message = f"Cannot deserialize object in variable 'v': {reason}"
    assert refusal(caught.value) == (500, "ProcessEngineException", message, 0)
    assert variable.show(value)["value"] == value.text


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
    ("value", "found"),
    [
        ("x", Value("String", text="x")),
        ("", Value("Null")),
        (" null ", Value("Null")),
        ("2013-01-23T14:42:45.000+0200", Value("Date", long=1358944965000)),
        (5, Value("Integer", long=5)),
        (None, Value("Null")),
    ],
)
def test_text_of_a_query_may_be_a_date(value: object, found: Value) -> None:
    """
    Text that the engine reads as a date is one, or null if it is blank.
    """
    assert variable.queried(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (5, Value("Integer", long=5)),
        ("x", Value("String", text="x")),
        ({"type": "Json", "value": "[]"}, Value("Json", text="[]")),
        ({"type": "Long", "value": 5, "valueInfo": {}}, Value("Long", long=5)),
    ],
)
def test_python_values_become_variables(value: object, found: Value) -> None:
    """
    As JSON does, and typed values may be given as they go over the wire.
    """
    assert variable.of_python(value) == found


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
    assert not variable.read({"value": 1, "valueInfo": {"transient": "true"}}).transient
