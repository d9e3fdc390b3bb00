"""Fields of requests that take what scripts send: one id or many, numbers as text, anything truthy."""

import math
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tom_desc.fields import MAX_ID

WHOLE = {"type": "integer", "format": "int64"}


@extend_schema_field({"oneOf": [WHOLE, {"type": "array", "items": WHOLE}]})
class ObjectIds(serializers.Field[list[int], Any, Any, Any]):
    """One id or a list of them, as integers or texts of integers; exact to 64 bits."""

    default_error_messages = {
        "invalid": "must be an integer or a list of integers, not {value}",
        "null": "must be an integer or a list of integers, not None",
    }

    def to_internal_value(self, data: Any) -> list[int]:
        values = data if isinstance(data, list) else [data]
        # The common case in one pass; what is left is looked at one by one.
        ids = values if {*map(type, values)} <= {int} else [self.whole(value) for value in values]
        longest = max(ids, key=abs, default=0)
        if abs(longest) > MAX_ID:
            self.fail("invalid", value=repr(longest))
        return ids

    def whole(self, value: Any) -> int:
        try:
            if type(value) is str or type(value) is int or (type(value) is float and value.is_integer()):
                return int(value)
        except ValueError:
            pass  # A text that is no integer is refused like any other value that is none.
        return self.fail("invalid", value=repr(value)[:60])

    def to_representation(self, value: Any) -> list[int]:
        return list(value)


@extend_schema_field(OpenApiTypes.DOUBLE)
class Number(serializers.Field[float, Any, Any, Any]):
    """A finite number, or a text of one."""

    default_error_messages = {"invalid": "must be a number, not {value}"}

    def __init__(self, *, most: float = math.inf, **kwargs: Any) -> None:
        self.most = most
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> float:
        try:
            number = float(data) if type(data) in (int, float, str) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number) or abs(number) > self.most:
            self.fail("invalid", value=repr(data)[:60])
        return number

    def to_representation(self, value: Any) -> float:
        return float(value)


@extend_schema_field(OpenApiTypes.ANY)
class Anything(serializers.Field[Any, Any, Any, Any]):
    """Any value as it came; the request says itself what it makes of it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field(OpenApiTypes.BOOL)
class Truthy(serializers.Field[bool, Any, Any, Any]):
    """Anything; what Python takes for true is true."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default=False, allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> bool:
        return bool(data)

    def to_representation(self, value: Any) -> bool:
        return bool(value)
