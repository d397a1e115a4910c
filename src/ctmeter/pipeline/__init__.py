"""The only place where stages are connected: a recording in, a result out."""

from .analyzer import Analyzer
from .result import Result, load
from .run import measure, measure_points

__all__ = ["Analyzer", "Result", "load", "measure", "measure_points"]
