"""A user's interest: the window that the prompt shows, and a profile of what it leaves out."""

from genrec.interest.past import Past
from genrec.interest.profile import Profile, ProfileFact, ProfilePolicy, Profiler
from genrec.interest.window import REASONS, Block, Window, WindowPolicy

__all__ = ["REASONS", "Block", "Past", "Profile", "ProfileFact", "ProfilePolicy", "Profiler", "Window", "WindowPolicy"]
