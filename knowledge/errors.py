"""The exception tree of the knowledge package.

KnowledgeError
 |- DocumentError                 something about the document itself; permanent
 |   |- UnsupportedFormat
 |   |- DocumentEmpty
 |   |- DocumentEncrypted
 |   |- DocumentDamaged
 |   |- DocumentWithoutText
 |   |- DocumentTooLarge          a limit of design section 7 was exceeded
 |   `- DocumentRefused           hostile or forbidden content (a DTD, an archive bomb)
 |- ParserCrashed                 the child died or ran out of time or memory; permanent after retries
 |- EmbeddingFailed
 |- EntailmentFailed              sentences are judged without that model
 |- RerankFailed                  the order of the search stands
 |- StoreError
 |   |- StoreBusy                 retry later
 |   |   `- IndexDiskFull         and nothing is written before there is room
 |   `- StoreUnavailable
 |- EgressError                   a request to an address that somebody typed in
 |   |- AddressRefused            it may not be reached from here; nothing was sent
 |   |- AddressUnreachable
 |   `- ReplyTooLarge
 |- SourceError                   a source of documents
 |   |- SourceMisconfigured
 |   `- SourceItemFailed          one item of it could not be read
 |- SecretsUnreadable             what was sealed under another SECRET_KEY
 |- RetryUseless                  the file itself is why its document failed
 |- RestoreRefused                the version is the current one, or its bytes are gone
 |- BadDates                      dates of validity that make no sense
 |- IndexMismatch                 counts of database and index differ
 |- GenerationRefused             an index generation cannot be started, used or removed like that
 |- LanguageModelError
 |   |- ModelNotConfigured, ModelRefused, ModelBusy, ModelTimeout, ModelUnavailable, ModelInterrupted
 |- NotAllowed                    what the actor's role does not let them do
 `- NotFound                      missing and forbidden look the same
     |- KnowledgeBaseNotFound, DocumentNotFound, GenerationNotFound, DeletionNotFound, TenantNotFound
"""

from __future__ import annotations

from typing import ClassVar


class KnowledgeError(Exception):
    """Root. ``message`` is for people; ``code`` is for machines; ``permanent`` decides retry."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    permanent: ClassVar[bool] = True
    default_message: ClassVar[str] = "Something went wrong."

    def __init__(self, message: str | None = None) -> None:
        self.message = message or self.default_message
        super().__init__(self.message)


class DocumentError(KnowledgeError):
    code = "document_error"
    status = 422
    default_message = "The document could not be read."


class UnsupportedFormat(DocumentError):
    code = "unsupported_format"
    status = 415
    default_message = "This kind of file is not supported."


class DocumentEmpty(DocumentError):
    code = "document_empty"
    default_message = "The file is empty."


class DocumentEncrypted(DocumentError):
    code = "document_encrypted"
    default_message = "The file is password protected. Remove the password and upload it again."


class DocumentDamaged(DocumentError):
    code = "document_damaged"
    default_message = "The file is damaged and could not be opened."


class DocumentWithoutText(DocumentError):
    code = "document_without_text"
    default_message = "No text was found. Scanned pages need text recognition (OCR)."


class DocumentTooLarge(DocumentError):
    code = "document_too_large"
    status = 413
    default_message = "The file exceeds a size limit."


class DocumentRefused(DocumentError):
    code = "document_refused"
    default_message = "The file contains something that is not accepted."


class EgressError(KnowledgeError):
    code = "egress_error"
    status = 502
    permanent = False
    default_message = "The address could not be read."


class AddressRefused(EgressError):
    code = "address_refused"
    status = 400
    permanent = True
    default_message = "This address may not be reached from here."


class AddressUnreachable(EgressError):
    code = "address_unreachable"
    default_message = "The address does not answer."


class ReplyTooLarge(EgressError):
    code = "reply_too_large"
    permanent = True
    default_message = "What the address answers exceeds the size limit."


class SourceError(KnowledgeError):
    code = "source_error"
    default_message = "The source could not be read."


class SourceMisconfigured(SourceError):
    code = "source_misconfigured"
    status = 400
    default_message = "The settings of the source are not complete."


class SourceItemFailed(SourceError):
    code = "source_item_failed"
    status = 502
    permanent = False
    default_message = "A document of the source could not be read."


class SecretsUnreadable(KnowledgeError):
    code = "secrets_unreadable"
    status = 409
    default_message = "The keys and passwords kept here were stored under another SECRET_KEY. Enter them again."


class RetryUseless(KnowledgeError):
    code = "retry_useless"
    status = 409
    default_message = "Trying again cannot help. Upload a readable file as a new version, or delete the document."


class RestoreRefused(KnowledgeError):
    code = "restore_refused"
    status = 409
    default_message = "This version cannot be restored."


class BadDates(KnowledgeError):
    code = "invalid_date"
    status = 422
    default_message = "The dates make no sense."


class ParserCrashed(KnowledgeError):
    code = "parser_crashed"
    permanent = False
    default_message = "The reader of this file stopped unexpectedly."


class EmbeddingFailed(KnowledgeError):
    code = "embedding_failed"
    permanent = False
    default_message = "The embedding model did not return usable vectors."


class EntailmentFailed(KnowledgeError):
    code = "entailment_failed"
    permanent = False
    default_message = "The entailment model could not judge."


class RerankFailed(KnowledgeError):
    code = "rerank_failed"
    status = 502
    permanent = False
    default_message = "The reranking model did not answer."


class StoreError(KnowledgeError):
    code = "store_error"
    status = 503
    permanent = False
    default_message = "The search index answered with an error."


class StoreBusy(StoreError):
    code = "store_busy"
    default_message = "The search index is busy. Try again in a moment."


class IndexDiskFull(StoreBusy):
    code = "index_disk_full"
    status = 507
    default_message = "The index disk is full. Free some space there, or enlarge it; the work then goes on by itself."


class StoreUnavailable(StoreError):
    code = "store_unavailable"
    default_message = "Search is unavailable at the moment."


class IndexMismatch(KnowledgeError):
    code = "index_mismatch"
    permanent = False
    default_message = "The search index does not hold what the database says it should."


class GenerationRefused(KnowledgeError):
    code = "generation_refused"
    status = 409
    default_message = "That cannot be done with this index."


class LanguageModelError(KnowledgeError):
    code = "model_error"
    status = 502
    permanent = False
    default_message = "The language model failed to answer."


class ModelNotConfigured(LanguageModelError):
    code = "model_not_configured"
    permanent = True
    default_message = "The language model is not set up: its address or key was not accepted."


class ModelRefused(LanguageModelError):
    code = "model_refused"
    permanent = True
    default_message = "The language model did not accept the request."


class ModelBusy(LanguageModelError):
    code = "model_busy"
    status = 503
    default_message = "The language model is busy. Try again in a moment."


class ModelTimeout(LanguageModelError):
    code = "model_timeout"
    status = 504
    default_message = "The language model took too long to answer."


class ModelUnavailable(LanguageModelError):
    code = "model_unavailable"
    status = 503
    default_message = "The language model cannot be reached."


class ModelInterrupted(LanguageModelError):
    code = "model_interrupted"
    default_message = "The language model stopped in the middle of the answer."


class NotAllowed(KnowledgeError):
    """It is known to be there, and the role does not let the actor do it; what may not be known is a ``NotFound``."""

    code = "forbidden"
    status = 403
    default_message = "Your role does not allow this."


class NotFound(KnowledgeError):
    code = "not_found"
    status = 404
    default_message = "Not found."


class TenantNotFound(NotFound):
    default_message = "No such tenant."


class KnowledgeBaseNotFound(NotFound):
    default_message = "No such knowledge base."


class GenerationNotFound(NotFound):
    default_message = "No such index."


class DocumentNotFound(NotFound):
    default_message = "No such document."


class DeletionNotFound(NotFound):
    default_message = "No such deletion."
