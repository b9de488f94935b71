"""The conditions of `when`."""

from __future__ import annotations

from typing import Any

import pytest

from jina.core.condition import condition
from jina.docs import BaseDoc
from jina.errors import ConfigError, InvalidInputError


class Tags(BaseDoc):
    color: str = "red"


class Thing(BaseDoc):
    text: str = "a red thing"
    price: float | None = 5.0
    limit: float = 6.0
    sizes: list[int] = [1, 2, 3]
    tags: dict[str, Any] = {"deep": {"n": 7}}
    more: Tags = Tags()


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({}, True),
        ({"price": {"$eq": 5}}, True),
        ({"price": {"$neq": 5}}, False),
        ({"price": {"$gt": 4.5}}, True),
        ({"price": {"$gt": 5}}, False),
        ({"price": {"$gte": 5, "$lt": 6}}, True),
        ({"price": {"$gte": 5, "$lt": 5}}, False),
        ({"price": {"$lte": 5}}, True),
        ({"text": {"$in": ["a red thing", "x"]}}, True),
        ({"text": {"$nin": ["a red thing", "x"]}}, False),
        ({"text": {"$regex": "^a r.d"}}, True),
        ({"text": {"$regex": "blue"}}, False),
        ({"sizes": {"$size": 3}}, True),
        ({"sizes": {"$size": 2}}, False),
        ({"text": {"$exists": True}}, True),
        ({"absent": {"$exists": True}}, False),
        ({"absent": {"$exists": False}}, True),
        ({"absent": {"$neq": 1}}, False),
        ({"tags__deep__n": {"$eq": 7}}, True),
        ({"more__color": {"$eq": "red"}}, True),
        ({"sizes__1": {"$eq": 2}}, True),
        ({"sizes__9": {"$exists": False}}, True),
        ({"tags__deep__x": {"$eq": 7}}, False),
        ({"price": {"$lt": "{limit}"}}, True),
        ({"limit": {"$lt": "{ price }"}}, False),
        ({"price": {"$eq": "{absent}"}}, False),
        ({"price": {"$gt": 1}, "text": {"$eq": "x"}}, False),
        ([{"price": {"$gt": 1}}, {"text": {"$regex": "red"}}], True),
        ({"$and": [{"price": {"$gt": 1}}, {"price": {"$gt": 9}}]}, False),
        ({"$and": {"price": {"$gt": 1}, "limit": {"$eq": 6}}}, True),
        ({"$or": [{"price": {"$gt": 9}}, {"limit": {"$eq": 6}}]}, True),
        ({"$or": {"price": {"$gt": 9}, "limit": {"$eq": 7}}}, False),
        ({"$not": {"price": {"$gt": 9}}}, True),
        ({"$not": {"price": {"$gt": 1}}}, False),
        ({"$not": {"$or": [{"price": {"$gt": 9}}, {"limit": {"$eq": 7}}]}}, True),
        ({"price": {"$not": {"$gt": 9}}}, True),
        ({"price": {"$or": [{"$gt": 9}, {"$lt": 6}]}}, True),
        ({"price": {"$or": [{"$gt": 9}, {"$lt": 3}]}}, False),
    ],
)
def test_a_condition_holds_or_not(when: Any, holds: bool) -> None:
    """Every operator, paths into what is nested, other fields as values."""
    assert condition(when)(Thing()) is holds


@pytest.mark.parametrize(("when", "holds"), [({"$eq": None}, True), ({"$in": [None]}, True), ({"$gt": 1}, False), ({"$regex": "a"}, False)])
def test_none_is_compared_only_for_being_equal(when: dict[str, Any], holds: bool) -> None:
    """Order, patterns and sizes are those of something."""
    assert condition({"price": when})(Thing(price=None)) is holds


def test_documents_may_be_mappings() -> None:
    """What a worker has of them is its own affair."""
    assert condition({"a__b": {"$eq": 1}})({"a": {"b": 1}})


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ({"price": {"$gtt": 1}}, r"operator '\$gtt' of a condition is not known; did you mean '\$gt'"),
        ({"$ro": []}, r"did you mean '\$or'"),
        ({"$xyz": 1}, r"there are \$and"),
        ({"price": 5}, r"the condition on 'price' is \{'price': \{operator: value\}\}, got 5"),
        ({"price": {}}, "the condition on 'price'"),
        ({"price": {"$exists": 1}}, "takes True or False, got 1"),
        ({"price": {"$in": 3}}, "takes a list, got 3"),
        ({"price": {"$regex": "("}}, "takes a regular expression"),
        ({"price": {"$size": "x"}}, "takes a whole number"),
        ({"price": {"$lt": "{a b}"}}, "no name of a field in braces"),
        ({"price": {"$not": 4}}, r"\$not takes"),
        ("price > 3", "a condition is"),
        (3, "a condition is"),
        ({3: {"$eq": 3}}, "operator 3"),
    ],
)
def test_what_is_no_condition_is_refused_when_it_is_read(when: Any, text: str) -> None:
    """A Flow with it does not start."""
    with pytest.raises(ConfigError, match=text):
        condition(when)


def test_values_that_cannot_be_compared_name_field_and_values() -> None:
    """The caller's documents do not fit the condition."""
    with pytest.raises(InvalidInputError, match=r"'text' of a document, 'a red thing', cannot be compared by \$lt with 5"):
        condition({"text": {"$lt": 5}})(Thing())
