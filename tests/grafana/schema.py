"""Holds dashboards to Grafana's published schema: schema.py FILE…

Each is read into the classes that Grafana generates from its schema, and written again. What the schema does not know
is lost on the way, and a value of another type, or none of an enumeration, is found by the classes' own annotations.
"""

import enum
import json
import sys
import types
import typing

from grafana_foundation_sdk import models
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard

# The data source's own settings of an annotation, which it reads and the schema does not list.
BY_THE_DATA_SOURCE = {"step", "titleFormat", "textFormat"}


def lost(before, after, where):
    """What is not in `after` as it was in `before`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{where}.{key}")
            elif not (where.startswith(".annotations.") and key in BY_THE_DATA_SOURCE):
                yield f"{where}.{key} is not in the schema"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after)):
            yield from lost(one, other, f"{where}[{index}]")
    elif before != after:
        yield f"{where} is {before!r} and becomes {after!r}"


def wrong(value, expected, where):
    """What in a value is not of the type that is expected; unknown types are taken as they are."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return
        found = [list(wrong(value, one, where)) for one in arguments if one is not type(None)]
        if all(found):
            yield from min(found, key=len)
    elif origin is list:
        if not isinstance(value, list):
            yield f"{where} is {value!r}, and not a list"
        else:
            for index, one in enumerate(value):
                yield from wrong(one, arguments[0], f"{where}[{index}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{where} is {value!r}, and not an object"
        else:
            for key, one in value.items():
                yield from wrong(one, arguments[1], f"{where}.{key}")
    elif origin is typing.Literal:
        if value not in arguments:
            yield f"{where} is {value!r}, and none of {arguments}"
    elif isinstance(expected, type) and issubclass(expected, enum.Enum):
        if value not in [one.value for one in expected]:
            yield f"{where} is {value!r}, and none of {[one.value for one in expected]}"
    elif expected is float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{where} is {value!r}, and not a number"
    elif expected in (str, int, bool, type(None)):
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            yield f"{where} is {value!r}, and not {expected.__name__}"
    elif hasattr(value, "__dict__") and type(value).__module__.startswith(models.__name__):
        names = vars(sys.modules[type(value).__module__])
        for name, one in vars(value).items():
            expects = typing.get_type_hints(type(value), names).get(name, typing.Any)
            yield from wrong(one, expects, f"{where}.{name}")
    elif isinstance(value, dict) and hasattr(expected, "from_json"):
        # Some are left unread.
        read = expected.from_json(value)
        yield from wrong(read, expected, where)
        yield from lost(value, json.loads(JSONEncoder().encode(read)), where)
    elif isinstance(expected, type) and expected.__module__.startswith(models.__name__):
        yield f"{where} is {value!r}, and not {expected.__name__}"


def faults(text):
    before = json.loads(text)
    read = dashboard.Dashboard.from_json(before)
    yield from wrong(read, dashboard.Dashboard, "")
    yield from lost(before, json.loads(JSONEncoder().encode(read)), "")


def main(files):
    register_default_plugins()
    found = 0
    for file in files:
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
        for fault in faults(text):
            print(f"{file}: {fault}", file=sys.stderr)
            found += 1
        # Whoever checks is checked: these are no dashboards of that schema.
        for right, broken in [('"type": "timeseries"', '"type": 5'), ('"colorMode": "value"', '"colorMode": "loud"'), ('"gridPos"', '"gridPosition"'), ('"x": 0', '"x": "left"')]:
            if right in text and not list(faults(text.replace(right, broken))):
                print(f"{file}: {broken} is not noticed", file=sys.stderr)
                found += 1
    print(f"{len(files)} dashboards, {found} faults")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
