"""
Hooks that convert JSON values to instances of attrs classes.

For each class the source of one function is generated. It accepts values of exactly the expected
types, and passes any other value to `Field.read()`, which returns the default for null, and raises
an error if the value is malformed. Errors are those of cattrs, which have the path to the field.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from itertools import islice
from types import MemberDescriptorType
from typing import Any, Final, NamedTuple

import attrs

from camunda_ext._wire.names import wire_name

#: Converts a JSON value (first argument) to a type (second), as the hooks of cattrs do.
Hook = Callable[[Any, Any], Any]

#: How many malformed items of a list are reported: an answer may have millions.
MOST_FAULTS: Final = 3


class Exactly:
    """
    A hook that accepts exactly one type of JSON values.

    Args:
        json_type: `bool`, `int`, `float`, `str`, `list` or `dict`.

        convert: Converts the JSON value; ``None`` to return it as it is.
    """

    __slots__ = ("convert", "json_type")

    def __init__(self, json_type: type, convert: Callable[[Any], Any] | None = None) -> None:
        self.json_type = json_type
        self.convert = convert

    def __call__(self, value: Any, _: Any = None) -> Any:
        """
        The converted value.

        Raises:
            TypeError: The JSON value is of another type.
        """
        if type(value) is not self.json_type:
            text = _SHORT.repr(value)
            expected, actual = self.json_type.__name__, type(value).__name__
            raise TypeError(f"expected {expected}, not {actual} {text:.60}")
        return value if self.convert is None else self.convert(value)


class Field(NamedTuple):
    """
    A field of an attrs class with the hook that reads it.
    """

    attribute: attrs.Attribute[Any]

    #: Converts JSON values other than null.
    hook: Hook

    def read(self, value: Any) -> Any:
        """
        The value of the field for a JSON value; its default for null.

        Raises:
            KeyError: The JSON value is null, and the field has no default.

            Exception: The JSON value is malformed; the hook's exception.
        """
        default: Any = self.attribute.default
        if value is not None:
            return self.hook(value, self.attribute.type)
        if default is attrs.NOTHING:
            raise KeyError(self.attribute.name)
        return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]  # a class, at run time


def tuple_hook(member: Any, member_hook: Hook) -> Hook:
    """
    A hook that converts a JSON list to a tuple whose items are all of the type *member*.
    """
    as_list = Exactly(list)

    def read(value: Any, kind: Any) -> tuple[Any, ...]:
        members: list[Any] = []
        faults: list[Exception] = []
        for place, item in enumerate(as_list(value)):
            try:
                members.append(member_hook(item, member))
            except Exception as fault:  # noqa: BLE001  # a hook may raise anything, as in cattrs
                faults.append(_at_index(fault, place, member))
                if len(faults) == MOST_FAULTS:
                    break
        if faults:
            from cattrs import IterableValidationError

            raise IterableValidationError("members", faults, kind)
        return tuple(members)

    return read


def object_hook(kind: type[Any], fields: Sequence[Field]) -> Hook:
    """
    A hook that converts a JSON object to an instance of an attrs class.

    Args:
        fields: All fields of the class, in their order.
    """
    known = [wire_name(field.attribute.name) for field in fields]
    arguments = [field.attribute.alias if field.attribute.init else None for field in fields]
    as_dict = Exactly(dict)

    def filled(value: Any) -> list[Any]:
        """
        The JSON values of all fields; ``None`` for those that the object lacks.
        """
        as_dict(value)
        # Any field may be missing; but an object with few of them is an error, or another class.
        if value.get(known[0]) is None and 2 * len(value.keys() & {*known}) < len(known):
            raise ValueError(f"does not look like {kind.__name__}")
        return [*map(value.get, known)]

    def refusal(value: dict[str, Any], error: Exception) -> Exception:
        """
        The error for a JSON object, with all malformed fields.
        """
        from cattrs import ClassValidationError

        faults = []
        for name, field in zip(known, fields, strict=True):
            if field.attribute.init:
                try:
                    field.read(value.get(name))
                except Exception as fault:  # noqa: BLE001  # a hook may raise anything
                    faults.append(_at_field(fault, field))
        # If no field is malformed, the constructor of the class has raised *error*.
        return ClassValidationError(kind.__name__, faults or [error.with_traceback(None)], kind)

    names: dict[str, Any] = {"kind": kind, "filled": filled, "refusal": refusal}
    for place, field in enumerate(fields):
        names[f"read{place}"] = field.read
        names[f"convert{place}"] = getattr(field.hook, "convert", None)
    slots = _slots(kind)
    if slots is None:
        keywords = [f"{name}=v{place}" for place, name in enumerate(arguments) if name]
        construction = [f"return kind({', '.join(keywords)})"]
    else:
        names["new"] = object.__new__
        names |= {f"set{place}": slot.__set__ for place, slot in enumerate(slots)}
        assignments = [f"set{place}(self, v{place})" for place in range(len(fields))]
        construction = ["self = new(kind)", *assignments, "return self"]
    source = "\n".join(
        [
            "def read(value, _=None):",
            "    try:",
            *(f"        v{place} = value[{name!r}]" for place, name in enumerate(known)),
            "    except (KeyError, TypeError):",
            f"        [{', '.join(f'v{place}' for place in range(len(known)))}] = filled(value)",
            "    try:",
            *(f"        {line}" for pair in enumerate(fields) for line in _reading(*pair)),
            *(f"        {line}" for line in construction),
            "    except Exception as error:",
            "        raise refusal(value, error) from None",
        ]
    )
    # attrs creates ``__init__`` in the same way. The source has no names but those of the fields.
    exec(compile(source, f"<hook of {kind.__qualname__}>", "exec"), names)  # noqa: S102
    hook: Hook = names["read"]
    return hook


def _reading(place: int, field: Field) -> list[str]:
    """
    The statements that read one field: they replace the JSON value in its variable by the value of
    the field.
    """
    value, default = f"v{place}", field.attribute.default
    slow_read = f"{value} = read{place}({value})"  # calls `Field.read()`
    if not field.attribute.init:
        return []
    if not isinstance(field.hook, Exactly):
        return [f"if {value} is not None: {slow_read}" if default is None else slow_read]
    is_expected = f"type({value}) is {field.hook.json_type.__name__}"
    if field.hook.convert is None:
        is_null_or = f"{value} is None or " if default is None else ""
        return [f"if not ({is_null_or}{is_expected}): {slow_read}"]
    return [
        f"if {is_expected}: {value} = convert{place}({value})",
        f"elif {value} is not None: {slow_read}" if default is None else f"else: {slow_read}",
    ]


def _slots(kind: Any) -> list[MemberDescriptorType] | None:
    """
    The slots of all fields, if the constructor does nothing but set them; ``None`` otherwise.

    Setting the slots directly takes half as long as ``__init__`` of a frozen class.
    """
    fields = attrs.fields(kind)
    attributes = [getattr(kind, field.name, None) for field in fields]
    slots = [slot for slot in attributes if isinstance(slot, MemberDescriptorType)]
    is_plain = (
        kind.__new__ is object.__new__
        and not hasattr(kind, "__attrs_pre_init__")
        and not hasattr(kind, "__attrs_post_init__")
        and not any(field.validator or field.converter or not field.init for field in fields)
    )
    return slots if is_plain and len(slots) == len(fields) else None


def _at_index(fault: Exception, place: int, kind: Any) -> Exception:
    from cattrs import IterableValidationNote

    return _noted(fault, IterableValidationNote(f"at index {place}", place, kind))


def _at_field(fault: Exception, field: Field) -> Exception:
    from cattrs import AttributeValidationNote

    name = field.attribute.name
    return _noted(fault, AttributeValidationNote(f"field {name}", name, field.attribute.type))


def _noted(fault: Exception, note: str) -> Exception:
    # Python 3.10 has no `add_note()`. The traceback is removed, as it would hold the whole answer.
    fault.__notes__ = [*getattr(fault, "__notes__", ()), note]
    return fault.with_traceback(None)


class _Short(reprlib.Repr):
    """
    A short repr of a JSON value that may have millions of items.
    """

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        items = [
            f"{key!r:.60}: {self.repr1(value, level - 1)}" for key, value in islice(x.items(), 4)
        ]
        return f"{{{', '.join(items)}}}"


_SHORT: Final = _Short()
_SHORT.maxlevel = 4
_SHORT.maxlist = 20
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80
