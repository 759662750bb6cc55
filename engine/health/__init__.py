"""Health board: metrics now and over the day, forecast, staffing, risk ahead."""
