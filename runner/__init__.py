"""Runner process: leases due turns and runs them as Prefect flows; starts Prefect's server."""
