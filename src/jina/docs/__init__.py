"""What documents are built from: `BaseDoc`, `DocList`, types of fields, ready-made documents.

It owns the classes that users name in their endpoints. How documents become bytes is `jina.codec`'s; what other libraries' classes look
like is read there too.
"""

from __future__ import annotations

from jina.docs.base import AnyDoc, BaseDoc, BaseDocWithoutId
from jina.docs.doclist import DocList
from jina.docs.documents import AudioDoc, ImageDoc, LegacyDocument, TextDoc, VideoDoc
from jina.docs.tensors import (
    AnyEmbedding,
    AnyTensor,
    AudioNdArray,
    AudioTensor,
    AudioTorchTensor,
    ImageNdArray,
    ImageTensor,
    ImageTorchTensor,
    NdArray,
    NdArrayEmbedding,
    TorchEmbedding,
    TorchTensor,
    VideoNdArray,
    VideoTensor,
    VideoTorchTensor,
)
from jina.docs.values import (
    ID,
    AnyUrl,
    AudioBytes,
    AudioUrl,
    ImageBytes,
    ImageUrl,
    Mesh3DUrl,
    PointCloud3DUrl,
    TextUrl,
    Url3D,
    VideoBytes,
    VideoUrl,
)

Document = BaseDoc
DocumentArray = DocList

__all__ = [
    "ID",
    "AnyDoc",
    "AnyEmbedding",
    "AnyTensor",
    "AnyUrl",
    "AudioBytes",
    "AudioDoc",
    "AudioNdArray",
    "AudioTensor",
    "AudioTorchTensor",
    "AudioUrl",
    "BaseDoc",
    "BaseDocWithoutId",
    "DocList",
    "Document",
    "DocumentArray",
    "ImageBytes",
    "ImageDoc",
    "ImageNdArray",
    "ImageTensor",
    "ImageTorchTensor",
    "ImageUrl",
    "LegacyDocument",
    "Mesh3DUrl",
    "NdArray",
    "NdArrayEmbedding",
    "PointCloud3DUrl",
    "TextDoc",
    "TextUrl",
    "TorchEmbedding",
    "TorchTensor",
    "Url3D",
    "VideoBytes",
    "VideoDoc",
    "VideoNdArray",
    "VideoTensor",
    "VideoTorchTensor",
    "VideoUrl",
]
