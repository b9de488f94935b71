"""Loggers that people read: Jina's names, formats and configurations on the standard library's handlers.

A `JinaLogger` owns a logger of its own: it is in no registry, does not propagate, and neither the root logger nor the level names of
the `logging` module are touched, so a program that uses us as a library keeps its own set-up.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Self, TextIO

from jina.enums import LogVerbosity

_LEVEL_COLOURS = {"DEBUG": "2", "SUCCESS": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
_ESCAPES = re.compile("\x1b\\[.*?[@-~]")
_STARTED = time.strftime("%Y%m%d%H%M%S")

_LINE = "{name:>15}@%(process)2d[%(levelname).1s]:%(message)s"
_TIMED_LINE = "%(asctime)s:" + _LINE
_JSON_KEYS = (
    *("created", "filename", "funcName", "levelname", "lineno", "msg", "module"),
    *("name", "pathname", "process", "thread", "processName", "threadName", "log_id"),
)


def _built_in(*handlers: str, **configs: Mapping[str, Any]) -> dict[str, Any]:
    return {"handlers": list(handlers), "level": "INFO", "configs": configs}


_CONFIGS: dict[str, dict[str, Any]] = {
    "default": _built_in("RichHandler", RichHandler={"format": "{name}@%(process)d %(message)s"}),
    "plain": _built_in("StreamHandler", StreamHandler={"format": _LINE, "formatter": "PlainFormatter"}),
    "docker": _built_in("StreamHandler", StreamHandler={"format": _LINE, "formatter": "PlainFormatter"}),
    "remote": _built_in("StreamHandler", StreamHandler={"format": _TIMED_LINE, "formatter": "PlainFormatter"}),
    "json": _built_in("StreamHandler", StreamHandler={"format": _TIMED_LINE, "formatter": "JsonFormatter"}),
    "profile": _built_in("StreamHandler", StreamHandler={"format": _TIMED_LINE, "formatter": "ProfileFormatter"}),
    "quiet": _built_in(),
}


class JinaLogger:
    """A logger for one context, e.g. an Executor class.

    Args:
        context: What logs.
        name: Shown instead of `context`; by default `JINA_DEPLOYMENT_NAME` if that is set.
        log_config: `default`, `plain`, `json`, `docker`, `remote`, `profile`, `quiet`, or the path of a YAML file.
            `JINA_LOG_CONFIG` goes before it, and `JINA_LOG_LEVEL` before the level it names.
        quiet: Log nothing.

    Raises:
        ValueError: The configuration cannot be read, or names a handler, formatter or level that there is not.
    """

    def __init__(self, context: str, name: str | None = None, log_config: str | None = None, quiet: bool = False, **kwargs: Any) -> None:
        config = os.environ.get("JINA_LOG_CONFIG") or log_config or "default"
        self.context = context
        self.name: str = name or os.environ.get("JINA_DEPLOYMENT_NAME") or context
        self.logger: logging.Logger = logging.Logger(self.name)
        self.logger.propagate = False
        self.add_handlers("quiet" if quiet or config.lower() == "quiet" else config)
        self.debug: Callable[..., None] = self.logger.debug
        self.info: Callable[..., None] = self.logger.info
        self.warning: Callable[..., None] = self.logger.warning
        self.error: Callable[..., None] = self.logger.error
        self.critical: Callable[..., None] = self.logger.critical
        self.exception: Callable[..., None] = self.logger.exception
        self.log: Callable[..., None] = self.logger.log

    def success(self, message: object, *args: object, **kwargs: Any) -> None:
        """Log good news, at a level between INFO and WARNING."""
        self.logger.log(LogVerbosity.SUCCESS, message, *args, stacklevel=kwargs.pop("stacklevel", 1) + 1, **kwargs)

    @property
    def handlers(self) -> list[logging.Handler]:
        """Where messages go."""
        return self.logger.handlers

    @property
    def debug_enabled(self) -> bool:
        """True if debug messages are written."""
        return self.logger.isEnabledFor(logging.DEBUG)

    def add_handlers(self, config_path: str | None = None, **kwargs: Any) -> None:
        """Replace the handlers by those of a configuration."""
        self.close()
        config = _read_config(config_path or "default")
        words = {"name": self.name, "context": self.context, "uptime": _STARTED, **kwargs}
        words = {key: str(value).replace("%", "%%") for key, value in words.items()}
        self.logger.handlers = [_make_handler(each, config, words) for each in config.get("handlers") or ()] or [logging.NullHandler()]
        level = os.environ.get("JINA_LOG_LEVEL") or config.get("level") or "INFO"
        self.logger.setLevel(LogVerbosity.from_string(str(level)))

    def close(self) -> None:
        """Close what the handlers hold open."""
        for handler in self.logger.handlers:
            handler.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ConsoleHandler(logging.Handler):
    """Writes to `sys.stdout` as it is at the time, and colours levels where a person looks."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message; what fails is reported by the `logging` module."""
        try:
            stream = sys.stdout
            if stream is not None:
                encoding = getattr(stream, "encoding", None) or "utf-8"
                line = self._line(record, stream).encode(encoding, "backslashreplace")  # an error's text may hold anything
                stream.write(line.decode(encoding) + "\n")
                stream.flush()
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord, stream: TextIO) -> str:
        return self.format(record)


class ColourHandler(ConsoleHandler):
    """Adds the time and the level in front of each message."""

    def _line(self, record: logging.LogRecord, stream: TextIO) -> str:
        level, clock = _level_name(record), time.strftime("%H:%M:%S", time.localtime(record.created))
        text = self.format(record)
        if not _is_coloured(stream):
            return f"{clock} {level:<8} {text}"
        colour = _LEVEL_COLOURS.get(level, "36")
        return f"\x1b[2m{clock}\x1b[0m \x1b[{colour}m{level:<8}\x1b[0m {text}"


class PlainFormatter(logging.Formatter):
    """Text without colours."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one text."""
        record = _with_level_name(record)
        return _ESCAPES.sub("", super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a message."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        values = {key: getattr(record, key) for key in _JSON_KEYS if hasattr(record, key)}
        values["levelname"] = _level_name(record)
        values["msg"] = _ESCAPES.sub("", record.getMessage())
        if record.exc_info:
            values["exc_info"] = self.formatException(record.exc_info)
        return json.dumps(values, sort_keys=True, default=str)


class ProfileFormatter(logging.Formatter):
    """One JSON object for a message that is a dict, nothing for others."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's values with when and where they were taken."""
        if not isinstance(record.msg, dict):
            return ""
        where = {key: getattr(record, key) for key in ("created", "module", "process", "thread")}
        return json.dumps({**record.msg, **where}, sort_keys=True, default=str)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(_with_level_name(record))


_FORMATTERS: dict[str, type[logging.Formatter]] = {
    "Formatter": _Formatter,
    "PlainFormatter": PlainFormatter,
    "JsonFormatter": JsonFormatter,
    "ProfileFormatter": ProfileFormatter,
}


def _level_name(record: logging.LogRecord) -> str:
    return "SUCCESS" if record.levelno == LogVerbosity.SUCCESS else record.levelname


def _with_level_name(record: logging.LogRecord) -> logging.LogRecord:
    if record.levelno == LogVerbosity.SUCCESS:
        record = logging.makeLogRecord(record.__dict__)
        record.levelname = "SUCCESS"
    return record


def _is_coloured(stream: TextIO) -> bool:
    return not (os.environ.get("JINA_LOG_NO_COLOR") or os.environ.get("NO_COLOR")) and stream.isatty()


def _read_config(name: str) -> dict[str, Any]:
    built_in = _CONFIGS.get(name.removeprefix("logging.").removesuffix(".yml").lower())
    if built_in is not None and not os.path.exists(name):
        return built_in
    import yaml

    try:
        with open(name, encoding="utf-8") as file:
            config = yaml.safe_load(file)
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(
            f"log_config {name!r} is neither a YAML file that can be read nor one of {', '.join(_CONFIGS)}: {error}"
        ) from error
    if not isinstance(config, dict):
        raise ValueError(f"log_config {name!r} must hold a mapping with 'handlers', 'level' and 'configs', got {type(config).__name__}")
    return config


def _make_handler(kind: str, config: Mapping[str, Any], words: Mapping[str, str]) -> logging.Handler:
    settings = (config.get("configs") or {}).get(kind)
    make = _HANDLERS.get(kind)
    if make is None or not settings:
        raise ValueError(f"log handler {kind!r} is unknown or has no entry under 'configs'; there are {', '.join(_HANDLERS)}")
    formatter = _FORMATTERS.get(settings.get("formatter") or "Formatter")
    if formatter is None:
        raise ValueError(f"log formatter {settings['formatter']!r} is unknown; use one of {', '.join(_FORMATTERS)}")
    handler = make(settings, words)
    handler.setFormatter(formatter(str(settings.get("format") or "%(message)s").format_map(words)))
    return handler


def _file(settings: Mapping[str, Any], words: Mapping[str, str]) -> logging.Handler:
    return logging.FileHandler(_path(settings["output"], words), encoding="utf-8", errors="backslashreplace", delay=True)


def _timed_file(settings: Mapping[str, Any], words: Mapping[str, str]) -> logging.Handler:
    from logging.handlers import TimedRotatingFileHandler

    return TimedRotatingFileHandler(
        _path(settings["filename"], words),
        when=settings.get("when", "h"),
        interval=settings.get("interval", 1),
        backupCount=settings.get("backupCount", 0),
        encoding=settings.get("encoding", "utf-8"),
        errors="backslashreplace",
        delay=True,
    )


def _sized_file(settings: Mapping[str, Any], words: Mapping[str, str]) -> logging.Handler:
    from logging.handlers import RotatingFileHandler

    return RotatingFileHandler(
        _path(settings["filename"], words),
        maxBytes=settings.get("maxBytes", 0),
        backupCount=settings.get("backupCount", 0),
        encoding=settings.get("encoding", "utf-8"),
        errors="backslashreplace",
        delay=True,
    )


def _syslog(settings: Mapping[str, Any], words: Mapping[str, str]) -> logging.Handler:
    from logging.handlers import SysLogHandler

    local = "/var/run/syslog" if sys.platform == "darwin" else "/dev/log"
    remote = (settings["host"], settings["port"]) if settings.get("host") and settings.get("port") else None
    try:
        handler = SysLogHandler(address=remote or local)
    except OSError:
        return logging.NullHandler()
    handler.ident = settings.get("ident") or ""
    return handler


def _path(template: str, words: Mapping[str, str]) -> str:
    path = template.format_map({key: value.replace("%%", "%").replace(os.sep, "-") for key, value in words.items()})
    return path.replace(":", ".") if sys.platform == "win32" else path


_HANDLERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, str]], logging.Handler]] = {
    "RichHandler": lambda settings, words: ColourHandler(),
    "StreamHandler": lambda settings, words: ConsoleHandler(),
    "FileHandler": _file,
    "TimedRotatingFileHandler": _timed_file,
    "RotatingFileHandler": _sized_file,
    "SysLogHandler": _syslog,
}
