"""Writes requests as the protobuf messages that gRPC and WebSocket carry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jina.client import documents
from jina.client.dialect import in_either, ours_only
from jina.client.inputs import Batch
from jina.client.post import Post
from jina.codec import messages
from jina.codec.pieces import Message
from jina.codec.struct import EMPTY_RESULTS, dict_to_struct
from jina.errors import BadClientInput, JinaError


class RequestWriter:
    """Writes the requests of one post, in the thread that has the documents."""

    def __init__(self, post: Post, request_id: Callable[[], str]) -> None:
        self._request_id = request_id
        self._endpoint, self._target = post.on, post.target_executor or None
        self._parameters = _parameters_bytes(post)

    def write(self, batch: Batch) -> tuple[str, Message]:
        """Give a new request id, and the request."""
        request_id = self._request_id()
        header = messages.header_bytes(request_id, self._endpoint, self._target)
        docs, refused = in_either(partial(documents.encode_proto, batch))
        return request_id, ours_only(messages.request_message(header, self._parameters, b"", docs), refused)

    def write_document(self, doc: Any) -> tuple[str, Message]:
        """The same for a streaming endpoint."""
        request_id = self._request_id()
        header = messages.header_bytes(request_id, self._endpoint, self._target)
        document, refused = in_either(partial(documents.encode_one_proto, doc))
        return request_id, ours_only(messages.write_document_request(header, self._parameters, b"", document), refused)


def _parameters_bytes(post: Post) -> bytes:
    try:
        return dict_to_struct(post.parameters) if post.parameters else EMPTY_RESULTS
    except JinaError as error:
        raise BadClientInput(str(error)) from error
