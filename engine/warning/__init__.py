"""Evaluation of warning rules on live samples: windows in memory, ticks, backtest. Needs numpy, no Prefect."""
