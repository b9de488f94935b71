"""Torch tensors through every encoding. Needs torch, which `make test-torch` has and `make test` does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jina.codec import codec_for
from jina.docs import AnyTensor, BaseDoc, DocList, NdArray, TorchTensor
from jina.errors import UnencodableError

torch = pytest.importorskip("torch", reason="torch is not installed; `make test-torch` installs it and runs this")


class Vector(BaseDoc):
    tensor: TorchTensor


class Anything(BaseDoc):
    tensor: AnyTensor


class Three(BaseDoc):
    tensor: TorchTensor[3]  # type: ignore[valid-type, type-arg]


class Array(BaseDoc):
    tensor: NdArray


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8", "bool"])
@pytest.mark.parametrize("dialect", ["strict", "ours"])
def test_a_tensor_survives_the_binary_encoding(dtype: str, dialect: Any) -> None:
    """Same class, dtype, shape and values on the other side."""
    codec = codec_for(Vector)
    given = torch.arange(6).reshape(2, 3).to(getattr(torch, dtype))
    made = codec.decode_proto(codec.encode_proto([Vector(tensor=given)], dialect=dialect))[0].tensor
    assert type(made) is torch.Tensor
    assert made.dtype is given.dtype
    assert torch.equal(made, given)


def test_a_tensor_of_any_kind_keeps_its_kind() -> None:
    """What was a torch tensor on one side is one on the other; an array stays an array."""
    codec = codec_for(Anything)
    made = codec.decode_proto(codec.encode_proto([Anything(tensor=torch.ones(2)), Anything(tensor=np.ones(2))]))
    assert type(made[0].tensor) is torch.Tensor
    assert type(made[1].tensor) is np.ndarray


def test_a_tensor_that_needs_a_gradient_or_is_not_contiguous_is_written_as_its_values() -> None:
    """Only the numbers travel."""
    codec = codec_for(Vector)
    given = torch.arange(6.0, requires_grad=True).reshape(2, 3).t()
    made = codec.decode_proto(codec.encode_proto([Vector(tensor=given)]))[0].tensor
    assert made.requires_grad is False
    assert torch.equal(made, given.detach())


def test_json_carries_tensors_as_nested_lists() -> None:
    """Numbers in, numbers out."""
    codec = codec_for(Vector)
    data = codec.encode_json([Vector(id="a", tensor=torch.tensor([[1.0, 2.5]]))])
    assert data == b'[{"id":"a","tensor":[[1.0,2.5]]}]'
    assert torch.equal(codec.decode_json(data)[0].tensor, torch.tensor([[1.0, 2.5]], dtype=torch.float64))


def test_shapes_are_checked() -> None:
    """A tensor of another shape is refused, and the finding says where."""
    from jina.errors import InvalidInputError

    codec = codec_for(Three)
    assert codec.decode_json(b'[{"tensor":[1,2,3]}]')[0].tensor.shape == (3,)
    with pytest.raises(InvalidInputError) as failed:
        codec.decode_json(b'[{"tensor":[1,2]}]')
    assert failed.value.details[0]["loc"][:2] == (0, "tensor")


def test_a_torch_tensor_fits_an_array_field() -> None:
    """It becomes an array of the same values."""
    codec = codec_for(Array)
    made = codec.decode_proto(codec.encode_proto([Array(tensor=torch.arange(3))]))[0].tensor
    assert made.tolist() == [0, 1, 2]


def test_a_list_of_tensors_is_a_column() -> None:
    """`docs.tensor` gives them in order."""
    docs = DocList[Vector]([Vector(tensor=torch.full((2,), float(n))) for n in range(3)])
    assert [float(tensor[0]) for tensor in docs.tensor] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn"])
@pytest.mark.parametrize("dialect", ["json", "strict", "ours"])
@pytest.mark.parametrize("cls", [Vector, Anything, Array])
def test_floats_that_numpy_does_not_have_travel_as_float32(cls: Any, dialect: Any, dtype: str) -> None:
    """Of the same values: what a language model gives can be sent as it is."""
    codec = codec_for(cls)
    given = torch.tensor([0.5, -1.75, 448.0]).to(getattr(torch, dtype))
    doc = cls(tensor=given)
    if dialect == "json":
        made = codec.decode_json(codec.encode_json([doc]))[0].tensor
    else:
        made = codec.decode_proto(codec.encode_proto([doc], dialect=dialect))[0].tensor
        assert str(made.dtype).endswith("float32")
    assert made.tolist() == [0.5, -1.75, 448.0]


@pytest.mark.parametrize("make", ["sparse", "meta", "conjugated"])
def test_a_tensor_without_numbers_is_refused_by_name(make: str) -> None:
    """Torch's own text says what to do; a conjugated one is resolved."""
    given = {
        "sparse": lambda: torch.ones(2).to_sparse(),
        "meta": lambda: torch.ones(2, device="meta"),
        "conjugated": lambda: torch.tensor([1j]).conj(),
    }[make]()
    codec = codec_for(Vector)
    if make == "conjugated":
        assert codec.decode_proto(codec.encode_proto([Vector(tensor=given)]))[0].tensor.tolist() == [-1j]
        return
    with pytest.raises(UnencodableError, match=r"a torch tensor that numpy cannot take: .* at `docs\[0\].tensor`"):
        codec.encode_proto([Vector(tensor=given)])
    with pytest.raises(UnencodableError, match="field 'tensor' of document 0"):
        codec.encode_json([Vector(tensor=given)])
    with pytest.raises(ValueError, match="a torch tensor that numpy cannot take"):
        Array(tensor=given)
