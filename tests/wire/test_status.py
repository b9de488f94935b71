"""The table of statuses has every code, and says what gRPC's documents say."""

from __future__ import annotations

import grpc as grpcio
import pytest

from jina.errors import Code
from jina.wire import status


def test_every_code_has_both_statuses() -> None:
    """No error of ours lacks a number on a wire."""
    assert set(status.GRPC_STATUS) == set(status.HTTP_STATUS) == set(Code)


def test_numbers_are_grpcs() -> None:
    """Names and numbers are those of grpcio."""
    assert {each.name: each.value[0] for each in grpcio.StatusCode} == {each.name: each.value for each in status.GrpcStatus}


@pytest.mark.parametrize(
    ("http", "expected"), [(400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (502, 14), (503, 14), (504, 14), (500, 2), (200, 2)]
)
def test_http_replies_that_are_not_grpc(http: int, expected: int) -> None:
    """gRPC's http-grpc-status-mapping."""
    assert status.grpc_status_of_http(http) == expected


@pytest.mark.parametrize(("code", "expected"), [(0, 13), (1, 13), (2, 13), (3, 13), (6, 13), (7, 14), (8, 1), (9, 13), (11, 8), (12, 7)])
def test_reset_codes(code: int, expected: int) -> None:
    """PROTOCOL-HTTP2, section Errors."""
    assert status.grpc_status_of_reset(code) == expected


@pytest.mark.parametrize("code", Code)
def test_an_http_status_of_ours_means_what_grpc_would_have_said(code: Code) -> None:
    """Where codes share an HTTP status, one of them; 500 says nothing in particular, and 499 is never read."""
    http = status.HTTP_STATUS[code]
    same = {status.GRPC_STATUS[other] for other in Code if status.HTTP_STATUS[other] == http}
    assert status.nearest_grpc_status(http) in same or http == 499
