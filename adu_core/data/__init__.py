"""Pictures with classes and domains: drawn, or read from folders. Knows nothing of CLIP."""

from adu_core.data.captioning import captions
from adu_core.data.dataset import DomainDataset, batch_indices
from adu_core.data.folder import read_folder
from adu_core.data.sources import Splits, load_splits

__all__ = ["DomainDataset", "Splits", "batch_indices", "captions", "load_splits", "read_folder"]
