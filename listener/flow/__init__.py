"""The stages a mention passes, one file each; `pipeline.py` puts them in order."""
