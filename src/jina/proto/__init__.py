"""Jina's protobuf names: message classes in `jina_pb2`, service names in `jina_pb2_grpc`."""
