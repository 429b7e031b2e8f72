from __future__ import annotations

from django.urls import path

from chatapp.reader import deletion_views, reading_views, versions_views, views

app_name = "reader"
urlpatterns = [
    path("", views.documents, name="list"),
    path("deletions/", deletion_views.deletions, name="deletions"),
    path("deletions/<uuid:deletion_id>/", deletion_views.deletion, name="deletion"),
    path("deletions/<uuid:deletion_id>/file", deletion_views.deletion_file, name="deletion_file"),
    path("<uuid:document_id>/", views.reader, name="document"),
    path("<uuid:document_id>/v/<int:number>/", views.reader, name="version"),
    path("<uuid:document_id>/v/<int:number>/file", views.original, name="file"),
    path("<uuid:document_id>/reading", reading_views.reading, name="newest_reading"),
    path("<uuid:document_id>/v/<int:number>/reading", reading_views.reading, name="reading"),
    path("<uuid:document_id>/versions/", versions_views.versions, name="versions"),
    path("<uuid:document_id>/versions/dates", versions_views.dates, name="dates"),
    path("<uuid:document_id>/compare/", versions_views.comparison, name="compare"),
]
