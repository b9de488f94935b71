"""Old import path; see `jina.observe.progress`."""

from jina.observe.progress import ProgressBar, TimeContext

__all__ = ["ProgressBar", "TimeContext"]
