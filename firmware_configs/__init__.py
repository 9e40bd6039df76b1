"""Shipped configurations and recipes: data only, found through :func:`importlib.resources.files`."""
