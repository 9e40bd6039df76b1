"""The offline tool: normal recordings become a bundle."""
