"""Notices: whoever is responsible is told how the night went, by counts only, through every configured channel.

A notice is put on disk before it is sent, told once through each channel, and sent at the next call where a channel was
down. Nothing of it can fail the night.
"""

from pipelines.notices.giving import give
from pipelines.notices.notice import Notice

__all__ = ["Notice", "give"]
