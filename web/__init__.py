"""Web process: JSON API, HTML pages and sandbox inbox; commands go to the engine, read models come back."""
