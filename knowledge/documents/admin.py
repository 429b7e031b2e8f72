"""The operators' view, with upload."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect

from knowledge.documents import services
from knowledge.documents.models import Document, DocumentVersion, IngestionJob, KnowledgeBase
from knowledge.errors import KnowledgeError
from knowledge.parsing.formats import supported
from knowledge.tenants.access import system_actor


@admin.register(KnowledgeBase)
class KnowledgeBaseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "tenant", "slug", "created"]
    list_filter = ["tenant"]
    search_fields = ["name", "slug"]
    readonly_fields = ["live_generation", "deleting", "created"]
    prepopulated_fields = {"slug": ["name"]}

    def get_readonly_fields(self, request: HttpRequest, obj: KnowledgeBase | None = None) -> list[str]:
        # Its documents, files and index lie with the tenant it was made for, and would stay there.
        return [*self.readonly_fields, "tenant"] if obj is not None else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: KnowledgeBase | None = None) -> bool:
        return False  # deletion goes through the service, which also empties the index

    actions = ["delete_with_documents"]

    @admin.action(description="Delete the selected knowledge bases with their documents")
    def delete_with_documents(self, request: HttpRequest, queryset: QuerySet[KnowledgeBase]) -> None:
        for base in queryset:
            services.delete_knowledge_base(base=base)


class UploadForm(forms.ModelForm):  # type: ignore[type-arg]
    file = forms.FileField(help_text=supported())

    class Meta:
        model = Document
        fields = ["knowledge_base"]


class VersionInline(admin.TabularInline):  # type: ignore[type-arg]
    model = DocumentVersion
    extra = 0
    can_delete = False
    exclude = ["sha256", "text_sha256", "characters", "parser", "parser_version", "stated_title", "warnings"]
    readonly_fields = [
        "number",
        "state",
        "filename",
        "size",
        "media_type",
        "page_count",
        "chunk_count",
        "created",
    ]

    def has_add_permission(self, request: HttpRequest, obj: Document | None = None) -> bool:
        return False


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["title", "knowledge_base", "tenant", "status", "error", "updated"]
    list_filter = ["status", "tenant", "knowledge_base"]
    search_fields = ["title", "name"]
    inlines = [VersionInline]
    actions = ["retry", "delete_everywhere"]

    def get_form(self, request: HttpRequest, obj: Document | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            return UploadForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Document | None = None) -> Any:
        if obj is None:
            return ["knowledge_base", "file"]
        return ["title", "metadata", *self.get_readonly_fields(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: Document | None = None) -> list[str]:
        if obj is None:
            return []
        return [
            "knowledge_base",
            "tenant",
            "name",
            "source_uri",
            "status",
            "error",
            "latest_number",
            "created",
            "updated",
        ]

    def get_inlines(self, request: HttpRequest, obj: Document | None) -> list[Any]:
        return self.inlines if obj is not None else []

    def has_delete_permission(self, request: HttpRequest, obj: Document | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        if change:
            stored = Document.objects.get(pk=obj.pk)
            services.describe_document(document=stored, title=obj.title, metadata=obj.metadata)
            return
        upload, base = form.cleaned_data["file"], form.cleaned_data["knowledge_base"]
        stored = services.upload_document(
            actor=system_actor(base.tenant), base=base, upload=upload, filename=upload.name or ""
        )
        obj.__dict__.update(stored.__dict__)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        try:
            return super().add_view(request, form_url, extra_context)
        except KnowledgeError as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect("admin:documents_document_add")

    @admin.action(description="Process the selected documents again")
    def retry(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        for document in queryset:
            services.process_again(document=document)

    @admin.action(description="Delete the selected documents everywhere")
    def delete_everywhere(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        for document in queryset:
            services.delete_document(document=document)


@admin.register(IngestionJob)
class IngestionJobAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["kind", "document_ref", "state", "attempts", "last_error", "created", "finished"]
    list_filter = ["state", "kind", "tenant"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: IngestionJob | None = None) -> bool:
        return False
