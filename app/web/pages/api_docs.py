"""The reference of the API: our own page over the OpenAPI document, with no script and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.config import settings
from app.errors import InvalidInput
from app.web.deps import Browser, PagesDep
from app.web.reference import Operation, Reference, SchemaTable

NAV = None
router = APIRouter()

SCHEMAS = "schemas"


@dataclass(frozen=True, slots=True)
class ApiPage:
    """The context of api_docs/page.html."""

    openapi: str
    parts: Sequence[str]
    part: str
    operations: Sequence[Operation]
    schema: SchemaTable | None
    schemas: Sequence[str]


@router.get("/api/v1/docs")
def reference(
    request: Request,
    browser: Browser,  # noqa: ARG001 - so that the header shows who looks
    pages: PagesDep,
    part: Annotated[str, Query(max_length=100)] = "",
    schema: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """One group of operations at a time, or one schema."""
    server = (settings().public_url or str(request.base_url)).rstrip("/")
    made = Reference(request.app.openapi(), server)
    parts = [*made.groups(), SCHEMAS]
    part = SCHEMAS if schema else part or parts[0]
    if part not in parts:
        raise InvalidInput(f"There is no part {part!r}.", field="part", remedy=f"Choose one of: {', '.join(parts)}.")
    page = ApiPage(
        request.app.openapi_url,
        parts,
        part,
        [operation for operation in made.operations if operation.group == part],
        made.schema(schema) if schema else None,
        made.schema_names() if part == SCHEMAS else (),
    )
    return pages.render(request, "api_docs/page.html", page)
