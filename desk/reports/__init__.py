"""A case on paper: report, post-mortem and draft of a suspicious-activity report, as Markdown and as PDF.

Everything that came from outside is neutralised (rag/quoting.py) and masked (trust/pii.py) before it is written.
"""
