"""Batches: from folders of recordings to one data set."""

from .run import run

__all__ = ["run"]
