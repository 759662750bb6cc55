"""Reviews as rows: reviewed periods, retrospectives, daily shares."""
