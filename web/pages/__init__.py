"""HTML pages: console, forms, charts, live updates, public status, survey and acknowledge pages."""
