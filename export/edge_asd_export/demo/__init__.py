"""The whole story on a simulated machine: it sounds well, goes wrong, is heard, and the broker is told.

`scenario` says what happens to the machine and when, `folder` where everything is kept and how the daemon is
configured, `sound` makes the recordings, `hearing` scores them offline, `broker`, `subscriber` and `daemon` are the
plant, `replay` lets it happen, `outcome` judges what came of it, `picture` shows it.
"""
