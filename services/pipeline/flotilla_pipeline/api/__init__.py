"""pipeline over HTTP."""

from flotilla_pipeline.api.board import board
from flotilla_pipeline.api.deals import deals
from flotilla_pipeline.api.pipelines import pipelines

__all__ = ["board", "deals", "pipelines"]
