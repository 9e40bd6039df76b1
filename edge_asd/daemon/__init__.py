"""The daemon: listens to the sources of a configuration, tells the broker, reloads and reports."""
