"""Events: dips, swells, interruptions, rapid voltage changes, mains signalling, transients; and the flags they put on windows."""

from .detector import Detector
from .telegrams import Tracer
from .transients import Transients

__all__ = ["Detector", "Tracer", "Transients"]
