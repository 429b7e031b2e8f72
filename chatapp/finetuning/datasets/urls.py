from __future__ import annotations

from django.urls import path

from chatapp.finetuning.datasets import build_views, review_views, views

app_name = "datasets"
urlpatterns = [
    path("", views.datasets, name="list"),
    path("new", views.new, name="new"),
    path("<uuid:dataset_id>/", views.dataset, name="dataset"),
    path("<uuid:dataset_id>/versions/<int:number>/", views.version, name="version"),
    path("<uuid:dataset_id>/draft", views.draft, name="draft"),
    path("<uuid:dataset_id>/limits", views.limits, name="limits"),
    path("<uuid:dataset_id>/freeze", views.freeze, name="freeze"),
    path("<uuid:dataset_id>/delete", views.delete, name="delete"),
    path("<uuid:dataset_id>/upload", build_views.upload, name="upload"),
    path("<uuid:dataset_id>/check", build_views.check, name="check"),
    path("<uuid:dataset_id>/answers", build_views.answers, name="answers"),
    path("<uuid:dataset_id>/write", build_views.write, name="write"),
    path("<uuid:dataset_id>/questions", build_views.questions, name="questions"),
    path("<uuid:dataset_id>/make", build_views.make, name="make"),
    path("builds/<uuid:build_id>/cancel", build_views.cancel, name="cancel"),
    path("<uuid:dataset_id>/review", review_views.review, name="review"),
    path("<uuid:dataset_id>/approve", review_views.approve, name="approve"),
    path("rows/<uuid:row_id>/", review_views.row, name="row"),
    path("rows/<uuid:row_id>/decide", review_views.decide, name="decide"),
]
