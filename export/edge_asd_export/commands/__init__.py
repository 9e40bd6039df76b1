"""The export tool's commands, one module each."""
