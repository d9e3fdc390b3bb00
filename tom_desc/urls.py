from django.urls import include, path

urlpatterns = [path("accounts/", include("tom_desc.accounts.urls"))]
