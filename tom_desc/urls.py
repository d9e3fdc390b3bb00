"""Every URL of the TOM: the shared ones, and one prefix a campaign."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from tom_desc.health import healthz
from tom_desc.metrics import metrics
from tom_desc.pages import front_page
from tom_desc.routes import either

# Its OPTIONS would fail: it has no serializer to describe.
api_docs = SpectacularSwaggerView.as_view(url_name="schema", http_method_names=["get", "head"])

urlpatterns = [
    path("", front_page, name="front"),
    path("favicon.ico", RedirectView.as_view(url=static("icon.svg"))),
    *either("healthz", healthz, name="healthz"),
    *either("metrics", metrics, name="metrics"),
    path("accounts/", include("tom_desc.accounts.urls")),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", api_docs, name="api-docs"),
    path("streams/", include("tom_desc.streams.urls")),
    path("elasticc2/", include("elasticc2.urls")),
    # The original's name of what is below /elasticc2/stream now.
    *either("stream", RedirectView.as_view(pattern_name="elasticc2:stream")),
]
handler500 = "tom_desc.pages.server_error"
