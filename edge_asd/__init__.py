"""edge-asd: hears when a machine starts to sound wrong, and says so on MQTT."""

from edge_asd.version import __version__

__all__ = ["__version__"]
