"""A run as a whole: the replayer, the receiver, what they share, and how they are ended."""

from simbench.session.listening import Listening
from simbench.session.plan import Plan, cores
from simbench.session.replayed import Session, run_quietly

__all__ = ["Listening", "Plan", "Session", "cores", "run_quietly"]
