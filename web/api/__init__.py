"""JSON API: routers, webhooks, sample intake, Prometheus metrics."""
