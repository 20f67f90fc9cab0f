"""Celery's settings, each with its reason. Read when a process first needs them, and never by an import alone."""

from __future__ import annotations

from sync import transport
from sync.celery import app
from sync.schedule import CRON_LATE_S, load_schedule
from sync.storage import addresses, embedded

transport.mend()

_settings = app.context.settings

if _settings.redis_url is None:
    embedded.start(_settings.data_dir)
    _store_url = embedded.url(_settings.data_dir)
else:
    _store_url = _settings.redis_url.get_secret_value()
_settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

_broker = _settings.broker_url.get_secret_value() if _settings.broker_url else _store_url
broker_url = addresses.for_celery(_broker)
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # a worker waits for its broker for ever
broker_pool_limit = 10
broker_heartbeat = 30  # RabbitMQ's: a dead connection is noticed within a minute
broker_transport_options = transport.options(_broker)
visibility_timeout = transport.VISIBILITY_S

# full readings come last: there may be more of them than workers, and the sweeper must not wait for all
task_queues = transport.queues(_broker, ("webhooks", "push", "maintenance", "pull"))
task_default_queue = "maintenance"
task_create_missing_queues = False  # a typo in a route is an error, not a queue that nobody reads
task_routes = {
    "sync.webhook": "webhooks",
    "sync.hints": "webhooks",
    "sync.refresh": "webhooks",
    "sync.push": "push",
    "sync.pull": "pull",
    "sync.audit_orders": "pull",
    "sync.ensure_webhooks": "maintenance",
    "sync.reconcile": "maintenance",
    "sync.sweep": "maintenance",
    "sync.census": "maintenance",
}

# A task is acknowledged when it has ended, so that a worker's death brings it back. Tasks are doorbells: what is
# to be done stands in the store, and one that runs twice or is lost changes nothing.
task_acks_late = True
task_reject_on_worker_lost = False  # a task that kills its process would come back for ever
task_acks_on_failure = True
task_acks_on_timeout = True
worker_prefetch_multiplier = 1  # nothing waits in a busy worker while another is idle
worker_cancel_long_running_tasks_on_connection_loss = False  # tasks are short and may run twice
task_ignore_result = True  # what was done is seen in the stock of record
task_store_errors_even_if_ignored = False
task_publish_retry_policy = {"max_retries": 3, "interval_start": 0.1, "interval_step": 0.3, "interval_max": 1}
task_send_sent_event = False
worker_send_task_events = False

task_serializer = "json"
accept_content = ["json"]
result_serializer = "json"
timezone = "UTC"
enable_utc = True

# The work is waiting for HTTP: threads do as much of it as processes, in a tenth of the memory. They cannot be
# stopped by Celery's time limits, so every request has its own and every task its deadline.
worker_pool = "threads"
worker_concurrency = 16
# SIGTERM: no new task is begun; those under way end after the request that they wait for, and ring for another worker
# to go on. SIGQUIT gives them this many seconds, then their messages go back.
worker_soft_shutdown_timeout = 30
worker_hijack_root_logger = False
worker_redirect_stdouts = False

beat_schedule = load_schedule(_settings.schedule)
beat_scheduler = "sync.beat:TickScheduler"  # any number of schedulers may run
beat_max_loop_interval = 5
beat_cron_starting_deadline = CRON_LATE_S  # after a long pause an old nightly tick is not made up for
beat_enable_remote_control = True  # `celery -A sync inspect ping` sees that beat lives
