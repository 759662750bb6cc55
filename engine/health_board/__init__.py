"""The health board: figures now and over the day, forecast, staffing, risk ahead."""
