"""Evaluation of warning rules on live figures: windows in memory, the tick, the backtest. Needs numpy, no Prefect."""
