"""What an error says about a value that docarray's messages cannot carry."""

from __future__ import annotations

import datetime

import pytest
from pydantic import BaseModel

from jina.client.documents import encode_proto
from jina.codec import codec_for
from jina.errors import BadClientInput, UnencodableError


class _Sub(BaseModel):
    when: datetime.datetime = datetime.datetime(2020, 1, 1)


class _Doc(BaseModel):
    n: int = 1
    when: datetime.datetime | None = None
    sub: _Sub | None = None


def test_a_nested_plain_model_is_named_by_its_own_field() -> None:
    """The model is refused for what it is; the text does not point into it, nor at another field."""
    with pytest.raises(UnencodableError, match=r"_Sub.* is a plain model.* - at `docs\[0\]\.sub`$"):
        codec_for(_Doc).encode_proto([_Doc(sub=_Sub())])


def test_reason_and_place_belong_to_the_same_value() -> None:
    """With two such values the text speaks of one of them only."""
    with pytest.raises(UnencodableError) as caught:
        codec_for(_Doc).encode_proto([_Doc(when=datetime.datetime(2020, 1, 1), sub=_Sub())])

    assert ("plain model" in str(caught.value)) == str(caught.value).endswith("`docs[0].sub`")


def test_the_client_says_where_a_plain_model_is() -> None:
    """What to do about it is said once the service is known to be a foreign one (`tests/client/test_dialect.py`)."""
    with pytest.raises(BadClientInput, match=r"is a plain model.*docs\[0\]\.sub"):
        encode_proto([_Doc(sub=_Sub())])
