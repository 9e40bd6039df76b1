"""Finding microphones, and recording one in a process of its own.

PortAudio can hang for ever when a USB microphone is unplugged, and its list of devices is that of the moment when it
started. So whoever listens starts :mod:`edge_asd.microphones.child` for each microphone, and kills it when it falls
silent: no hang reaches the daemon, and a new process sees what was plugged in since. To keep that process small,
nothing in this package imports NumPy.
"""
