"""Frozen versions by their hash: addresses whose content never changes, for trainers, `curl` and caches."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from app.features.exports import service
from app.features.exports.service import MANIFEST
from app.web.deps import ApiActor, Id, Work

router = APIRouter(tags=["revisions"], prefix="/curricula/{curriculum_id}/revisions/{revision}")

Revision = Annotated[str, Path(pattern="^([0-9a-f]{64}|latest)$", description="A SHA-256, or `latest`.")]
# What a browser or a proxy may keep for good, but for this reader alone.
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": "Authorization, Cookie"}


@router.head("/manifest.json", include_in_schema=False)
@router.get("/manifest.json", response_class=Response)
def get_manifest(request: Request, work: Work, actor: ApiActor, curriculum_id: Id, revision: Revision) -> Response:
    """What the revision holds, from what it was made, and the size and SHA-256 of every file."""
    if revision == "latest":
        return _to_latest(request, service.latest(work, actor, curriculum_id))
    text = service.manifest(work, actor, curriculum_id, revision).encode("ascii")
    headers = _headers(hashlib.sha256(text).hexdigest(), MANIFEST)
    if _known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type="application/json")


@router.head("/files/{name}", include_in_schema=False)
@router.get("/files/{name}", response_class=FileResponse)
def get_file(
    request: Request, work: Work, actor: ApiActor, curriculum_id: Id, revision: Revision, name: str
) -> Response:
    """A file of the revision, such as `train.jsonl` or `train.parquet`; in parts by Range."""
    if revision == "latest":
        return _to_latest(request, service.latest(work, actor, curriculum_id))
    file = service.stored_file(work, actor, curriculum_id, revision, name)
    headers = _headers(file.sha256, name)
    if _known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return FileResponse(file.path, headers=headers, media_type=file.media_type)


@router.get("/rows", response_class=Response)
def get_rows(
    request: Request,
    work: Work,
    actor: ApiActor,
    curriculum_id: Id,
    revision: Revision,
    cursor: Annotated[str, Query(max_length=20)] = "",
    limit: Annotated[int, Query(ge=1, le=service.MAX_ROWS)] = 100,
    env: Annotated[str | None, Query(max_length=100)] = None,
    stage: Annotated[int | None, Query(ge=0, le=1_000)] = None,
) -> Response:
    """Rows in order as newline-delimited JSON. The header Link (rel="next") holds the address of the next page."""
    if revision == "latest":
        return _to_latest(request, service.latest(work, actor, curriculum_id))
    page = service.rows(work, actor, curriculum_id, revision, cursor=cursor, limit=limit, env=env, stage=stage)
    headers = dict(_FOREVER)
    if page.cursor is not None:
        following = request.url.include_query_params(cursor=page.cursor)
        headers |= {"Link": f'<{following.path}?{following.query}>; rel="next"', "X-Next-Cursor": page.cursor}
    lines = "".join(f"{line}\n" for line in page.lines)
    return Response(lines, headers=headers, media_type="application/x-ndjson")


def _headers(sha256: str, name: str) -> dict[str, str]:
    return _FOREVER | {"ETag": f'"{sha256}"', "Content-Disposition": f'attachment; filename="{name}"'}


def _known(request: Request, etag: str) -> bool:
    """Whether the caller has this content already (If-None-Match, compared weakly as for all reads)."""
    asked = request.headers.get("if-none-match", "")
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in asked.split(","))


def _to_latest(request: Request, sha: str) -> Response:
    path = request.url.path.replace("/revisions/latest/", f"/revisions/{sha}/", 1)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(path + query, 307, headers={"Cache-Control": "no-store"})
