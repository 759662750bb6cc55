"""Names that vulture would call unused, and who uses each. `make lint` reads it; nothing runs it.

What a decorator registers (routes, commands, flows, validators) is in pyproject.toml.
"""

# Pydantic and its settings.
_.model_config
_.settings_customise_sources
settings_cls, dotenv_settings, file_secret_settings  # arguments that pydantic-settings passes

# SQLAlchemy's type decorators, and what its driver is told.
_.impl, _.cache_ok
_.load_dialect_impl, _.process_bind_param, _.process_result_value
_.isolation_level  # sqlite3: transactions are begun by us

# Apprise reads these of a plug-in, and calls `send` with them.
_.service_name, _.service_url, _.setup_url, _.templates, _.request_rate_per_sec, _.throttle
_.notify_type
_.ntfy_json_upstream_size_limit

# urllib3, requests, http.server, logging, tarfile, tenacity and uvicorn read or call these.
_.ConnectionCls, _.pool_classes_by_scheme, _.trust_env
_.do_GET, _.log_message
_.exc_text
_.mtime
_.attempt_number
_.should_exit
_.__annotations__  # FastAPI reads a route's parameters there

# Columns written as a row, and fields read as a document (`asdict`, `model_dump`, `getattr` by name).
_.begun_at, _.imported_at, _.previous
_.never_asked, _.unreached, _.in_doubt, _.to_call
_.days_before, _.days_after, _.cases_measured
_.error_rate, _.throughput, _.availability, _.saturation
_.reminder_title, _.reminder_body
_.change_above, _.change_below, _.change_either
_.limit_bytes

# Members that only a file names.
_.COMPENSATION, _.UPGRADED
_.OPINION, _.PEOPLE, _.CUSTOMERS, _.PARTNERS

# Templates read or call them.
_.sorts, _.agos, _.caption

# Imported so that their tables are known.
storage

# Read by tests and documentation: the reference of what a window says, schemas, what a ticker counts.
read_window
FORMS, rule_json_schema
_.overrun

# The states of the outbox as a type, for whoever annotates one.
OutboxState
