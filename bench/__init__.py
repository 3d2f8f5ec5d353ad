"""How fast it is, measured against peers and floors in the same run. `python -m bench` runs all, or those named."""
