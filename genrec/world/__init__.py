"""The bundled film world: real films, and simulated viewers whose changes of interest are known.

Knows the catalog and the interactions; knows no split, no model and no metric.
"""

from genrec.world.films import load_films
from genrec.world.simulator import World, WorldConfig, simulate

__all__ = ["World", "WorldConfig", "load_films", "simulate"]
