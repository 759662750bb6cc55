"""HTTP plumbing: request context, request guard, errors, page rendering, navigation."""
