"""Channels: the only place that imports Apprise; turns a message into one outcome on one service.

Importing this package is cheap; `channels.directory` brings Apprise in.
"""
