"""Pictures as cameras, phones and instruments write them: the right pixels, or refused."""

import io
import struct
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from adu_core.data import picture as picture_module
from adu_core.data.picture import PictureError, picture_suffixes, read_picture

RAMP = np.linspace(0, 1, 256)


def ramp_of(path) -> torch.Tensor:
    """The grey levels from left to right of a picture of 256 × 256 pixels."""
    pixels = read_picture(path, 256)
    assert pixels[0].equal(pixels[2])
    return pixels[0, 100].float()


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(
    ("kind", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.uint16, 255), (np.int32, 255),
                        (np.int32, 65535), (np.int32, 10**9), (np.float32, 1), (np.float32, 1.02),
                        (np.float32, 255), (np.float32, 65535), (np.float32, 1e9)]
)  # fmt: skip
def test_a_grey_ramp_of_any_depth_is_a_ramp(tmp_path, suffix, kind, white):
    if suffix == "png" and kind not in (np.uint8, np.uint16):
        pytest.skip("no such PNG")
    values = (RAMP * white).astype(kind)[None].repeat(256, 0)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    assert (ramp_of(tmp_path / f"a.{suffix}") - torch.arange(256)).abs().max() <= 1


@pytest.mark.parametrize(("least", "greatest"), [(-1.0, 1.0), (-1024, 3071)])
def test_values_below_zero_are_stretched(tmp_path, least, greatest):
    kind = np.float32 if isinstance(least, float) else np.int32
    values = (least + RAMP * (greatest - least)).astype(kind)[None].repeat(256, 0)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert (ramp_of(tmp_path / "a.tif") - torch.arange(256)).abs().max() <= 1


def test_a_tiff_whose_zero_is_white_is_no_negative(tmp_path):
    for kind, white in ((np.uint8, 255), (np.uint16, 65535)):
        values = (RAMP * white).astype(kind)[None].repeat(256, 0)
        Image.fromarray(values).save(tmp_path / "a.tif")
        raw = (tmp_path / "a.tif").read_bytes()
        place = raw.index(struct.pack("<HHI", 262, 3, 1)) + 8
        (tmp_path / "a.tif").write_bytes(raw[:place] + b"\0\0" + raw[place + 2 :])
        levels = ramp_of(tmp_path / "a.tif")
        with Image.open(tmp_path / "a.tif") as opened:
            assert opened.tag_v2[262] == 0
        assert (levels - torch.arange(255, -1, -1)).abs().max() <= 1, kind


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused_by_name(tmp_path, value):
    values = np.zeros((8, 8), np.float32)
    values[3, 3] = value
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(PictureError, match=r"a\.tif: it holds values that are no numbers"):
        read_picture(tmp_path / "a.tif", 8)


def test_lab_and_video_colours_are_what_they_were(tmp_path):
    red = Image.new("RGB", (8, 8), (200, 30, 40))
    lab = ImageCms.profileToProfile(
        red, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    lab.save(tmp_path / "a.tif")
    expected = torch.tensor([200, 30, 40])
    assert (read_picture(tmp_path / "a.tif", 4)[:, 1, 1] - expected).abs().max() <= 4
    red.convert("YCbCr").save(tmp_path / "b.tif")
    assert (read_picture(tmp_path / "b.tif", 4)[:, 1, 1] - expected).abs().max() <= 2


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "P"])
def test_a_colour_that_means_transparent_is_white(tmp_path, mode):
    picture = Image.new(mode, (8, 8), 0)
    picture.save(tmp_path / "a.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert (read_picture(tmp_path / "a.png", 4) == 255).all()


@pytest.mark.parametrize("suffix", ["tif", "gif", "webp", "png", "avif"])
def test_of_several_pages_or_frames_the_first_is_read(tmp_path, suffix):
    if f".{suffix}" not in picture_suffixes():
        pytest.skip("Pillow here cannot")
    pages = [Image.new("RGB", (8, 8), name) for name in ("red", "blue")]
    pages[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=pages[1:])
    found = read_picture(tmp_path / f"a.{suffix}", 4)[:, 1, 1]
    assert (found.int() - torch.tensor([255, 0, 0])).abs().max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_every_orientation_is_put_upright(tmp_path, orientation, suffix):
    rng = np.random.default_rng(0).integers(0, 2, (4, 4), np.uint8) * 255
    upright = Image.fromarray(rng).resize((64, 64), Image.Resampling.NEAREST).convert("RGB")
    kept = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that undoes it
    stored = upright.transpose(Image.Transpose(kept[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a.{suffix}", exif=exif)
    difference = read_picture(tmp_path / f"a.{suffix}", 64).float()[0] - torch.tensor(
        np.array(upright)[..., 0]
    )
    assert difference.abs().mean() < 20


def test_a_picture_whose_exif_is_damaged_is_read_as_it_is(tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read_picture(tmp_path / "a.jpg", 4)[0].min() > 250


def test_a_colour_profile_changes_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, more in (("a.png", {}), ("b.png", {"icc_profile": profile})):
        Image.new("RGB", (8, 8), (10, 100, 200)).save(tmp_path / name, **more)
    assert read_picture(tmp_path / "a.png", 4).equal(read_picture(tmp_path / "b.png", 4))


# Sizes.


@pytest.fixture
def small_limits(monkeypatch):
    """A phone's picture in small: more than Pillow and we like, in a few pixels."""
    monkeypatch.setattr(picture_module, "LARGE", 10_000)
    monkeypatch.setattr(picture_module, "MOST_JPEG", 640_000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "jp2", "tif", "gif"])
def test_a_large_picture_is_read_as_if_it_were_small(tmp_path, small_limits, suffix):
    across = np.linspace(0, 255, 400).astype(np.uint8)[None].repeat(300, 0)
    pixels = np.stack([across, across[:, ::-1], across * 0 + 99], -1)
    exif = Image.Exif()
    exif[0x0112] = 3
    more = {"exif": exif} if suffix in ("jpg", "png", "tif") else {}
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", **more)
    found = read_picture(tmp_path / f"a.{suffix}", 32).float()
    small = Image.fromarray(pixels[::-1, ::-1] if more else pixels)
    small.save(tmp_path / "small.png")
    assert Image.MAX_IMAGE_PIXELS == 10_000
    picture_module.LARGE = 10**6
    whole = read_picture(tmp_path / "small.png", 32).float()
    assert (found - whole).abs().max() <= (24 if suffix == "gif" else 4)


def test_a_large_jpeg_is_never_decoded_whole(tmp_path, small_limits, monkeypatch):
    Image.new("RGB", (400, 300), "red").save(tmp_path / "a.jpg")
    sizes = []
    monkeypatch.setattr(
        picture_module, "rgb", lambda x: (sizes.append(x.size), x.convert("RGB"))[1]
    )
    assert read_picture(tmp_path / "a.jpg", 8).shape == (3, 8, 8)
    assert sizes == [(100, 75)]
    Image.new("RGB", (900, 800)).save(tmp_path / "b.jpg")
    with pytest.raises(PictureError, match=r"b\.jpg: it has 900 × 800 pixels, more than 640,000"):
        read_picture(tmp_path / "b.jpg", 8)


@pytest.mark.filterwarnings("error")
def test_a_phones_picture_of_108_million_pixels_is_read(tmp_path):
    Image.new("RGB", (12_000, 9_000), (200, 30, 40)).save(tmp_path / "a.jpg", quality=30)
    found = read_picture(tmp_path / "a.jpg", 16).int()
    assert (found - torch.tensor([200, 30, 40])[:, None, None]).abs().max() <= 4


@pytest.mark.parametrize("sides", [(1, 1), (1, 5000), (5000, 1), (2, 7)])
def test_a_thread_of_a_picture_keeps_its_colour(tmp_path, sides):
    Image.new("RGB", sides, (200, 30, 40)).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", 8)
    assert (found == torch.tensor([200, 30, 40])[:, None, None]).all()


# Files that are no pictures.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "it is HEIC, or a film"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "a web page or an SVG"),
        (b"some text", "no picture that Pillow can identify"),
    ],
)
def test_a_file_that_is_no_picture_is_called_what_it_is(tmp_path, content, message):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(PictureError, match=rf"a\.jpg: .*{message}.*: replace it by"):
        read_picture(tmp_path / "a.jpg", 8)
    with pytest.raises(PictureError, match=rf"row 3: .*{message}"):
        read_picture(io.BytesIO(content), 8, "row 3")
