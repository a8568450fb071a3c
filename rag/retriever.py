"""The runbook as a LangChain retriever, for chains of your own; import this file only where LangChain is used (it is slow)."""

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.search import Hit, search
from store.database import Database


class RunbookRetriever(BaseRetriever):
    """The k best sections for a query; `kinds` and `detectors` filter as in `rag.search.search`.

    RunbookRetriever(database=database, k=4, kinds=("service",)).invoke("pool exhausted")
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    database: Database
    k: int = 4
    kinds: tuple[str, ...] | None = None
    detectors: tuple[str, ...] | None = None
    tenant: str = "main"

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        hits = search(self.database, query, k=self.k, kinds=self.kinds, detectors=self.detectors, tenant=self.tenant)
        return [document(hit) for hit in hits]


def document(hit: Hit) -> Document:
    """A hit as LangChain has it: the body as content, everything else as metadata."""
    metadata = {
        "section_id": hit.section_id, "heading_path": list(hit.heading_path), "tags": list(hit.tags),
        "score": hit.score, "bm25": hit.bm25, "cosine": hit.cosine,
    }  # fmt: skip
    return Document(id=hit.section_id, page_content=hit.body, metadata=metadata)
