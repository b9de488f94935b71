"""What stands in the graphs of `flows.py`: one source for Jina 3 and for us."""

import time
from typing import Any, AsyncIterator, Callable, Dict, List, Optional  # noqa: UP035 - pydantic 1 under Jina 3 reads these

from docarray import BaseDoc, DocList

from jina import Executor, requests


class Word(BaseDoc):
    text: str = ""
    n: int = 0
    left: Optional[str] = None  # noqa: UP045
    right: Optional[str] = None  # noqa: UP045
    words: List[str] = []  # noqa: UP006
    counts: Dict[str, int] = {}  # noqa: UP006
    blob: bytes = b""


class Length(BaseDoc):
    n: int


Words = DocList[Word]


def write(docs: Words, mark: str) -> Any:
    for doc in docs:
        doc.text += mark
    return docs


def write_left(docs: Words, mark: str) -> Any:
    for doc in docs:
        doc.left = mark
    return docs


def write_right(docs: Words, mark: str) -> Any:
    for doc in docs:
        doc.right = mark
    return docs


def collect(docs: Words, mark: str) -> Any:
    for doc in docs:
        doc.words, doc.counts = [*doc.words, mark], {**doc.counts, mark: 1, "last": ord(mark[0])}
    return docs


def keep_even(docs: Words, mark: str) -> Any:
    return write(Words([doc for doc in docs if doc.n % 2 == 0]), mark)


def keep_none(docs: Words, mark: str) -> Any:
    return Words()


def add(docs: Words, mark: str) -> Any:
    return Words([*docs, Word(id=f"new-{mark}", text=mark, n=100)])


def replace(docs: Words, mark: str) -> Any:
    return Words([Word(id=f"{mark}-{doc.id}", text=mark, n=doc.n) for doc in docs])


def reverse(docs: Words, mark: str) -> Any:
    return Words(list(docs)[::-1])


def write_in_place(docs: Words, mark: str) -> Any:
    write(docs, mark)


def tell(docs: Words, mark: str) -> Any:
    write(docs, mark)
    return {"mark": mark, "n": len(docs)}


def fail(docs: Words, mark: str) -> Any:
    write(docs, mark)
    raise ValueError("no word", mark)


ACTS: Dict[str, Callable[[Words, str], Any]] = {  # noqa: UP006
    act.__name__: act
    for act in (
        *(write, write_left, write_right, write_in_place, collect, tell),
        *(keep_even, keep_none, add, replace, reverse, fail),
    )
}


class Step(Executor):
    """Does what `act` names to the documents of `/run`, after a while."""

    def __init__(self, mark: str = "", act: str = "write", delay_s: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mark, self.act, self.delay_s = mark, ACTS[act], delay_s

    @requests(on="/run")
    def run(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        time.sleep(self.delay_s)
        found: DocList[Word] = self.act(docs, self.mark)
        return found

    @requests(on="/see")
    def see(self, docs: DocList[Word], parameters: Dict[str, Any], **kwargs: Any) -> DocList[Word]:  # noqa: UP006
        time.sleep(self.delay_s)
        for doc in docs:
            doc.words.append(self.mark + repr(sorted(parameters.items())))
        return docs


class Extra(Step):
    """Has an endpoint more."""

    @requests(on="/extra")
    def extra(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return DocList[Word]([Word(id=doc.id, text=doc.text + "extra", n=doc.n) for doc in docs])


class Fallback(Executor):
    """Takes every endpoint."""

    @requests
    def anything(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return DocList[Word]([Word(id=doc.id, text=doc.text + "default", n=doc.n) for doc in docs])


class Joins(Executor):
    """Tells in one document what it was given."""

    @requests(on=["/run", "/see"])
    def join(self, docs: DocList[Word], docs_matrix: Any = None, docs_map: Any = None, **kwargs: Any) -> DocList[Word]:
        matrix = None if docs_matrix is None else [[[doc.id, doc.text] for doc in each] for each in docs_matrix]
        by_name = None if docs_map is None else {name: [[doc.id, doc.text] for doc in each] for name, each in docs_map.items()}
        return DocList[Word]([Word(id="told", words=[repr([[doc.id, doc.text] for doc in docs]), repr(matrix), repr(by_name)])])


class Tells(Executor):
    """Gives a document for each branch: which documents it brought."""

    @requests(on=["/run", "/see"])
    def tell(self, docs: DocList[Word], docs_map: Any = None, **kwargs: Any) -> DocList[Word]:
        return DocList[Word]([Word(id=name, words=[doc.id for doc in docs_map[name]]) for name in sorted(docs_map)])


class Begins(Executor):
    """Has `/run` alone, so that one with other types may follow."""

    @requests(on="/run")
    def run(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return DocList[Word]([Word(id=doc.id, text=doc.text * 2) for doc in docs])


class Measures(Executor):
    @requests(on="/run")
    def measure(self, docs: DocList[Word], **kwargs: Any) -> DocList[Length]:
        return DocList[Length]([Length(id=doc.id, n=len(doc.text)) for doc in docs])


class Doubles(Executor):
    @requests(on="/run")
    def double(self, docs: DocList[Length], **kwargs: Any) -> DocList[Length]:
        return DocList[Length]([Length(id=doc.id, n=2 * doc.n) for doc in docs])


class Item(BaseDoc):
    text: str = ""
    n: int = 0


class Streams(Executor):
    @requests(on="/stream")
    async def stream(self, doc: Item, parameters: Optional[Dict[str, Any]] = None, **kwargs: Any) -> AsyncIterator[Item]:  # noqa: UP006, UP045
        for n in range(doc.n):
            yield Item(id=f"{doc.id}-{n}", text=doc.text + "".join(sorted(parameters or {})), n=n)

    @requests(on="/run")
    def run(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return docs


KINDS = {kind.__name__: kind for kind in (Step, Extra, Fallback, Joins, Tells, Begins, Measures, Doubles, Streams)}
KINDS["BaseExecutor"] = Executor
