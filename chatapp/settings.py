"""Settings: environment variables over embedded defaults. No side effects at import.

Every variable is explained in docs/settings.md; a test holds the two together.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import environ
from django.core.exceptions import ImproperlyConfigured

from chatapp.operations.paths import redis_socket
from chatapp.operations.static_headers import add_headers

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def secret(name: str, default: str = "") -> str:
    """Read NAME, or the file that NAME_FILE points to."""
    path = env.str(f"{name}_FILE", default="")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    return str(env.str(name, default=default))


def flag(name: str, *, default: bool = False) -> bool:
    """Read a switch, and refuse what is neither on nor off.

    :raises ImproperlyConfigured: another word.
    """
    value = env.str(name, default=str(default)).strip().lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off", ""):
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


# --- where things are ---------------------------------------------------------------------------
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).expanduser().resolve()
HOST = env.str("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://{HOST}:{PORT}").rstrip("/")
DEBUG = flag("DEBUG")
PRODUCTION = flag("PRODUCTION")
TESTING = flag("FOOTNOTE_TESTING")
WEB_WORKERS = env.int("WEB_WORKERS", default=2)
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=2)
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
METRICS_TOKEN = secret("METRICS_TOKEN")

SECRET_KEY_PATH = DATA_DIR / "secret-key"
SECRET_KEY_GIVEN = secret("SECRET_KEY")
SECRET_KEY = SECRET_KEY_GIVEN or (
    # `manage.py bootstrap` writes the file; before that nothing signed needs to outlive the process.
    SECRET_KEY_PATH.read_text(encoding="utf-8").strip() if SECRET_KEY_PATH.is_file() else secrets.token_urlsafe(48)
)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", HOST])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# --- apps ---------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "chatapp.operations",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_htmx",
    "allauth",
    "allauth.account",
    "knowledge.tenants",
    "knowledge.documents",
    "knowledge.syncing",
    "chatapp.accounts",
    "chatapp.language_models",
    "chatapp.conversations",
    "chatapp.reader",
    "chatapp.sources",
    "chatapp.assistants",
    "chatapp.searching",
    "chatapp.unanswered",
    "chatapp.tracing",
    "chatapp.labelling",
    "chatapp.indexes",
    "chatapp.evaluation",
    "chatapp.finetuning",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "chatapp.accounts.middleware.PrivateResponses",
]
ROOT_URLCONF = "chatapp.urls"
ASGI_APPLICATION = "chatapp.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "chatapp.accounts.context.page",
            ]
        },
    }
]

# --- database -----------------------------------------------------------------------------------
DATABASE_URL = secret("DATABASE_URL")
if DATABASE_URL:
    # A request has a thread of its own, whose session nobody could use again: it ends with the request. The threads
    # of ``conversations.database`` keep theirs, and ask before each use whether it still lives.
    DATABASES = {"default": {**env.db_url_config(DATABASE_URL), "CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 0}}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "footnote.sqlite3",
            "CONN_MAX_AGE": 0,
            "OPTIONS": {
                "timeout": 30,
                # Without IMMEDIATE a read that turns into a write fails at once, whatever the timeout.
                "transaction_mode": "IMMEDIATE",
                # secure_delete: the bytes of a deleted row are overwritten, not only unlinked.
                "init_command": (
                    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA secure_delete=ON;"
                    "PRAGMA mmap_size=134217728;PRAGMA cache_size=-20000;PRAGMA foreign_keys=ON"
                ),
            },
        }
    }
SILENCED_SYSTEM_CHECKS = ["files.E001"]  # the folder is made by bootstrap, before anything is uploaded
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- broker, events, cache ------------------------------------------------------------------------
REDIS_URL = secret("REDIS_URL")
REDIS_SOCKET = redis_socket(DATA_DIR)
REDIS_EMBEDDED = not REDIS_URL
if REDIS_EMBEDDED:
    REDIS_URL = f"unix://{quote(str(REDIS_SOCKET))}?db=0"
    CELERY_BROKER_URL = f"redis+socket://{quote(str(REDIS_SOCKET))}?virtual_host=0"
else:
    CELERY_BROKER_URL = REDIS_URL
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "footnote"},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "footnote",
    }
}

# --- work ---------------------------------------------------------------------------------------
SWEEP_SECONDS = env.int("SWEEP_SECONDS", default=15)
_VISIBILITY = {"visibility_timeout": 900, "unacked_restore_interval": 5, "unacked_restore_throttle": 1}
# A request that publishes waits milliseconds for a broker that is away (kombu's own tries take 6 s); the rows wait.
_TRIES = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1}
CELERY_BROKER_TRANSPORT_OPTIONS = {**_VISIBILITY, **_TRIES, "socket_timeout": 30, "socket_connect_timeout": 5}
# In all three places, and the shortest of all applications on a broker counts (Celery's redis.rst).
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": _VISIBILITY["visibility_timeout"]}
CELERY_VISIBILITY_TIMEOUT = _VISIBILITY["visibility_timeout"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_POOL_LIMIT = 10
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 2  # without it a caller waits for ever (celery #10174)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SOFT_TIME_LIMIT = 780
CELERY_TASK_TIME_LIMIT = 840  # below the visibility timeout, or a long task would run twice
CELERY_TASK_ANNOTATIONS = {
    # A document of 50,000 passages takes hours. A message that comes again meanwhile finds the lease held.
    "knowledge.documents.tasks.ingest_document": {"soft_time_limit": 6 * 3600, "time_limit": 6 * 3600 + 60},
    # So may a large source; it goes on where it was.
    "knowledge.syncing.tasks.run_sync": {"soft_time_limit": 6 * 3600, "time_limit": 6 * 3600 + 60},
    # A table of millions of rows; the same for reading all of it to compare.
    "knowledge.documents.tasks.keep_up": {"soft_time_limit": 3600, "time_limit": 3660},
    "knowledge.documents.tasks.purge_deleted": {"soft_time_limit": 3600, "time_limit": 3660},
    "knowledge.documents.tasks.delete_document": {"soft_time_limit": 3600, "time_limit": 3660},
    # It gives its process away after minutes, but never in the middle of a document.
    "knowledge.documents.tasks.work_on_index": {"soft_time_limit": 6 * 3600, "time_limit": 6 * 3600 + 60},
    "knowledge.documents.tasks.reconcile_tenant": {"soft_time_limit": 6 * 3600, "time_limit": 6 * 3600 + 60},
    # The check of ten thousands of rows is one piece of work.
    "chatapp.finetuning.datasets.tasks.run_build": {"soft_time_limit": 3600, "time_limit": 3660},
    # It then saves where it is and goes on in another task.
    "chatapp.finetuning.training.tasks.train": {"soft_time_limit": 12 * 3600, "time_limit": 12 * 3600 + 300},
}
CELERY_TASK_PUBLISH_RETRY = False  # the row is the truth; the sweeper sends what was not sent
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_ROUTES = {
    "knowledge.documents.tasks.ingest_document": {"queue": "ingest"},
    "chatapp.finetuning.training.tasks.train": {"queue": "training"},
    "chatapp.finetuning.registry.tasks.check_version": {"queue": "evaluation"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 2000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1_500_000  # KiB
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
WORKER_QUEUES = ["ingest", "maintenance", "evaluation", "training"]
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    # A message that waited longer than its period is dropped: the next one does the same.
    "sweep-jobs": {
        "task": "knowledge.documents.tasks.sweep_jobs",
        "schedule": timedelta(seconds=SWEEP_SECONDS),
        "options": {"expires": SWEEP_SECONDS},
    },
    "purge-deleted": {
        "task": "knowledge.documents.tasks.purge_deleted",
        "schedule": timedelta(seconds=10),
        "options": {"expires": 10},
    },
    "delete-expired": {
        "task": "knowledge.documents.tasks.delete_expired",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60},
    },
    "follow-generations": {
        "task": "knowledge.documents.tasks.follow_generations",
        "schedule": timedelta(minutes=10),
        "options": {"expires": 600},
    },
    "finish-training": {
        "task": "chatapp.finetuning.training.tasks.finish_all",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60},
    },
    "optimize-stores": {"task": "knowledge.documents.tasks.optimize_stores", "schedule": timedelta(minutes=10)},
    "start-due-syncs": {
        "task": "knowledge.syncing.tasks.start_due_syncs",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60},
    },
    "reconcile-all": {
        "task": "knowledge.documents.tasks.reconcile_all",
        "schedule": timedelta(hours=1),  # each tenant once a day
        "options": {"expires": 3600},
    },
    "watch-versions": {
        "task": "chatapp.finetuning.registry.tasks.watch_versions",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60},
    },
    "sweep-runs": {"task": "chatapp.conversations.tasks.sweep_runs", "schedule": timedelta(seconds=30)},
    **{
        f"canary-{queue}": {
            "task": "chatapp.operations.tasks.canary",
            "schedule": timedelta(seconds=60),
            "kwargs": {"queue": queue},
            "options": {"queue": queue, "expires": 60},
        }
        for queue in WORKER_QUEUES
    },
}

# --- people ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "chatapp.accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,10/m/key"}
ALLOW_SIGNUP = flag("ALLOW_SIGNUP")
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "/accounts/login/"
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

# --- security ---------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "worker-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if flag("TRUST_PROXY") else None

# --- files ------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [path for path in [BASE_DIR / "chatapp" / "static"] if path.is_dir()]
STATIC_ROOT = DATA_DIR / "static"
MEDIA_ROOT = DATA_DIR / "files"  # served only by permission-checked views, never by MEDIA_URL
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_IMMUTABLE_FILE_TEST = r"^.+-[0-9A-Z]{8}\..+$"
WHITENOISE_ADD_HEADERS_FUNCTION = add_headers
FILE_UPLOAD_TEMP_DIR = str(DATA_DIR / "tmp")
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 20

# --- limits (design section 7) ------------------------------------------------------------------------
MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", default=50 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
MAX_PAGES = env.int("MAX_PAGES", default=5000)
MAX_QUESTION_BYTES = env.int("MAX_QUESTION_BYTES", default=8 * 1024)
MAX_SOCKET_MESSAGE_BYTES = env.int("MAX_SOCKET_MESSAGE_BYTES", default=64 * 1024)
SOCKET_MESSAGES_PER_SECOND = env.int("SOCKET_MESSAGES_PER_SECOND", default=5)
SOCKETS_PER_USER = env.int("SOCKETS_PER_USER", default=10)
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=3000)
PARSER_MEMORY_BYTES = env.int("PARSER_MEMORY_BYTES", default=1024 * 1024 * 1024)
PARSER_CPU_SECONDS = env.int("PARSER_CPU_SECONDS", default=120)
OCR = env.str("OCR", default="auto").strip().lower()
OCR_MAX_PAGES = env.int("OCR_MAX_PAGES", default=500)
KEEP_GENERATIONS_DAYS = env.float("KEEP_GENERATIONS_DAYS", default=7.0)
LEASE_SECONDS = env.int("LEASE_SECONDS", default=60)
JOB_ATTEMPTS = env.int("JOB_ATTEMPTS", default=3)
JOB_STALL_SECONDS = env.int("JOB_STALL_SECONDS", default=600)
FIRST_TOKEN_SECONDS = env.float("FIRST_TOKEN_SECONDS", default=20.0)
ATTEMPTS_SECONDS = env.float("ATTEMPTS_SECONDS", default=60.0)
TOKEN_GAP_SECONDS = env.float("TOKEN_GAP_SECONDS", default=15.0)
ANSWER_SECONDS = env.float("ANSWER_SECONDS", default=180.0)

# --- sources ------------------------------------------------------------------------------------------
SOURCE_FOLDERS = env.list("SOURCE_FOLDERS", default=[])
EGRESS_ALLOW = env.list("EGRESS_ALLOW", default=[])
SYNCS_AT_ONCE = env.int("SYNCS_AT_ONCE", default=1)

# --- models and stores ----------------------------------------------------------------------------------
STORE = env.str("STORE", default="weaviate" if env.str("WEAVIATE_URL", default="") else "lance")
WEAVIATE_URL = env.str("WEAVIATE_URL", default="")
WEAVIATE_GRPC_PORT = env.int("WEAVIATE_GRPC_PORT", default=50051)
WEAVIATE_API_KEY = secret("WEAVIATE_API_KEY")
WEAVIATE_SERVER_BIN = env.str("WEAVIATE_SERVER_BIN", default=str(BASE_DIR / ".local" / "bin" / "weaviate-server"))
LLM_MODEL = env.str("LLM_MODEL", default="")
LLM_API_BASE = env.str("LLM_API_BASE", default="")
LLM_API_KEY = secret("LLM_API_KEY")
MODEL_ADDRESSES = env.list("MODEL_ADDRESSES", default=[])
LLM_CONTEXT_WINDOW = env.int("LLM_CONTEXT_WINDOW", default=8192)
LLM_MAX_OUTPUT_TOKENS = env.int("LLM_MAX_OUTPUT_TOKENS", default=1024)
LLM_NATIVE_CITATIONS = env.bool("LLM_NATIVE_CITATIONS", default=False)
# Models made here: those whose documents were deleted, when one may be promoted, when one is taken back.
STALE_MODELS = env.str("STALE_MODELS", default="stop")
if STALE_MODELS not in ("stop", "keep"):
    raise ImproperlyConfigured(f"STALE_MODELS must be stop or keep, not {STALE_MODELS!r}.")
GATE_ROWS = env.int("GATE_ROWS", default=200)
GATE_FORMAT = env.float("GATE_FORMAT", default=0.8)
WATCH_LEAST_ANSWERS = env.int("WATCH_LEAST_ANSWERS", default=20)
WATCH_ANSWERS = env.int("WATCH_ANSWERS", default=200)
WATCH_MARGIN = env.float("WATCH_MARGIN", default=0.1)
# Servers of local models.
MODEL_SERVER_HOST = env.str("MODEL_SERVER_HOST", default="127.0.0.1")
MODEL_SERVER_THREADS = env.int("MODEL_SERVER_THREADS", default=0)
MODEL_SERVER_WAITING = env.int("MODEL_SERVER_WAITING", default=8)
VLLM_ADDRESSES = env.list("VLLM_ADDRESSES", default=[])
VLLM_API_KEY = secret("VLLM_API_KEY")
EMBEDDING_MODEL = env.str("EMBEDDING_MODEL", default="")
EMBEDDING_API_BASE = env.str("EMBEDDING_API_BASE", default="")
EMBEDDING_API_KEY = secret("EMBEDDING_API_KEY")
EMBEDDING_ADDRESSES = env.dict("EMBEDDING_ADDRESSES", default={})
EMBED_BACKEND = env.str("EMBED_BACKEND", default="auto")
EMBED_PRECISION = env.str("EMBED_PRECISION", default="exact")
EMBED_THREADS = env.int("EMBED_THREADS", default=1)
EMBED_WEIGHTS_DIR = env.str("EMBED_WEIGHTS_DIR", default="")
CHUNKER = env.str("CHUNKER", default="structural").strip().lower()
RERANKER = env.str("RERANKER", default="auto").strip().lower()
RERANK_MODEL = env.str("RERANK_MODEL", default="")
RERANK_API_BASE = env.str("RERANK_API_BASE", default="")
RERANK_API_KEY = secret("RERANK_API_KEY")
RERANK_MODEL_DIR = env.str("RERANK_MODEL_DIR", default="")
RERANK_TIMEOUT = env.float("RERANK_TIMEOUT", default=2.0)
VERIFY_MODEL_DIR = env.str("VERIFY_MODEL_DIR", default="")
VERIFY_MODEL = env.str("VERIFY_MODEL", default="")
VERIFY_API_BASE = env.str("VERIFY_API_BASE", default="")
VERIFY_API_KEY = secret("VERIFY_API_KEY")
VERIFY_TIMEOUT = env.float("VERIFY_TIMEOUT", default=4.0)

# --- fine-tuning ----------------------------------------------------------------------------------------
MODELS_DIR = Path(env.str("MODELS_DIR", default=str(DATA_DIR / "models"))).expanduser().resolve()
TRAINING_DIR = Path(env.str("TRAINING_DIR", default=str(DATA_DIR / "training"))).expanduser().resolve()
TRAINING_PYTHON = env.str("TRAINING_PYTHON", default="")
TRAINING_THREADS = env.int("TRAINING_THREADS", default=0)
TRAINING_CPU_PARAMETERS = env.int("TRAINING_CPU_PARAMETERS", default=300_000_000)
TRAINING_SILENT_SECONDS = env.int("TRAINING_SILENT_SECONDS", default=120)
TUNING_POLL_SECONDS = env.int("TUNING_POLL_SECONDS", default=30)

# --- language and logs ------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "LiteLLM": {"level": "ERROR"},
        "django.request": {"level": "ERROR"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}
