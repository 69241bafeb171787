"""Where an epoch's numbers go besides metrics.jsonl: one small file a service."""

from ferbench.runs.loggers.base import Logger, open_logger, require

__all__ = ["Logger", "open_logger", "require"]
