"""The CLIP that ships: the very file its record describes, and as good as it says."""

import hashlib

from adu_core import accuracies, entanglement, image_features, load_clip, world
from adu_core.clips.load import MINI
from adu_core.data.world import CLASSES
from adu_core.machine.files import read_json


def test_the_file_is_the_one_its_record_describes() -> None:
    record = read_json(MINI.with_suffix(".json"))
    assert hashlib.sha256(MINI.read_bytes()).hexdigest() == record["sha256"]
    assert load_clip("mini").fingerprint == record["fingerprint"]
    assert MINI.stat().st_size <= 8e6


def test_it_recognises_every_domain_and_its_domains_are_entangled() -> None:
    clip, pictures = load_clip("mini"), world("test", 8, classes=CLASSES, seed=11)
    assert min(accuracies(clip, pictures).values()) >= 90
    features = image_features(clip, pictures.pictures)
    found = entanglement(features, pictures.labels, pictures.domains, pictures.domain_names)
    by_class, by_domain = found["silhouette_class"], found["silhouette_domain"]
    assert isinstance(by_class, float)
    assert isinstance(by_domain, float)
    assert by_class > 0.2
    assert by_class > 5 * abs(by_domain)
