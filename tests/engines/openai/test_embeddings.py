"""What a server of embeddings gives becomes vectors in the order of their texts, or an error that names the fault."""

from __future__ import annotations

import json
import re

import pytest
from aiohttp import web

from app.errors import EngineError
from tests.support.asking import embed
from tests.support.model_server import ModelServer
from tests.support.vectors import vector_of

TEXTS = ["one", "two", "three"]


def _answer(items: list[tuple[object, object]], **more: object) -> web.Response:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in items]
    # NaN is no JSON, but some servers write it.
    return web.Response(text=json.dumps({"model": "a-model", "data": data} | more), content_type="application/json")


async def _failure(server: ModelServer, **options: object) -> EngineError:
    with pytest.raises(EngineError) as raised:
        await embed(server, TEXTS, **options)
    return raised.value


async def test_texts_go_out_in_one_request_with_the_key(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_MODEL_KEY_VECTORS", "sk-1")
    found = await embed(server, TEXTS, api_key_variable="CAIRN_MODEL_KEY_VECTORS")
    assert found == [vector_of(text) for text in TEXTS]
    assert server.requests == [{"model": "a-model", "input": TEXTS}]
    assert server.headers[0]["Authorization"] == "Bearer sk-1"


async def test_vectors_stand_in_the_order_of_their_texts(server: ModelServer) -> None:
    server.faults.append(_answer([(2, [3.0, 1]), (0, [1, 0.5]), (1, [2, 1])]))
    assert await embed(server, TEXTS) == [[1, 0.5], [2, 1], [3.0, 1]]


@pytest.mark.parametrize(
    "items",
    [
        [(0, [1.0]), (1, [1.0])],
        [(0, [1.0]), (1, [1.0]), (2, [1.0]), (3, [1.0])],
        [(0, [1.0]), (1, [1.0]), (1, [1.0])],
        [(0, [1.0]), (1, [1.0]), (None, [1.0])],
        [(0, [1.0]), (1, [1.0]), (2, [1.0, 2.0])],
        [(0, [1.0]), (1, [1.0]), (2, [])],
        [(0, [1.0]), (1, [1.0]), (2, [0.0])],
        [(0, [1.0]), (1, [1.0]), (2, [float("nan")])],
        [(0, [1.0]), (1, [1.0]), (2, [float("-inf")])],
        [(0, [1.0]), (1, [1.0]), (2, [10**400])],
        [(0, [1.0]), (1, [1.0]), (2, [True])],
        [(0, [1.0]), (1, [1.0]), (2, "AACAPw==")],
    ],
    ids=["fewer", "more", "twice", "no_index", "longer", "empty", "zero", "nan", "inf", "huge", "bool", "base64"],
)
async def test_an_answer_of_another_shape_is_refused(server: ModelServer, items: list[tuple[object, object]]) -> None:
    server.faults.append(_answer(items))
    error = await _failure(server)
    assert (error.kind, error.retryable) == ("nonsense", True)
    assert "3 vectors of one length" in error.message
    assert await embed(server, TEXTS), "the next answer counts"


@pytest.mark.parametrize(
    ("fault", "kind", "retryable", "says"),
    [
        ("crash", "server_error", True, "500.*EngineDeadError"),
        ("limited", "overloaded", True, "429"),
        ("hang_up", "disconnected", True, "broke"),
        ("nonsense", "nonsense", True, "It works!"),
        ("wrong_model", "wrong_model", False, "'another-model'.*answers_as"),
        ("overflow", "context_overflow", False, "does not fit"),
        ("unauthorised", "unauthorised", False, "asks for a key"),
        ("unknown_model", "not_found", False, "Check base_url and model"),
    ],
)
async def test_faults(server: ModelServer, fault: str, kind: str, retryable: bool, says: str) -> None:
    server.faults.append(fault)
    error = await _failure(server)
    assert (error.kind, error.retryable) == (kind, retryable)
    assert re.search(says, str(error), re.DOTALL)
    assert await embed(server, TEXTS) == [vector_of(text) for text in TEXTS]


async def test_a_text_that_is_too_long_is_told_apart_in_the_words_of_tei(server: ModelServer) -> None:
    told = {"message": "Input validation error: `inputs` must have less than 512 tokens. Given: 600", "code": 413}
    server.faults.append(web.json_response(told, status=413))
    assert (await _failure(server)).kind == "context_overflow"


async def test_the_name_that_answers_carry_may_differ(server: ModelServer) -> None:
    server.faults.append("wrong_model")
    assert await embed(server, TEXTS, answers_as="another-model")


async def test_addresses_that_runs_may_not_reach(server: ModelServer) -> None:
    with pytest.raises(ValueError, match="metadata address"):
        await embed("http://169.254.169.254/v1", TEXTS)
