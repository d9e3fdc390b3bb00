"""Settings of the DESC TOM, all from the environment. ``docs/operations.md`` lists the variables."""

from pathlib import Path

from tom_desc import env

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = env.secret("django_secret_key")
DEBUG = env.flag("DEBUG")
ALLOWED_HOSTS = env.text("ALLOWED_HOSTS", "*").split(",")
# Where TLS ends in front of us. Without it cookies travel over plain http, as on a laptop.
BEHIND_TLS = env.flag("BEHIND_TLS")

# Light curves of more objects are asked for in several requests: an answer is made in memory.
LIGHT_CURVE_OBJECTS = env.number("LIGHT_CURVE_OBJECTS", 50_000)

# What broker teams are told: where the alerts are, and on which topic they may practise.
KAFKA_PUBLIC_SERVER = env.text("KAFKA_PUBLIC_SERVER", env.text("KAFKA_SERVER", "kafka-server:9092"))
ALERTS_TEST_TOPIC = env.text("ALERTS_TEST_TOPIC", "alerts-test")

QUERY_RESULTS = Path(env.text("QUERY_RESULTS", "/query_results"))
LOGDIR = Path(env.text("LOGDIR", "/logs"))

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "tom_desc.accounts",
    "tom_desc.campaigns",
    "tom_desc.snana",
    "tom_desc.streams",
    "elasticc2",
]

MIDDLEWARE = [
    "tom_desc.requestlog.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "tom_desc.accounts.csrf.CsrfMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tom_desc.accounts.bodies.AnonymousBodies",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "tom_desc.urls"
WSGI_APPLICATION = "tom_desc.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "tom_desc" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Our queries are about few objects among millions, and pages are in memory or on flash. With the planner's
# defaults, for disks that turn, it would read whole partitions, or compile what runs for a millisecond.
PLANNER = "-c random_page_cost=1.1 -c jit=off"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": env.text("DB_NAME", "tom_desc"),
        "USER": env.text("DB_USER", "postgres"),
        "PASSWORD": env.database_password(),
        "HOST": env.text("DB_HOST", "tom-desc-postgis"),
        "PORT": env.text("DB_PORT", "5432"),
        "OPTIONS": {"options": f"{PLANNER} {env.text('PGOPTIONS', '')}"},
        # A thread keeps its connection: opening one costs more than most queries.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SESSION_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
CSRF_TRUSTED_ORIGINS = env.text(
    "CSRF_TRUSTED_ORIGINS",
    "https://desc-tom.lbl.gov,https://desc-tom-rknop-dev.lbl.gov,"
    "https://desc-tom-2.lbl.gov,https://desc-tom-fastdb-dev.lbl.gov",
).split(",")
# A broker may PUT a night's messages in one request; for the anonymous see accounts.bodies.
DATA_UPLOAD_MAX_MEMORY_SIZE = 524_288_000

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "tom_desc" / "static"]
# Static files are served from where they lie, so that a checkout runs without a collecting step.
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tom_desc.accounts.csrf.SessionLogin"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "DESC TOM",
    "DESCRIPTION": "Target and observation manager of the LSST Dark Energy Science Collaboration.",
    "VERSION": "0.1.0",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "PREPROCESSING_HOOKS": ["tom_desc.jsonpost.documented_form"],
    "REDOC_DIST": "SIDECAR",
}

_TO_STDERR = {"class": "logging.StreamHandler", "formatter": "json"}
_TO_FILE = {
    "class": "logging.handlers.WatchedFileHandler",
    "filename": LOGDIR / "tom.log",
    "formatter": "json",
    "delay": True,
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "tom_desc.requestlog.JsonLines"}},
    "handlers": {"log": _TO_FILE if LOGDIR.is_dir() else _TO_STDERR},
    "root": {"handlers": ["log"], "level": env.text("LOG_LEVEL", "INFO")},
    # The request log has the one line that a bad request gets.
    "loggers": {"django.request": {"level": "CRITICAL"}, "django.security.csrf": {"level": "ERROR"}},
}
