"""An organization's knowledge: cut into chunks, embedded, found again by meaning and by words."""

from flotilla_ai.domain.knowledge.chunking import Passage, chunked
from flotilla_ai.domain.knowledge.embedding import HASHING, Embedder
from flotilla_ai.domain.knowledge.index import Chunk, Hit, KnowledgeIndex

__all__ = ["HASHING", "Chunk", "Embedder", "Hit", "KnowledgeIndex", "Passage", "chunked"]
