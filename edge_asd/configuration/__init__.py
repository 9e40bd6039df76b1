"""YAML → typed settings: strict reading, overrides, path-precise errors, secrets kept out of sight.

A configuration is read in four steps, each a module: `yaml_text` (text → plain values), `overrides` (environment and
command line), `faults` (what does not fit, and where), `loading` (all of it, ending in a typed record).
"""

from edge_asd.configuration.loading import load, parse, read_mapping, resolve_path
from edge_asd.configuration.secrets import read_secret, redacted
from edge_asd.configuration.words import did_you_mean

__all__ = [
    "did_you_mean",
    "load",
    "parse",
    "read_mapping",
    "read_secret",
    "redacted",
    "resolve_path",
]
