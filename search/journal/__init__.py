"""What is on disk: the journal of trials, its rows and file, and the checkpoint of a one-shot search.

May import `search/protocol.py` and nothing else of the search.
"""
