"""The command line, one file per command group; `cli.py` mounts them and imports each only when it is called."""
