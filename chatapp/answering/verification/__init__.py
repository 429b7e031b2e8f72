"""Whether statements are held by the texts they cite."""

from chatapp.answering.verification.verifier import Claim, Judgement, SourceEvidence, Verifier, default_record

__all__ = ["Claim", "Judgement", "SourceEvidence", "Verifier", "default_record"]
