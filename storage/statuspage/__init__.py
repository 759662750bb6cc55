"""The public status page as rows: subscribers and publications."""
