# mypy: disable-error-code="misc,type-arg,valid-type,arg-type,unused-ignore,name-defined,index,attr-defined"
"""Types of tensor fields."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from jina.docs import AnyTensor, BaseDoc, NdArray, TorchTensor


def read(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        ([1, 2], "int64", (2,)),
        ([[1.0], [2.0]], "float64", (2, 1)),
        ((1, 2.5), "float64", (2,)),
        ([True, False], "bool", (2,)),
        ([], "float64", (0,)),
        (5, "int64", ()),
        (np.float32(1), "float32", ()),
        ("[1, 2]", "int64", (2,)),
        ([1.0, None], "float64", (2,)),
    ],
)
def test_numbers_become_arrays(value: Any, dtype: str, shape: tuple[int, ...]) -> None:
    """With the dtype that numpy infers; null is NaN."""
    array = read(NdArray, value)

    assert type(array) is np.ndarray
    assert (array.dtype, array.shape) == (dtype, shape)


def test_arrays_stay_the_object_they_are() -> None:
    """No copy, no change of dtype."""
    array = np.zeros((2, 2), dtype=">f4")

    assert read(NdArray, array) is array
    assert read(AnyTensor, array) is array


@pytest.mark.parametrize(
    "value", ["abc", b"x", None, {"a": 1}, [[1], [2, 3]], ["a"], [1, 2**70], True, np.array([object()]), object(), [{}], "{}"]
)
def test_what_is_no_tensor_is_refused(value: Any) -> None:
    """Ragged lists, strings, huge ints, objects."""
    with pytest.raises(ValidationError, match="expected a tensor"):
        read(NdArray, value)


@pytest.mark.parametrize(
    ("item", "shape", "fits"),
    [
        (3, (3,), True),
        ((3, "x", "x"), (3, 2, 2), True),
        ((3, "x", "x"), (3, 2, 3), False),
        ((3, "x", "y"), (3, 2, 4), True),
        ((3, "x"), (3,), False),
        ((3, ...), (3, 1, 5), True),
        ((3, ...), (3,), False),
        ((..., 3), (1, 2, 3), True),
        ((..., 3), (1, 2, 4), False),
        ((2, ..., 2), (2, 9, 9, 2), True),
        ("3, x, ...", (3, 4, 5), True),
        (3, (4,), False),
    ],
)
def test_shapes_follow_docarrays_rules(item: Any, shape: tuple[int, ...], fits: bool) -> None:
    """Sizes, names that must agree, one free part of one or more axes; `isinstance` asks the same."""
    kind, array = NdArray[item], np.zeros(shape)

    assert isinstance(array, kind) is fits
    if fits:
        assert read(kind, array) is array
    else:
        with pytest.raises(ValidationError, match="expected a tensor of shape"):
            read(kind, array)


def test_equal_counts_are_reshaped_with_a_warning() -> None:
    """As docarray does where all sizes are given."""
    with pytest.warns(UserWarning, match=r"reshaping a tensor of shape \(1, 3\) to \(3,\)"):
        assert read(NdArray[3], [[1, 2, 3]]).shape == (3,)


@pytest.mark.parametrize("item", [-1, 1.5, True, (..., ...), [None]])
def test_a_wrong_shape_is_refused_when_the_class_is_written(item: Any) -> None:
    """Not at the first document."""
    with pytest.raises(TypeError):
        NdArray[item]


def test_one_class_for_each_shape() -> None:
    """Subscribing again, or once more, gives the same; B reads it by these attributes."""
    kind: Any = NdArray[3, "x"]  # type: ignore[misc,valid-type]

    assert kind is NdArray[3, "x"]  # type: ignore[misc]
    assert kind[3, "x"] is kind
    assert (kind.__unparametrizedcls__, kind.__docarray_target_shape__, kind._proto_type_name) == (NdArray, (3, "x"), "ndarray")
    with pytest.raises(TypeError, match="has a shape already"):
        kind[4]


def test_isinstance_knows_arrays_from_torch_tensors() -> None:
    """A plain array is an NdArray and an AnyTensor, no TorchTensor."""
    assert isinstance(np.zeros(3), NdArray)
    assert isinstance(np.zeros(3), AnyTensor)
    assert not isinstance(np.zeros(3), TorchTensor)
    assert not isinstance([1], AnyTensor)


def test_json_gives_back_the_same_numbers() -> None:
    """float32 values too: each is written as the float64 that it is."""

    class E(BaseDoc):
        e: NdArray[64]  # type: ignore[valid-type]

    e = np.random.default_rng(1).random(64, dtype=np.float32)
    again = E.from_json(E(e=e).to_json()).e
    assert np.array_equal(again.astype(np.float32), e)
    assert np.array_equal(again, e)


def test_torch_is_not_imported_for_its_name() -> None:
    """A class with a TorchTensor field costs nothing until a value comes."""
    code = "import sys; from jina.docs import BaseDoc, TorchTensor\nclass D(BaseDoc):\n    t: TorchTensor | None = None\n"
    code += "D(); assert 'torch' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_torch_field_without_torch_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the value, not of the import."""
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(ValidationError, match="torch is not installed"):
        read(TorchTensor, [1.0])


def test_torch_tensors_are_kept_or_made() -> None:
    """Lists become torch tensors in a TorchTensor field, torch tensors arrays in an NdArray field."""
    torch = pytest.importorskip("torch")
    tensor = torch.zeros(3)

    assert read(TorchTensor, tensor) is tensor
    assert torch.equal(read(TorchTensor[2], [1.0, 2.0]), torch.tensor([1.0, 2.0], dtype=torch.float64))
    assert read(AnyTensor, tensor) is tensor
    assert type(read(NdArray, tensor)) is np.ndarray
