"""What `launch/report.py` shows of a run folder, a module for each kind of command."""
