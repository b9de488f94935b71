"""The binary codec of one document class (see proto_encode.py and proto_decode.py)."""
