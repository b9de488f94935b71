"""What comes of calls, told to whoever submitted them: the part that executor threads and the user's loop share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

from jina.call import Call, Item, Payload, Status
from jina.codec import codec_for
from jina.core.condition import condition
from jina.errors import Code
from jina.executor import BaseExecutor
from jina.runtime import invoke
from jina.runtime.work import END, ITEM, REPLY, Outlet, Work
from jina.transport.begun import BegunNotes


class Making:
    """An Executor whose calls have outcomes; see `Local`."""

    def __init__(
        self,
        executor: BaseExecutor,
        outlet: Outlet,
        notes: BegunNotes | None,
        on_failure: Callable[[BaseException], None] | None,
        when: Any,
    ) -> None:
        self.executor = executor
        self._keeps = None if when is None else condition(when)
        self._name = type(executor).__name__
        self._is_quiet = bool(getattr(executor.runtime_args, "quiet_error", False)) or _is_set("JINA_QUIET_ERROR")
        self._outlet, self._hand_over = outlet, outlet.put
        self._notes, self._on_failure = notes, on_failure
        self._unended: list[int] = []

    def _fail(self, work: Work, status: Status) -> None:
        """Answer a call, of whatever kind, with a failure."""
        self._answer_with(work, status, None)

    def _answer_with(self, work: Work, status: Status | None, payload: Payload | None) -> None:
        if work.call.is_stream:
            self._put_item(work, Item(payload, status))
            self._hand_over((work, END, None, None, None))
        else:
            self._hand_over((work, REPLY, status, payload, None))

    def _put_item(self, work: Work, item: Item) -> None:
        """Add an item to those that wait to leave, and tell the owner that there are some."""
        work.items.append(item)
        work.n_made += 1
        if item.payload is not None:
            work.n_bytes_made += len(item.payload.data)
        if not work.is_told:
            work.is_told = True
            self._hand_over((work, ITEM, None, None, None))

    def _status(self, error: BaseException, call: Call) -> Status:
        """Describe what a call raised; what no caller can mend is logged here, where the executor runs."""
        try:
            status = invoke.status_of(error, self._name)
        except BaseException as failure:  # a class of the user's may raise from its every attribute
            name = type(error).__name__
            told = f"{name}, which cannot be described: {type(failure).__name__}"
            status = Status(Code.EXECUTOR_FAILED, told, name, executor=self._name)
        if status.code is Code.EXECUTOR_FAILED and (status.http_status or 500) >= 500:
            trace = "" if self._is_quiet else "\n" + "".join(status.stacks).rstrip()
            with contextlib.suppress(Exception):  # the logger may be the user's
                self.executor.logger.error(f"{call.endpoint} failed, request {call.request_id}: {status.description}{trace}")
        if self._on_failure is not None:
            self._on_failure(error)
        return status

    def _item(self, work: Work, made: Any) -> Item:
        if isinstance(made, Exception):
            return Item(status=self._status(made, work.call))
        wants = work.call.wants
        try:
            codec = codec_for(type(made))
            data = codec.encode_json_one(made) if wants == "json" else codec.encode_proto_one(made, dialect=wants)
        except Exception as error:
            return Item(status=self._status(error, work.call))
        return Item(Payload(data, wants, True))

    def _kept(self, docs: list[Any]) -> list[Any]:
        """Leave out the documents that the condition on this node (`when`) does not let in; only asked where there is one."""
        keeps = self._keeps
        assert keeps is not None
        if isinstance(docs, invoke.Branched):
            return invoke.Branched({name: [doc for doc in branch if keeps(doc)] for name, branch in docs.branches.items()})
        return [doc for doc in docs if keeps(doc)]

    def _begin(self, work: Work) -> int:
        """Note that the user's code begins to run a call; gives the slot for `_send`."""
        return self._notes.begin(work.stream) if self._notes is not None else -1

    def _send(self, ended: list[int]) -> None:
        """Send what has been made. Only when it has left are its calls over: a death before that must find them noted as begun."""
        self._outlet.flush()
        if self._notes is None:
            return
        if self._outlet.stuck:
            self._unended += ended
            return
        if self._unended:
            before, self._unended = self._unended, []
            ended = before + ended
        for slot in ended:
            self._notes.end(slot)


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").lower() not in ("", "0", "false")
