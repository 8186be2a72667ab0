"""
Hooks that read values of JSON as instances of attrs classes.

For each class the source of one function is generated. It takes a value of exactly the expected
type as it is, and leaves any other value to `Field.read()`, which knows the default, and refuses
what is malformed. Errors are those of cattrs, which name the path to the field.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from itertools import islice
from types import MemberDescriptorType
from typing import Any, Final, NamedTuple

import attrs

from camunda_ext._wire.names import wire_name

#: Reads a value of JSON as an instance of a type, as the hooks of cattrs do.
Hook = Callable[[Any, Any], Any]

#: At how many faults a list is given up: an answer may have millions.
MOST_FAULTS: Final = 3


class Exactly:
    """
    A hook that reads values of exactly one type of JSON.

    Args:
        json_type: `bool`, `int`, `float`, `str`, `list` or `dict`.

        convert: Makes the value of that in JSON; ``None`` where they are the same.
    """

    __slots__ = ("convert", "json_type")

    def __init__(self, json_type: type, convert: Callable[[Any], Any] | None = None) -> None:
        self.json_type = json_type
        self.convert = convert

    def __call__(self, value: Any, _: Any = None) -> Any:
        """
        The value that is read.

        Raises:
            TypeError: What JSON has is of another type.
        """
        if type(value) is not self.json_type:
            shown = _SHORT.repr(value)
            expected, actual = self.json_type.__name__, type(value).__name__
            raise TypeError(f"expected {expected}, not {actual} {shown:.60}")
        return value if self.convert is None else self.convert(value)


class Field(NamedTuple):
    """
    How one field of an attrs class is read.
    """

    attribute: attrs.Attribute[Any]

    #: Reads values other than null.
    hook: Hook

    def read(self, value: Any) -> Any:
        """
        The value of the field: its default for null.

        Raises:
            Exception: What JSON has is malformed; of any type that a hook raises.
        """
        default: Any = self.attribute.default
        if value is not None:
            return self.hook(value, self.attribute.type)
        if default is attrs.NOTHING:
            raise KeyError(self.attribute.name)
        return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]  # a class, at run time


def tuple_hook(member: Any, member_hook: Hook) -> Hook:
    """
    A hook that reads a list of JSON as a tuple, all of whose members are of one type.
    """
    as_list = Exactly(list)

    def read(value: Any, kind: Any) -> tuple[Any, ...]:
        members: list[Any] = []
        faults: list[Exception] = []
        for place, item in enumerate(as_list(value)):
            try:
                members.append(member_hook(item, member))
            except Exception as fault:  # noqa: BLE001  # whatever a hook may raise, as in cattrs
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
    A hook that reads an object of JSON as an instance of an attrs class.

    Args:
        fields: How all fields of the class are read, in their order.
    """
    known = [wire_name(field.attribute.name) for field in fields]
    arguments = [field.attribute.alias if field.attribute.init else None for field in fields]
    as_dict = Exactly(dict)

    def lacking(value: Any) -> list[Any]:
        as_dict(value)
        # Any field may be missing; but an object with few of them is an error, or of another kind.
        if value.get(known[0]) is None and 2 * len(value.keys() & {*known}) < len(known):
            raise ValueError(f"does not look like {kind.__name__}")
        return [*map(value.get, known)]

    def refusal(value: dict[str, Any], error: Exception) -> Exception:
        from cattrs import ClassValidationError

        faults = []
        for name, field in zip(known, fields, strict=True):
            if field.attribute.init:
                try:
                    field.read(value.get(name))
                except Exception as fault:  # noqa: BLE001  # whatever a hook may raise
                    faults.append(_at_field(fault, field))
        # Without a malformed field, the class itself has refused the values.
        return ClassValidationError(kind.__name__, faults or [error.with_traceback(None)], kind)

    names: dict[str, Any] = {"kind": kind, "lacking": lacking, "refusal": refusal}
    for place, field in enumerate(fields):
        names[f"read{place}"] = field.read
        names[f"convert{place}"] = getattr(field.hook, "convert", None)
    slots = _slots(kind)
    if slots is None:
        passed = [f"{name}=v{place}" for place, name in enumerate(arguments) if name]
        making = [f"return kind({', '.join(passed)})"]
    else:
        names["new"] = object.__new__
        names |= {f"set{place}": slot.__set__ for place, slot in enumerate(slots)}
        setting = [f"set{place}(self, v{place})" for place in range(len(fields))]
        making = ["self = new(kind)", *setting, "return self"]
    source = "\n".join(
        [
            "def read(value, _=None):",
            "    try:",
            *(f"        v{place} = value[{name!r}]" for place, name in enumerate(known)),
            "    except (KeyError, TypeError):",
            f"        [{', '.join(f'v{place}' for place in range(len(known)))}] = lacking(value)",
            "    try:",
            *(f"        {line}" for pair in enumerate(fields) for line in _reading(*pair)),
            *(f"        {line}" for line in making),
            "    except Exception as error:",
            "        raise refusal(value, error) from None",
        ]
    )
    # attrs makes ``__init__`` in this way. The source holds names of the class's own fields only.
    exec(compile(source, f"<hook of {kind.__qualname__}>", "exec"), names)  # noqa: S102
    hook: Hook = names["read"]
    return hook


def _reading(place: int, field: Field) -> list[str]:
    """
    The statements that read one field; its variable holds what JSON has, and its value then.
    """
    value, default = f"v{place}", field.attribute.default
    by_rule = f"{value} = read{place}({value})"  # `Field.read()`
    if not field.attribute.init:
        return []
    if not isinstance(field.hook, Exactly):
        return [f"if {value} is not None: {by_rule}" if default is None else by_rule]
    is_expected = f"type({value}) is {field.hook.json_type.__name__}"
    if field.hook.convert is None:
        is_null_or = f"{value} is None or " if default is None else ""
        return [f"if not ({is_null_or}{is_expected}): {by_rule}"]
    return [
        f"if {is_expected}: {value} = convert{place}({value})",
        f"elif {value} is not None: {by_rule}" if default is None else f"else: {by_rule}",
    ]


def _slots(kind: Any) -> list[MemberDescriptorType] | None:
    """
    The slots of all fields, if an instance consists of their values alone; ``None`` otherwise.

    Setting the slots takes half as long as ``__init__`` of a frozen class.
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
    # Python 3.10 has no `add_note()`. A traceback would hold the whole answer.
    fault.__notes__ = [*getattr(fault, "__notes__", ()), note]
    return fault.with_traceback(None)


class _Short(reprlib.Repr):
    """
    The beginning of a value as text; the value may have millions of parts.
    """

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        parts = islice(x.items(), 4)
        shown = [f"{key!r:.60}: {self.repr1(value, level - 1)}" for key, value in parts]
        return f"{{{', '.join(shown)}}}"


_SHORT: Final = _Short()
_SHORT.maxlevel = 4
_SHORT.maxlist = 20
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80
