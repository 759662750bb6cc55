"""Channels: the only package that imports Apprise; sends one message on one service with one outcome.

Importing this package is cheap; `channels.directory` brings Apprise in.
"""
