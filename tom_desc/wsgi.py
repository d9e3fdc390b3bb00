"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tom_desc.settings")
# Who waits longer has gone, and the thread and its connection serve others. The settings read this;
# commands, which may take hours, have no limit.
os.environ.setdefault("PGOPTIONS", "-c statement_timeout=240s")
application = get_wsgi_application()
