"""What one HTTP/2 peer may ask of us, as values; other servers' numbers stand beside ours."""

from __future__ import annotations

from dataclasses import dataclass, fields

from jina.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Http2Limits:
    """Limits of one HTTP/2 connection.

    Attributes:
        max_streams: Calls at a time that the peer may have open (nginx 128, envoy 2^31, grpc 100 to unlimited).
        max_header_list_bytes: Of one list of fields, unfolded, 32 bytes added a field as RFC 9113 6.5.2 counts (nginx 32 KiB, grpc 16 KiB).
        max_header_fields: Fields in one list.
        max_continuations: CONTINUATION frames in one header block.
        max_frame_bytes: The largest frame we take: SETTINGS_MAX_FRAME_SIZE, 16 KiB to 16 MiB.
        stream_window_bytes, connection_window_bytes: What the peer may send ahead of our reading.
        max_blocks: Header blocks that are remembered whole; 0 for none.
        max_resets, max_pings, max_settings, max_empty_frames: Frames of that kind in a burst before the connection ends with
            ENHANCE_YOUR_CALM; each budget fills again within `recovery_s`. Calls that end in peace give resets back, those that
            had been open for a while when they were reset cost none.
        recovery_s: Seconds from an empty budget to a full one.
        max_queued_bytes: Above this `is_writable` is False.
    """

    max_streams: int = 1000
    max_header_list_bytes: int = 65536
    max_header_fields: int = 100
    max_continuations: int = 16
    max_frame_bytes: int = 1 << 20
    stream_window_bytes: int = 4 << 20
    connection_window_bytes: int = 16 << 20
    max_blocks: int = 256
    max_resets: int = 1000
    max_pings: int = 200
    max_settings: int = 50
    max_empty_frames: int = 500
    recovery_s: float = 10.0
    max_queued_bytes: int = 256 << 10

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0 or value > (1 << 31) - 1:
                raise ConfigError(f"{field.name} must be from 0 to 2147483647, got {value}")
        if not 1 << 14 <= self.max_frame_bytes < 1 << 24:
            raise ConfigError(f"max_frame_bytes must be from 16384 to 16777215, got {self.max_frame_bytes}")
        if self.connection_window_bytes < 65535:
            raise ConfigError(f"connection_window_bytes must be >= 65535, got {self.connection_window_bytes}")
