"""The pages of ELAsTiCC2."""

from django.http import HttpRequest, HttpResponse


def front_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ELAsTiCC2")


def hot_list(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hot")


def object_page(request: HttpRequest, objectid: int) -> HttpResponse:
    return HttpResponse("object")
