"""The API's reference for readers, made from the OpenAPI document: operations, schemas, and commands that work."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app.errors import NotFound

Spec = Mapping[str, Any]
_REF = "#/components/schemas/"
_NO_BOUND = 2**63 - 1  # what a column of the database holds
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A parameter of an operation, or a field of a schema. `schema` names the one that its type refers to."""

    name: str
    place: str
    type: str
    required: bool
    description: str
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one address. `curl` is a command that can be pasted; `answers` pairs statuses with words."""

    method: str
    path: str
    group: str
    title: str
    description: str
    inputs: Sequence[FieldLine]
    answers: Sequence[tuple[str, str]]
    gives: str
    curl: str

    @property
    def anchor(self) -> str:
        return f"{self.method}-{self.path}".lower().replace("/", "-").replace("{", "").replace("}", "")


@dataclass(frozen=True, slots=True)
class SchemaTable:
    name: str
    description: str
    fields: Sequence[FieldLine]


class Reference:
    """Reads one OpenAPI document; `server` is the address that the commands go to."""

    def __init__(self, document: Spec, server: str) -> None:
        self._schemas: Spec = document["components"]["schemas"]
        self._server = server
        self.operations = [
            self._operation(method, path, methods[method])
            for path, methods in document["paths"].items()
            for method in _METHODS
            if method in methods
        ]

    def schema_names(self) -> list[str]:
        """Of the schemas with fields; what a form consists of is told with its operation."""
        return sorted(n for n, s in self._schemas.items() if "properties" in s and not n.startswith("Body_"))

    def schema(self, name: str) -> SchemaTable:
        """Raises NotFound."""
        if name not in self.schema_names():
            raise NotFound(f"There is no schema {name!r}.")
        found = self._schemas[name]
        return SchemaTable(name, found.get("description", ""), self._fields(found, ""))

    def groups(self) -> list[str]:
        return sorted({operation.group for operation in self.operations})

    def _operation(self, method: str, path: str, spec: Spec) -> Operation:
        parameters = spec.get("parameters", [])
        inputs = [self._line(item["name"], item["in"], item["schema"], item) for item in parameters]
        for body in spec.get("requestBody", {}).get("content", {}).values():
            inputs += self._fields(body["schema"], "body")
        good: Spec = next((answer for status, answer in spec["responses"].items() if status.startswith("2")), {})
        given = good.get("content", {}).get("application/json", {}).get("schema", {})
        return Operation(
            method.upper(),
            path,
            spec.get("tags", ["other"])[0],
            spec["summary"].capitalize(),
            spec.get("description", ""),
            inputs,
            [(status, answer["description"]) for status, answer in spec["responses"].items()],
            self._target(given),
            self._curl(method, path, spec),
        )

    # --- Schemas in words ---------------------------------------------------------------------------------------

    def _fields(self, schema: Spec, place: str) -> list[FieldLine]:
        schema = self._resolved(schema)
        required = schema.get("required", ())
        return [
            self._line(name, place, field, {"required": name in required, **field})
            for name, field in schema.get("properties", {}).items()
        ]

    def _line(self, name: str, place: str, schema: Spec, about: Spec) -> FieldLine:
        description = about.get("description", "") or schema.get("description", "")
        required = about.get("required") is True
        return FieldLine(name, place, self._type(schema), required, description, self._target(schema))

    def _resolved(self, schema: Spec) -> Spec:
        return self._schemas[schema["$ref"].removeprefix(_REF)] if "$ref" in schema else schema

    def _target(self, schema: Spec) -> str:
        """The schema that a type names, be it as a list or as one of several."""
        if "$ref" in schema:
            name: str = schema["$ref"].removeprefix(_REF)
            return name
        parts = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]
        return next((name for part in parts if (name := self._target(part))), "")

    def _type(self, schema: Spec) -> str:
        if "$ref" in schema:
            return self._target(schema)
        if "anyOf" in schema:
            return " or ".join(self._type(part) for part in schema["anyOf"])
        if "enum" in schema:
            return " or ".join(map(json.dumps, schema["enum"]))
        if "const" in schema:
            return json.dumps(schema["const"])
        kind: str = schema.get("type", "any")
        if kind == "array":
            return f"list of {self._type(schema['items'])}" if "items" in schema else "list"
        bounds = self._bounds(schema)
        is_file = schema.get("contentMediaType") == "application/octet-stream"
        return ("file" if is_file else schema.get("format", kind)) + (f", {bounds}" if bounds else "")

    @staticmethod
    def _bounds(schema: Spec) -> str:
        low, high = schema.get("minimum"), schema.get("maximum")
        high = None if high is not None and high >= _NO_BOUND else high
        length = schema.get("maxLength")
        parts = [f"from {low}" if low is not None else "", f"to {high}" if high is not None else ""]
        return " ".join(filter(None, [*parts, f"at most {length} characters" if length else ""]))

    # --- Commands -----------------------------------------------------------------------------------------------

    def _curl(self, method: str, path: str, spec: Spec) -> str:
        query = {}
        for item in spec.get("parameters", []):
            value = self._example(item, item["schema"])
            if item["in"] == "path":
                path = path.replace("{%s}" % item["name"], str(value))  # noqa: UP031 - braces
            elif item["in"] == "query" and (item.get("required") or "example" in item):
                query[item["name"]] = value
        address = self._server + path + (f"?{urlencode(query)}" if query else "")
        parts = ["curl", *(["-X", method.upper()] if method != "get" else [])]
        line = f'{shlex.join(parts)} -H "Authorization: Bearer $CAIRN_TOKEN"'
        for kind, body in spec.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json":
                text = json.dumps(self._example(body, body["schema"]), ensure_ascii=False)
                line += f" -H 'Content-Type: application/json' \\\n  -d {shlex.quote(text)}"
            else:
                line += "".join(f" \\\n  -F {part}" for part in self._parts(body["schema"]))
        return f"{line} \\\n  {shlex.quote(address)}"

    def _parts(self, schema: Spec) -> list[str]:
        """The required parts of a form; a file is one that lies beside."""
        form = self._resolved(schema)
        fields = {name: field for name, field in form["properties"].items() if name in form.get("required", ())}
        files = {name: "@seeds.jsonl" for name, field in fields.items() if self._type(field) == "file"}
        return [shlex.quote(f"{name}={files.get(name) or self._example({}, fields[name])}") for name in fields]

    def _example(self, about: Spec, schema: Spec) -> Any:
        """What the document gives as an example, or the plainest value that the schema allows."""
        named = about.get("examples")
        if isinstance(named, Mapping) and named:
            return next(iter(named.values()))["value"]
        if "example" in about:
            return about["example"]
        schema = self._resolved(schema)
        for key in ("examples", "enum"):
            if schema.get(key):
                return schema[key][0]
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if "anyOf" in schema:
            return self._example({}, schema["anyOf"][0])
        if "properties" in schema:
            fields = schema["properties"]
            return {name: self._example({}, fields[name]) for name in schema.get("required", ())}
        if schema.get("type") == "array":
            return [self._example({}, schema["items"])] if schema.get("minItems") else []
        low = schema.get("minimum", 1)
        return {"integer": low, "number": low, "boolean": True, "object": {}}.get(schema.get("type", ""), "text")
