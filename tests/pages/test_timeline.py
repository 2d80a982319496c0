from dataclasses import replace

import pytest
import torch

from adu_core import MINI, Timeline, accuracies, fit, image_features
from adu_core.pages.explorer import explorer


@pytest.fixture(scope="module")
def trained(tiny_clip, few):
    timeline = Timeline(tiny_clip, few.test, ["sketch"])
    settings = replace(MINI, epochs=2)
    adapter, _ = fit(
        tiny_clip, few.shots, ["sketch"], settings, progress=False, after_epoch=timeline.record
    )
    return timeline, adapter


def test_frames_are_the_clip_before_and_after_each_epoch(trained, tiny_clip, few):
    timeline, adapter = trained
    pictures = few.test.pictures
    assert timeline.epochs == [0, 1, 2]
    torch.testing.assert_close(timeline.features[0], image_features(tiny_clip, pictures))
    torch.testing.assert_close(timeline.features[-1], image_features(adapter, pictures))
    assert timeline.accuracy(0) == accuracies(tiny_clip, few.test)
    assert timeline.accuracy(-1) == accuracies(adapter, few.test)
    forgotten = 100 - timeline.accuracy(-1)["sketch"]
    assert timeline.metrics()[-1]["for"] == pytest.approx(forgotten)


def test_the_layout_is_one_point_for_each_picture_in_each_frame(trained):
    timeline, _ = trained
    points = timeline.embed()
    assert points.shape == (3, len(timeline.pictures), 2)
    assert (points == timeline.embed()).all()


def test_an_explorer_holds_its_data_and_asks_nobody(trained):
    timeline, _ = trained
    page = explorer(timeline).html
    assert page.count("<script") == page.count("</script") == 1
    assert "data:image/webp;base64," in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert '"names":["before","epoch 1","epoch 2"]' in page


def test_an_explorer_of_a_handful_of_pictures_is_refused(trained, tiny_clip, few):
    handful = few.test.subset(torch.arange(20))
    with pytest.raises(ValueError, match="more than 20 pictures"):
        explorer(Timeline(tiny_clip, handful, ["sketch"]))
