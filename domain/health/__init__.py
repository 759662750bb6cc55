"""The health board's arithmetic: staffing, forecast, risk ahead, indices. Pure."""
